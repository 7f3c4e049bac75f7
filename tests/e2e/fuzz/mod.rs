//! Whatever is sent, the server answers, never with a fault of its own, and its memory stays flat.
//!
//! Requests of both APIs, valid ones and others, with few names, so that resources come, collide and go.
//!
//! `HADRON_TEST_ROUNDS` says how many requests are sent: 3,000 unless set, which takes some seconds; 100,000 before a
//! release.

mod dice;
mod guess;
mod request;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use hadron_model::Action;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::dice::Dice;
use self::guess::Known;
use self::request::Door;
use crate::client::{Client, environment_bundle, service_bundle};
use crate::support::plane::{Plane, Start};

const REQUESTS: usize = 3_000;
const WORKERS: usize = 8;

/// How much the server's memory may grow while the second half is sent, in kB: a leak of 400 bytes a request shows.
const GROWTH: u64 = 20_000;

/// What all workers share.
struct Run {
    door: Door,
    actions: Vec<Action>,
    http: Http<HttpConnector, Full<Bytes>>,
    known: Mutex<Known>,
    /// How often each status came.
    statuses: Mutex<BTreeMap<u16, usize>>,
    faults: Mutex<Vec<String>>,
    sent: AtomicUsize,
}

impl Run {
    /// Sends until `end` have been sent by all workers together.
    async fn work(self: Arc<Self>, seed: u64, end: usize) {
        let mut dice = Dice::new(seed);
        while self.sent.fetch_add(1, Ordering::Relaxed) < end {
            if dice.percent(1) {
                self.noise(&mut dice).await;
                continue;
            }
            let request = request::next(&self.door, &self.actions, &mut dice, &self.known.lock().unwrap());
            let target =
                request.headers().get("x-amz-target").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
            let shown = format!("{target} {:.300?}", request.body());
            match self.http.request(request).await {
                Ok(answer) => self.judge(answer, &target, &shown).await,
                Err(error) => self.fault(format!("{shown}: no answer: {error:?}")),
            }
        }
    }

    async fn judge(&self, answer: http::Response<hyper::body::Incoming>, target: &str, shown: &str) {
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        *self.statuses.lock().unwrap().entry(status).or_default() += 1;
        if status >= 500 {
            self.fault(format!("{shown}: {status} {}", String::from_utf8_lossy(&body)));
        }
        if let (200, Ok(answer)) = (status, serde_json::from_slice(&body)) {
            let mut known = self.known.lock().unwrap();
            known.learn(target, &answer);
            known.spare(&self.door.key.0);
        }
    }

    /// Something that isn't HTTP.
    async fn noise(&self, dice: &mut Dice) {
        let address = self.door.endpoint.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut bytes = dice.pick(&[b"".as_slice(), b"POST / HTTP/1.1\r\n", b"GET /", b"\x16\x03\x01"]).to_vec();
        bytes.extend(dice.bytes(200));
        // The server may hang up on it at any point.
        drop(stream.write_all(&bytes).await);
        drop(stream.shutdown().await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    }

    fn fault(&self, text: String) {
        self.faults.lock().unwrap().push(text);
    }
}

/// What the process has in memory, in kB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A control plane with bundles that templates can be made of.
async fn start() -> (Plane, Run) {
    let start = Start { settings: "[log]\nlevel = \"warn\"\n".into(), ..Start::default() };
    let plane = Plane::serve(start);
    let exported = plane.exported();
    let door = Door {
        endpoint: plane.endpoint().to_owned(),
        region: exported["AWS_REGION"].clone(),
        key: (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone()),
    };
    let s3 = Client::of(&plane).await.s3;
    s3.create_bucket().bucket("fuzz").send().await.unwrap();
    let environment = environment_bundle(&["cidr"], "output \"vpc\" {\n  value = var.environment.inputs.cidr\n}\n");
    let service = service_bundle("output \"url\" {\n  value = \"x\"\n}\n", "");
    for (key, bundle) in [("environment", environment), ("service", service)] {
        s3.put_object().bucket("fuzz").key(key).body(bundle.into()).send().await.unwrap();
    }
    let run = Run {
        door,
        actions: Action::all().collect(),
        http: Http::builder(TokioExecutor::new()).build_http(),
        known: Mutex::default(),
        statuses: Mutex::default(),
        faults: Mutex::default(),
        sent: AtomicUsize::new(0),
    };
    (plane, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_is_answered() {
    let chosen = std::env::var_os("HADRON_TEST_ROUNDS").map(|text| text.into_string().unwrap());
    let requests: usize = chosen.map_or(REQUESTS, |text| text.parse().unwrap());
    let (mut plane, run) = start().await;
    let (run, began, mut memory) = (Arc::new(run), Instant::now(), Vec::new());
    for half in 1..=2 {
        let end = requests * half / 2;
        run.sent.store(requests * (half - 1) / 2, Ordering::Relaxed);
        let seeds = (0..WORKERS as u64).map(|worker| worker + 1 + 100 * half as u64);
        let workers: Vec<_> = seeds.map(|seed| tokio::spawn(Arc::clone(&run).work(seed, end))).collect();
        for worker in workers {
            worker.await.unwrap();
        }
        memory.push(resident(plane.process_id()));
    }
    let faults = run.faults.lock().unwrap().clone();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(8)].join("\n"));
    assert_eq!(plane.process().exited(), None);
    let log = plane.process().stderr();
    assert!(!log.contains("panicked"), "{}", log.lines().filter(|it| it.contains("panicked")).collect::<String>());
    assert!(memory[1] < memory[0] + GROWTH, "resident after each half, in kB: {memory:?}");
    let statuses = run.statuses.lock().unwrap().clone();
    assert!(statuses[&200] > requests / 10 && statuses[&400] > requests / 10, "one-sided: {statuses:?}");
    tell(&format!(
        "{requests} requests in {:.1?}: {statuses:?}; resident after each half, in kB: {memory:?}",
        began.elapsed()
    ));
}

#[expect(clippy::print_stdout, reason = "the numbers are what a release is proved by")]
fn tell(text: &str) {
    println!("{text}");
}
