//! The agent by itself: how soon it asks for work, and what it takes while there is none.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::response::IntoResponse;
use tokio::sync::Notify;

use crate::support::plane::{Start, hadron};
use crate::support::process::Running;
use crate::{median, resident};

/// A Proton that has no work and holds each poll.
async fn idle_proton(asked: Arc<Notify>) -> String {
    let answer = move |_: HeaderMap| {
        let asked = Arc::clone(&asked);
        async move {
            asked.notify_one();
            tokio::time::sleep(Duration::from_secs(20)).await;
            ([("x-hadron-claimable", "0"), ("content-type", "application/x-amz-json-1.0")], "{\"deployments\":[]}")
                .into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    address
}

pub(crate) async fn report(rounds: usize) {
    let asked = Arc::new(Notify::new());
    let endpoint = idle_proton(Arc::clone(&asked)).await;
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(3) {
        let folder = tempfile::tempdir().unwrap();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = BTreeMap::from([
            set("HADRON_ENDPOINT", &endpoint),
            set("HADRON_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            set("HADRON_SECRET_ACCESS_KEY", "secret"),
            set("HADRON_LOG", "warn"),
        ]);
        fs::create_dir_all(folder.path()).unwrap();
        let command = hadron("agent", &Start { env, ..Start::default() }, folder.path());
        let began = Instant::now();
        let agent = Running::start(command, &folder.path().join("agent.log"));
        tokio::time::timeout(Duration::from_secs(10), asked.notified()).await.unwrap();
        starts.push(began.elapsed().as_secs_f64() * 1000.0);
        memory.push(resident(agent.id()));
    }
    println!("agent: first poll {:.0} ms after start, {:.1} MB resident idle", median(starts), median(memory));
}
