//! The same Terraform work without Hadron.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;

use crate::support::plane::Plane;

/// init, plan -out, apply: what any tool must do that lets a plan be looked at.
pub(crate) fn bare(work: &Path, state: &str) -> Duration {
    let folder = copy(work);
    let began = Instant::now();
    terraform(&folder, state, &["init", "-input=false"]);
    terraform(&folder, state, &["plan", "-out=plan", "-input=false"]);
    terraform(&folder, state, &["apply", "-input=false", "plan"]);
    began.elapsed()
}

pub(crate) fn terraform(folder: &Path, state: &str, arguments: &[&str]) {
    let mut command = Command::new("terraform");
    command.args(arguments).current_dir(folder).env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
    command.env("TF_CLI_CONFIG_FILE", "/dev/null");
    for variable in ["TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"] {
        command.env(variable, state);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "terraform {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The files that Hadron rendered for an environment.
pub(crate) fn rendered(plane: &Plane, environment: &str) -> PathBuf {
    let arn = format!("environment/{environment}\"");
    let is_its = |work: &PathBuf| {
        let metadata = fs::read_to_string(work.join(".proton/deployment-metadata.json"));
        metadata.is_ok_and(|text| text.contains(&arn))
    };
    let runs = fs::read_dir(plane.data().join("runs")).unwrap();
    runs.map(|run| run.unwrap().path().join("1/work")).find(is_its).unwrap()
}

/// The same files in a folder where nothing ran yet.
pub(crate) fn copy(work: &Path) -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    for entry in fs::read_dir(work).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    // The same http backend, without our address in it.
    let backend = r#"{"terraform": {"backend": {"http": {}}}}"#;
    fs::write(folder.join("zzzz_hadron_backend_override.tf.json"), backend).unwrap();
    folder
}

/// Keeps every state in memory; answers at once.
pub(crate) async fn state_server() -> String {
    let states: Arc<Mutex<BTreeMap<String, Bytes>>> = Arc::default();
    let answer = move |method: Method, uri: axum::http::Uri, body: Bytes| {
        let states = Arc::clone(&states);
        async move {
            let mut states = states.lock().unwrap();
            match (method.as_str(), states.get(uri.path()).cloned()) {
                ("GET", Some(state)) => state.into_response(),
                ("GET", None) => StatusCode::NOT_FOUND.into_response(),
                ("POST", _) => {
                    states.insert(uri.path().into(), body);
                    StatusCode::OK.into_response()
                }
                _ => StatusCode::OK.into_response(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    address
}

/// Processor time of one `apply` alone, all its processes included: the least that a deployment of these files can take.
pub(crate) fn cpu_of_an_apply(work: &Path, state: &str) -> Duration {
    const TIMES: u32 = 20;
    let folder = copy(work);
    terraform(&folder, state, &["init", "-input=false"]);
    let before = cpu_of_children();
    for time in 0..TIMES {
        terraform(&folder, &format!("{state}-{time}"), &["apply", "-json", "-auto-approve", "-input=false"]);
    }
    cpu_of_children().saturating_sub(before) / TIMES
}

/// What this process's ended children have used (fields 16 and 17 of proc(5)'s stat, in hundredths of a second).
fn cpu_of_children() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> =
        text.rsplit_once(')').unwrap().1.split_whitespace().map(|f| f.parse().unwrap_or(0)).collect();
    Duration::from_millis((fields[13] + fields[14]) * 10)
}
