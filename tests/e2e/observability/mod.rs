//! What is seen from outside: health, numbers, rules, lines of the log and traces of a server and an agent that work.

mod collector;
mod dashboard;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use aws_sdk_proton::types::DeploymentStatus;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use self::collector::Collector;
use crate::client::{Client, environment_bundle, eventually};
use crate::support::plane::{Plane, Start, agent, free_port};
use crate::support::process::{Running, command};
use crate::support::promtool::promtool;

/// A thing that takes a word, and fails on `bad`.
const MAIN: &str = "resource \"terraform_data\" \"it\" {\n  input = var.environment.inputs.word\n  lifecycle {\n    \
    precondition {\n      condition     = var.environment.inputs.word != \"bad\"\n      error_message = \"No bad \
    words.\"\n    }\n  }\n}\n";

fn start(env: &[(&str, &str)]) -> Start {
    Start { env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(), ..Start::default() }
}

async fn get(url: &str, token: Option<&str>) -> (StatusCode, String) {
    let http = Http::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut request = Request::get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let Ok(answer) = http.request(request.body(Empty::new()).unwrap()).await else {
        return (StatusCode::BAD_GATEWAY, String::new());
    };
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The reason that a check of `/readyz` gives; empty if it passes.
fn reason(body: &str, check: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let checks = body["checks"].as_array().unwrap().clone();
    let found = checks.into_iter().find(|it| it["name"] == check).unwrap_or_else(|| panic!("no {check} in {body}"));
    found["reason"].as_str().unwrap_or_default().to_owned()
}

/// A server and an agent that have deployed `good` and failed to deploy `bad`.
struct Scene {
    plane: Plane,
    agent: Running,
    collector: Collector,
    /// Where each is seen.
    server_at: String,
    agent_at: String,
    /// What each has counted.
    server: String,
    worker: String,
}

impl Scene {
    async fn new() -> Self {
        let collector = Collector::start().await;
        let [server_at, agent_at] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let plane = Plane::serve(start(&[("HADRON_METRICS_LISTEN", &server_at)]));
        let own = [
            ("HADRON_AGENT_LISTEN", agent_at.as_str()),
            ("HADRON_LOG_FORMAT", "json"),
            ("HADRON_LOG", "debug"),
            ("HADRON_OTLP_ENDPOINT", &collector.endpoint),
            ("HADRON_OTLP_HEADERS", "x-tenant=acme"),
        ];
        let agent = agent(&plane, "worker", &start(&own));
        let user = Client::of(&plane).await;
        user.environment_template("thing", environment_bundle(&["word"], MAIN)).await;
        user.create_environment("good", "thing", "word: fine").await;
        user.deployed("good").await;
        user.create_environment("bad", "thing", "word: bad").await;
        assert_eq!(user.settled("bad").await.0, DeploymentStatus::Failed);
        let [server_at, agent_at] = [server_at, agent_at].map(|address| format!("http://{address}"));
        // The server knows of the end before the agent has put it behind itself.
        eventually(async || get(&format!("{agent_at}/metrics"), None).await.1.contains("runs{state=\"working\"} 0"))
            .await;
        let server = get(&format!("{server_at}/metrics"), None).await.1;
        let worker = get(&format!("{agent_at}/metrics"), None).await.1;
        Self { plane, agent, collector, server_at, agent_at, server, worker }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_and_its_agent_are_seen_from_outside_as_it_is_written() {
    let mut scene = Scene::new().await;
    scene.numbers_are_what_the_tables_and_the_rules_say();
    scene.log_names_the_deployment_in_every_line();
    scene.both_are_ready().await;
    scene.traces_have_a_span_for_each_step().await;
    scene.agent_without_its_server_is_alive_but_not_ready().await;
}

impl Scene {
    fn numbers_are_what_the_tables_and_the_rules_say(&self) {
        for (text, table) in
            [(&self.server, hadron::control_plane::metrics::METRICS), (&self.worker, hadron::agent::METRICS)]
        {
            check(&["check", "metrics"], text);
            let written: BTreeSet<&str> = types(text)
                .filter(|(name, _)| name.starts_with("hadron_"))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            let told: BTreeSet<&str> = table.iter().map(|metric| metric.name).chain(["hadron_build_info"]).collect();
            assert_eq!(written, told);
            for metric in table {
                assert!(types(text).any(|it| it == (metric.name, metric.kind.word())), "{}", metric.name);
            }
        }
        for line in [
            "hadron_agent_deployments_total{outcome=\"done\",target=\"environment\"} 1",
            "hadron_agent_claims_total{outcome=\"claimed\"} 2",
            "hadron_agent_step_duration_seconds_count{step=\"apply\"} 1",
            "hadron_agent_step_duration_seconds_count{step=\"plan\"} 2",
            "hadron_agent_start_delay_seconds_count 2",
            "hadron_agent_runs{state=\"working\"} 0",
        ] {
            assert!(self.worker.lines().any(|it| it == line), "{line} isn't in\n{}", self.worker);
        }
        for line in [
            "hadron_deployments_ended_total{status=\"succeeded\",target=\"environment\"} 1",
            "hadron_deployments_ended_total{status=\"failed\",target=\"environment\"} 1",
            "hadron_requests_total{operation=\"CreateEnvironment\",outcome=\"ok\"} 2",
            "hadron_record_readable 1",
        ] {
            assert!(self.server.lines().any(|it| it == line), "{line} isn't in\n{}", self.server);
        }
        let rules = folder().join("hadron-rules.yml");
        check(&["check", "rules", rules.to_str().unwrap()], "");
        check(&["test", "rules", folder().join("hadron-rules-test.yml").to_str().unwrap()], "");
        check(&["check", "config", folder().join("prometheus.yml").to_str().unwrap()], "");
        dashboard::names_only_what_there_is(&format!("{}{}", self.server, self.worker));
    }

    fn log_names_the_deployment_in_every_line(&self) {
        let log = self.agent.stderr();
        let lines: Vec<Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect();
        let at = |words: &str| {
            let found = lines.iter().position(|line| line["message"].as_str().unwrap().contains(words));
            found.unwrap_or_else(|| panic!("nothing says {words}:\n{log}"))
        };
        for (begin, end) in [
            ("claimed the environment good", "deployed the environment good"),
            ("claimed the environment bad", "the environment bad failed"),
        ] {
            let work = &lines[at(begin)..=at(end)];
            let id = work[0]["deployment.id"].as_str().unwrap();
            assert!(work.len() > 5, "Terraform's own words are among them");
            for line in work {
                assert_eq!(line["deployment.id"], id, "{line}");
                assert!(line["target"].as_str().unwrap().starts_with("environment "), "{line}");
                assert!(["timestamp", "level", "message"].iter().all(|name| line[*name].is_string()), "{line}");
            }
            assert!(work.iter().any(|line| line["step"] == "render"));
        }
        let known = crate::observability::fields();
        for line in &lines {
            for name in line.as_object().unwrap().keys() {
                assert!(known.contains(name), "docs/observability.md has no field {name}: {line}");
            }
        }
    }

    async fn both_are_ready(&self) {
        for (at, checks) in [
            (&self.server_at, &["record", "schema", "objects", "data", "disk"]),
            (&self.agent_at, &["proton", "leases", "terraform", "data", "disk"]),
        ] {
            let (status, body) = get(&format!("{at}/readyz"), None).await;
            assert_eq!(status, 200, "{body}");
            assert!(checks.iter().all(|check| reason(&body, check).is_empty()), "{body}");
            assert_eq!(get(&format!("{at}/healthz"), None).await.0, 200);
            assert_eq!(get(&format!("{at}/else"), None).await.0, 404);
        }
        // Who chose a port for the numbers has them there and nowhere else.
        let (status, body) = get(&format!("{}/metrics", self.plane.endpoint()), None).await;
        assert_eq!((status, body.contains("metrics.token")), (StatusCode::FORBIDDEN, true));
    }

    async fn traces_have_a_span_for_each_step(&mut self) {
        let log = self.agent.stderr();
        let id = |words: &str| {
            let line = log.lines().find(|line| line.contains(words)).unwrap();
            serde_json::from_str::<Value>(line).unwrap()["deployment.id"].as_str().unwrap().to_owned()
        };
        for (target, steps, failed) in [
            ("good", &["claim", "fetch", "render", "init", "plan", "apply", "notify"][..], &[][..]),
            ("bad", &["claim", "fetch", "render", "init", "plan", "notify"], &["plan", "deployment"]),
        ] {
            let trace = id(&format!("claimed the environment {target}")).replace('-', "");
            let spans = self.collector.trace(&trace, steps.len() + 1).await;
            let root = spans.iter().find(|span| span.parent.is_empty()).unwrap();
            assert_eq!(
                (root.name.as_str(), root.attribute("target").as_str()),
                ("deployment", &*format!("environment {target}"))
            );
            let mut found: Vec<_> = spans.iter().filter(|span| span.parent == root.id).collect();
            found.sort_by_key(|span| span.began);
            assert_eq!(found.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), steps);
            assert!(
                found
                    .iter()
                    .all(|span| root.began <= span.began && span.began <= span.ended && span.ended <= root.ended)
            );
            let wrong: BTreeSet<_> = spans.iter().filter(|span| span.failed).map(|span| span.name.as_str()).collect();
            assert_eq!(wrong, failed.iter().copied().collect());
        }
        assert_eq!(self.collector.tenants(), BTreeSet::from(["acme".to_owned()]));
    }

    async fn agent_without_its_server_is_alive_but_not_ready(&mut self) {
        // The agent's question is held at this time; a server that leaves answers it, and doesn't wait for its end.
        assert!(self.plane.process().terminate(Duration::from_secs(5)).success());
        let (left, ready) = (Instant::now(), format!("{}/readyz", self.agent_at));
        eventually(async || get(&ready, None).await.0 == 503).await;
        assert!(left.elapsed() < Duration::from_secs(8), "it was ready for {:?}", left.elapsed());
        let body = get(&ready, None).await.1;
        assert!(reason(&body, "proton").contains("can't be reached"), "{body}");
        assert_eq!(reason(&body, "terraform"), "");
        assert_eq!(get(&format!("{}/healthz", self.agent_at), None).await.0, 200);
        self.agent.terminate(Duration::from_secs(30));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_why_it_is_not_ready_and_gives_numbers_for_a_token_only() {
    let own = [("HADRON_MIN_FREE_DISK_MIB", "9000000000"), ("HADRON_METRICS_TOKEN", "open-sesame")];
    let plane = Plane::serve(start(&own));
    let at = |path: &str| format!("{}{path}", plane.endpoint());
    let (status, body) = get(&at("/readyz"), None).await;
    assert_eq!(status, 503);
    assert!(reason(&body, "disk").contains("MiB are free, fewer than 9000000000 MiB"), "{body}");
    assert_eq!(reason(&body, "record"), "");
    assert_eq!(get(&at("/healthz"), None).await.0, 200);
    assert_eq!(get(&at("/metrics"), None).await.0, 401);
    assert_eq!(get(&at("/metrics"), Some("open-sesam")).await.0, 401);
    let (status, text) = get(&at("/metrics"), Some("open-sesame")).await;
    assert_eq!(status, 200);
    assert!(text.contains("hadron_requests_total{operation=\"readyz\",outcome=\"failed\"} 1\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_with_nothing_to_do_is_ready_before_its_first_question_has_been_held() {
    let plane = Plane::serve(Start::default());
    let at = format!("127.0.0.1:{}", free_port());
    let mut idle = agent(&plane, "idle", &start(&[("HADRON_AGENT_LISTEN", &at)]));
    let (began, ready) = (Instant::now(), format!("http://{at}/readyz"));
    eventually(async || get(&ready, None).await.0 == 200).await;
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert!(idle.terminate(Duration::from_secs(10)).success());
}

fn folder() -> PathBuf {
    crate::support::examples().join("observability")
}

/// The names and kinds that a text of numbers declares.
fn types(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
}

/// Runs promtool, which must have nothing to say against it.
fn check(arguments: &[&str], stdin: &str) {
    let mut promtool = command(promtool(), &std::collections::BTreeMap::new());
    promtool.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = promtool.spawn().unwrap();
    running.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let done = running.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(done.status.success(), "promtool {}:\n{said}", arguments.join(" "));
}

/// The fields of the log that the docs name.
fn fields() -> BTreeSet<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md");
    let docs = fs::read_to_string(docs).unwrap();
    let (_, table) = docs.split_once("| field | says |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| Some(row.split('`').nth(1)?.to_owned())).collect()
}
