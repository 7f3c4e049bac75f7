//! Whole journeys: the agent with real Terraform against a Proton, an object store and a state server on loopback.

mod approval;
mod leaving;
mod records;
mod unclean;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use hadron::agent::{Agent, AgentError, Config, EnvironmentConfig, HostConfig, S3State};
use hadron::domain::Verdict;
use hadron::objects::ObjectsConfig;
use hadron::support::{AwsAccess, Clock, Secret};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::far_end::proton::{self, Deployment};
use crate::far_end::s3;
use crate::far_end::state::{self, States};

const SCHEMA: &str = r#"schema:
  format:
    openapi: "3.0.0"
  environment_input_type: "Input"
  types:
    Input:
      type: object
      properties:
        size:
          type: integer
          default: 1
"#;

const MANIFEST: &str = r#"infrastructure:
  templates:
    - file: "*"
      rendering_engine: hcl
      template_language: terraform
"#;

/// Everything that an agent meets.
struct Scene {
    proton: proton::Running,
    s3: s3::Running,
    state_url: String,
    states: Arc<States>,
    data: tempfile::TempDir,
}

impl Scene {
    async fn hadron() -> Self {
        Self::with(proton::Proton { lease_seconds: 30, ..proton::Proton::default() }).await
    }

    async fn stock() -> Self {
        Self::with(proton::Proton { stock: true, ..proton::Proton::default() }).await
    }

    async fn with(far: proton::Proton) -> Self {
        let (proton, s3) = (proton::start_with(far).await, s3::start().await);
        let (state_url, states) = state::start().await;
        let headers = [("x-hadron-state", format!("{state_url}/dev")), ("x-hadron-objects", s3.url.clone())];
        proton.far.claim_headers.lock().unwrap().extend(headers);
        Self { proton, s3, state_url, states, data: tempfile::tempdir().unwrap() }
    }

    /// Adds a deployment of an environment whose bundle holds this one file.
    fn deploys(&self, id: &str, environment: &str, main_tf: &str) {
        self.deploys_with(id, environment, main_tf, &json!({"environment": {"name": environment, "inputs": {}}}));
    }

    fn deploys_with(&self, id: &str, environment: &str, main_tf: &str, inputs: &Value) {
        let bundle = self.keep("bundles", "", &bundle(main_tf));
        let inputs = self.keep("inputs", ".json", inputs.to_string().as_bytes());
        let deployment = Deployment::of_environment(environment)
            .tagged("hadron:bundle", &bundle)
            .tagged("hadron:inputs", &inputs)
            .tagged("hadron:action", "create");
        self.proton.add(id, deployment);
    }

    fn keep(&self, folder: &str, suffix: &str, bytes: &[u8]) -> String {
        let key = format!("proton/{folder}/sha256/{}{suffix}", hex::encode(Sha256::digest(bytes)));
        self.s3.put(&key, bytes.to_vec());
        format!("s3://{key}")
    }

    fn config(&self) -> Config {
        Config {
            name: "test".into(),
            data: self.data.path().join("agent"),
            concurrency: 2,
            proton: access("AKIDHADRON", &self.proton.url),
            objects: ObjectsConfig {
                endpoint: Some(self.s3.url.clone()),
                region: "us-east-1".into(),
                credentials: Some(("AKIDSITE".into(), Secret::new("site"))),
                path_style: true,
                trust: None,
            },
            bundles: None,
            terraform: None,
            search_path: search_path(),
            provider_store: None,
            supervisor: PathBuf::from(env!("CARGO_BIN_EXE_hadron")),
            child_env: BTreeMap::new(),
            environments: BTreeMap::new(),
            bound_to: Vec::new(),
            poll_wait: Duration::from_secs(1),
            lock_timeout: Duration::from_secs(5),
            approval_wait: None,
            forge: None,
            watch_every: std::time::Duration::from_secs(30),
            settle_patience: Duration::from_mins(30),
            host: HostConfig::default(),
            clock: Clock::system(),
        }
    }

    /// An agent; what is left of an aborted one may keep the data directory for a moment.
    async fn agent(&self) -> Agent {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            match Agent::new(self.config()).await {
                Err(AgentError::DataInUse(_)) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                agent => return agent.unwrap(),
            }
        }
    }

    async fn drains(&self) -> Verdict {
        self.agent().await.drain(CancellationToken::new()).await.unwrap()
    }

    fn run_dir(&self, id: &str) -> PathBuf {
        self.data.path().join("agent/runs").join(id).join("1")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }
}

fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

fn access(key: &str, url: &str) -> AwsAccess {
    let credentials = Some((key.to_owned(), Secret::new("hadron")));
    AwsAccess { endpoint: Some(url.to_owned()), region: Some("us-east-1".into()), credentials, trust: None }
}

fn bundle(main_tf: &str) -> Vec<u8> {
    bundle_with(main_tf, &[])
}

fn bundle_with(main_tf: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", main_tf),
    ];
    for (name, text) in files.iter().chain(more) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A resource that runs a command when it is made.
fn runs(command: &str) -> String {
    format!(
        "resource \"terraform_data\" \"one\" {{\n  provisioner \"local-exec\" {{\n    command = \"{command}\"\n  }}\n}}\n"
    )
}

async fn until(what: &str, mut there: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if there() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited 20 s for {what}");
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

const THREE_OUTPUTS: &str = r#"
resource "terraform_data" "one" {
  input = "vpc-1"
}
output "vpc" {
  value = terraform_data.one.output
}
output "zones" {
  value = ["a", "b"]
}
output "password" {
  value     = "hush"
  sensitive = true
}
"#;

#[tokio::test]
async fn a_deployment_is_applied_and_reported_with_its_outputs() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    let done = scene.proton.deployment("d1");
    assert_eq!((done.status.as_str(), done.message.as_str()), ("SUCCEEDED", ""));
    let expected = [("password", "hush"), ("vpc", "vpc-1"), ("zones", r#"["a","b"]"#)];
    assert_eq!(done.outputs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(done.sensitive.as_deref(), Some("0"));
    assert!(scene.states.kept.lock().unwrap().contains_key("/dev"), "the state is remote");
    assert!(scene.states.locks.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_runs_log_events_and_summary_lie_in_the_bucket() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    let stream = |name: &str| {
        let keys = scene.s3.keys(&format!("proton/runs/d1/1/{name}/"));
        let pieces = keys.iter().map(|key| String::from_utf8(scene.s3.get(key).unwrap().to_vec()).unwrap());
        (keys.first().cloned(), pieces.collect::<String>())
    };
    let (first, log) = stream("log");
    assert_eq!(first.as_deref(), Some("proton/runs/d1/1/log/00000000000000000000"));
    assert!(log.contains("Initializing the backend") && log.contains("Apply complete"), "{log}");
    let (_, events) = stream("events");
    assert!(events.lines().any(|line| line.contains("\"type\":\"apply_complete\"")), "{events}");
    assert!(!log.contains("hush") && !events.contains("hush"), "a sensitive output is in no record");
    let summary: Value = serde_json::from_slice(&scene.s3.get("proton/runs/d1/1/summary.json").unwrap()).unwrap();
    assert_eq!(summary["changes"], json!([1, 0, 0]));
    assert_eq!(summary["resources"], json!([["terraform_data.one", "terraform_data", "create"]]));
}

#[tokio::test]
async fn proton_and_its_objects_are_asked_as_hadron_and_the_state_with_a_derived_password() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    let keys = |seen: Vec<Option<String>>| seen.into_iter().flatten().collect::<std::collections::BTreeSet<_>>();
    let asked = scene.proton.far.seen.lock().unwrap().iter().map(|seen| seen.access_key.clone()).collect();
    assert_eq!(keys(asked), ["AKIDHADRON".to_owned()].into());
    let stored = scene.s3.store.access_keys.lock().unwrap().iter().cloned().map(Some).collect();
    assert_eq!(keys(stored), ["AKIDHADRON".to_owned()].into());
    let url = format!("{}/dev", scene.state_url);
    let password = hadron::support::credential::state_password(&Secret::new("hadron"), &url, "d1.1");
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("d1.1:{password}"));
    assert!(scene.states.authorizations.lock().unwrap().iter().all(|seen| *seen == format!("Basic {basic}")));
}

#[tokio::test]
async fn a_claim_that_tells_the_work_is_believed_and_a_bundle_is_fetched_once() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    scene.deploys("d2", "prod", THREE_OUTPUTS);
    let agent = scene.agent().await;
    for id in ["d1", "d2"] {
        let tags = scene.proton.deployment(id).tags;
        let tag = |name: &str| tags.iter().find(|(tag, _)| tag == name).unwrap().1.clone();
        let told = [("x-hadron-bundle", tag("hadron:bundle")), ("x-hadron-inputs", tag("hadron:inputs"))];
        let mut headers = scene.proton.far.claim_headers.lock().unwrap().clone();
        headers.retain(|(name, _)| !told.iter().any(|(told, _)| told == name));
        headers.extend(told);
        *scene.proton.far.claim_headers.lock().unwrap() = headers;
        let outcome = agent.deploy(id, CancellationToken::new()).await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Done, "{outcome:?}");
        scene.s3.store.objects.lock().unwrap().retain(|key, _| !key.starts_with("proton/bundles/"));
    }
    assert_eq!(scene.proton.seen("ListTagsForResource").len(), 0);
}

#[tokio::test]
async fn a_failed_apply_is_reported_with_terraforms_own_words_and_the_way_out() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", &runs("echo no quota left; exit 7"));
    assert_eq!(scene.drains().await, Verdict::ApplyFailed);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "FAILED");
    for words in ["terraform apply", "exit status 7", "no quota left", "runs/d1/1", "update again"] {
        assert!(done.message.contains(words), "{words} is missing in: {}", done.message);
    }
    assert!(scene.run_dir("d1").join("work/main.tf").exists(), "the run directory is kept");
}

/// Whatever a run is called, and whatever Terraform is told of that.
#[tokio::test]
async fn another_deployment_of_the_same_files_needs_no_init() {
    let scene = Scene::hadron().await;
    for (id, environment, initialises) in [("d1", "dev", true), ("d2", "prod", false), ("d3", "dev", false)] {
        scene.deploys(id, environment, THREE_OUTPUTS);
        assert_eq!(scene.drains().await, Verdict::Done, "{}", scene.proton.deployment(id).message);
        assert_eq!(scene.run_dir(id).join("1-init").exists(), initialises, "{id}");
    }
}

#[tokio::test]
async fn a_plan_that_fails_says_that_nothing_was_changed() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", "output \"a\" {\n  value = var.nowhere\n}\n");
    let verdict = scene.drains().await;
    assert_eq!(verdict.exit_code(), 10);
    let done = scene.proton.deployment("d1");
    assert!(done.message.contains("main.tf:2") && done.message.contains("No resource was changed"), "{}", done.message);
}

#[tokio::test]
async fn a_cancel_interrupts_terraform_and_ends_as_cancelled() {
    let scene = Scene::with(proton::Proton { lease_seconds: 1, ..proton::Proton::default() }).await;
    let started = scene.file("started");
    scene.deploys("d1", "dev", &runs(&format!("touch {}; sleep 30", started.display())));
    let agent = scene.agent().await;
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    scene.proton.change("d1", |deployment| deployment.status = "CANCELLING".into());
    let verdict = tokio::time::timeout(Duration::from_secs(20), work).await.unwrap().unwrap().unwrap();
    assert_eq!(verdict.exit_code(), 130);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "CANCELLED");
    assert!(done.message.contains("half changed") && done.message.contains("update again"), "{}", done.message);
}

#[tokio::test]
async fn a_lost_lease_stops_before_apply() {
    let scene = Scene::with(proton::Proton { lease_seconds: 30, steals: true, ..proton::Proton::default() }).await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await.exit_code(), 14);
    assert!(scene.run_dir("d1").join("1-init").exists());
    assert!(!scene.run_dir("d1").join("2-apply").exists(), "nothing may be applied without the lease");
    assert!(scene.states.kept.lock().unwrap().is_empty());
    assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS", "a stale epoch changes nothing");
}

#[tokio::test]
async fn a_lease_that_ran_out_unrenewed_stops_before_apply_whatever_the_reason() {
    let scene = Scene::with(proton::Proton { lease_seconds: 0, revokes: true, ..proton::Proton::default() }).await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    scene.drains().await;
    assert!(scene.run_dir("d1").join("1-init").exists());
    assert!(!scene.run_dir("d1").join("2-apply").exists(), "nothing may be applied without the lease");
}

#[tokio::test]
async fn a_restarted_agent_follows_the_terraform_that_was_left_at_work() {
    let scene = Scene::hadron().await;
    let (started, go, count) = (scene.file("started"), scene.file("go"), scene.file("count"));
    let command = format!(
        "echo ran >> {}; touch {}; while ! test -e {}; do sleep 0.05; done",
        count.display(),
        started.display(),
        go.display()
    );
    scene.deploys("d1", "dev", &runs(&command));
    let first = scene.agent().await;
    let id = first.id().to_owned();
    let work = tokio::spawn(async move { first.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    std::fs::write(&go, "").unwrap();
    let second = scene.agent().await;
    assert_eq!(second.id(), id);
    assert_eq!(second.drain(CancellationToken::new()).await.unwrap(), Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
    assert_eq!(lines(&count), ["ran"], "it was applied once");
    let log: String = scene
        .s3
        .keys("proton/runs/d1/1/log/")
        .iter()
        .map(|key| String::from_utf8(scene.s3.get(key).unwrap().to_vec()).unwrap())
        .collect();
    assert_eq!(log.matches("Apply complete").count(), 1, "no part of the log was sent twice: {log}");
}

#[tokio::test]
async fn a_run_that_became_somebody_elses_is_followed_and_changes_nothing() {
    let scene = Scene::hadron().await;
    let started = scene.file("started");
    scene.deploys("d1", "dev", &runs(&format!("touch {}; sleep 1", started.display())));
    let first = scene.agent().await;
    let work = tokio::spawn(async move { first.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    scene.proton.change("d1", |deployment| {
        deployment.holder = Some("other".into());
        deployment.epoch += 1;
    });
    assert_eq!(scene.drains().await, Verdict::LeaseLost);
    assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS", "a stale epoch changes nothing");
    assert!(scene.run_dir("d1").join("reported").exists(), "the next life doesn't try again");
}

#[tokio::test]
async fn a_report_is_repeated_until_it_is_heard() {
    let far = proton::Proton { lease_seconds: 30, deaf: 4.into(), late: 3.into(), ..proton::Proton::default() };
    let scene = Scene::with(far).await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
}

#[tokio::test]
async fn a_report_that_is_denied_for_good_is_the_next_lifes() {
    let far = proton::Proton { lease_seconds: 0, late: 1.into(), ..proton::Proton::default() };
    let scene = Scene::with(far).await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Unexpected);
    assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS");
    assert_eq!(scene.drains().await, Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
}

#[tokio::test]
async fn a_delete_destroys_and_only_then_is_complete() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    let gone = scene.file("gone");
    let destroying = format!(
        "resource \"terraform_data\" \"one\" {{\n  input = \"vpc-1\"\n  provisioner \"local-exec\" {{\n    when = destroy\n    command = \"touch {}\"\n  }}\n}}\n",
        gone.display()
    );
    scene.deploys("d2", "dev", &destroying);
    scene.proton.change("d2", |deployment| {
        deployment.status = "DELETE_IN_PROGRESS".into();
        deployment.tags.retain(|(key, _)| key != "hadron:action");
        deployment.tags.push(("hadron:action".into(), "delete".into()));
    });
    assert_eq!(scene.drains().await, Verdict::Done);
    let done = scene.proton.deployment("d2");
    assert_eq!((done.status.as_str(), done.outputs.len()), ("DELETE_COMPLETE", 0));
    assert!(gone.exists());
    let state: Value = serde_json::from_slice(&scene.states.kept.lock().unwrap()["/dev"]).unwrap();
    assert_eq!(state["resources"], json!([]));
}

#[tokio::test]
async fn a_stock_endpoint_gets_the_same_outputs_with_state_in_a_bucket() {
    let scene = Scene::stock().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let mut config = scene.config();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    config.child_env = [pair("AWS_ACCESS_KEY_ID", "AKIDTERRAFORM"), pair("AWS_SECRET_ACCESS_KEY", "x")].into();
    let state = S3State {
        bucket: "state".into(),
        region: "us-east-1".into(),
        endpoint: Some(scene.s3.url.clone()),
        use_path_style: true,
        dynamodb_table: None,
    };
    let choices = EnvironmentConfig { state: Some(state), ..EnvironmentConfig::default() };
    config.environments.insert("*".into(), choices);
    let agent = Agent::new(config).await.unwrap();
    assert_eq!(agent.drain(CancellationToken::new()).await.unwrap(), Verdict::Done);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "SUCCEEDED");
    let expected = [("vpc", "vpc-1"), ("zones", r#"["a","b"]"#)];
    assert_eq!(done.outputs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(done.message.contains("password") && !done.message.contains("hush"), "{}", done.message);
    assert_eq!(scene.s3.keys("state/"), ["state/dev/terraform.tfstate"], "the sample workflow's key, and no lock left");
    let keys: std::collections::BTreeSet<String> = scene.s3.store.access_keys.lock().unwrap().iter().cloned().collect();
    assert_eq!(keys, ["AKIDSITE".to_owned(), "AKIDTERRAFORM".to_owned()].into(), "Hadron's key opens no other store");
}

#[tokio::test]
async fn without_any_place_for_the_state_nothing_runs() {
    let scene = Scene::stock().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await.exit_code(), 3);
    let done = scene.proton.deployment("d1");
    assert!(done.status == "FAILED" && done.message.contains("state = \"s3\""), "{}", done.message);
    assert!(!scene.run_dir("d1").join("1-init").exists());
}

#[tokio::test]
async fn a_bundle_that_was_altered_is_not_run() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let key = scene.s3.keys("proton/bundles/").pop().unwrap();
    scene.s3.put(&key, bundle("# another\n"));
    assert_eq!(scene.drains().await, Verdict::Unexpected);
    assert!(scene.proton.deployment("d1").message.contains("was changed after it was registered"));
}

#[tokio::test]
async fn a_bundle_with_problems_is_refused_with_all_of_them() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", "resource \"terraform_data\" {\n");
    assert_eq!(scene.drains().await.exit_code(), 4);
    let done = scene.proton.deployment("d1");
    assert!(done.message.contains("infrastructure/main.tf:"), "{}", done.message);
}

#[tokio::test]
async fn sealed_inputs_reach_terraform_and_a_mask_never_does() {
    let scene = Scene::hadron().await;
    let inputs = json!({"environment": {"name": "dev", "inputs": {}, "outputs": {"token": "***"}}});
    // Read from the document itself, since an environment's variables have no outputs of others.
    let document = "jsondecode(file(\"proton.auto.tfvars.json\"))";
    let main = &format!("output \"length\" {{\n  value = length({document}.environment.outputs.token)\n}}\n");
    scene.deploys_with("d1", "dev", main, &inputs);
    assert_eq!(scene.drains().await, Verdict::Unexpected);
    assert!(scene.proton.deployment("d1").message.contains("sealed values"));
    scene
        .states
        .kept
        .lock()
        .unwrap()
        .insert("/sealed/d2".into(), r#"{"/environment/outputs/token":"12345678"}"#.into());
    let sealed = ("x-hadron-sealed", format!("{}/sealed/d2", scene.state_url));
    scene.proton.far.claim_headers.lock().unwrap().push(sealed);
    scene.deploys_with("d2", "dev", main, &inputs);
    assert_eq!(scene.drains().await, Verdict::Done, "{}", scene.proton.deployment("d2").message);
    assert_eq!(scene.proton.deployment("d2").outputs, [("length".to_owned(), "8".to_owned())]);
}

#[tokio::test]
async fn two_deployments_of_one_target_never_run_at_once() {
    let scene = Scene::hadron().await;
    let trace = scene.file("trace");
    for id in ["d1", "d2"] {
        let command = format!("echo begin >> {0}; sleep 0.3; echo end >> {0}", trace.display());
        scene.deploys(id, "dev", &format!("{}# {id}\n", runs(&command).replace("\"one\"", &format!("\"{id}\""))));
    }
    assert_eq!(scene.drains().await, Verdict::Done);
    assert_eq!(lines(&trace), ["begin", "end", "begin", "end"]);
}

#[tokio::test]
async fn two_targets_run_at_once() {
    let scene = Scene::hadron().await;
    // Each waits for the other, so that one after the other would never end.
    let (a, b) = (scene.file("a"), scene.file("b"));
    for (id, own, other) in [("d1", &a, &b), ("d2", &b, &a)] {
        let command = format!("touch {}; while ! test -e {}; do sleep 0.02; done", own.display(), other.display());
        scene.deploys(id, id, &runs(&command));
    }
    scene.proton.far.claim_headers.lock().unwrap().retain(|(name, _)| *name != "x-hadron-state");
    scene.proton.far.states_at.lock().unwrap().replace(scene.state_url.clone());
    assert_eq!(scene.drains().await, Verdict::Done);
}

#[tokio::test]
async fn an_agent_that_is_asked_to_stop_lets_terraform_finish_and_reports() {
    let scene = Scene::hadron().await;
    let (started, go) = (scene.file("started"), scene.file("go"));
    let command = format!("touch {}; while ! test -e {}; do sleep 0.02; done", started.display(), go.display());
    scene.deploys("d1", "dev", &runs(&command));
    let (agent, stop) = (scene.agent().await, CancellationToken::new());
    let work = tokio::spawn({
        let stop = stop.clone();
        async move { agent.run(stop).await }
    });
    until("the apply", || started.exists()).await;
    stop.cancel();
    scene.deploys("d2", "later", THREE_OUTPUTS);
    std::fs::write(&go, "").unwrap();
    work.await.unwrap().unwrap();
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
    assert_eq!(scene.proton.deployment("d2").holder, None, "no work is taken after the stop");
}

#[tokio::test]
async fn an_object_store_that_goes_away_delays_no_deployment() {
    let scene = Scene::hadron().await;
    let (started, go) = (scene.file("started"), scene.file("go"));
    let command = format!("touch {}; while ! test -e {}; do sleep 0.02; done", started.display(), go.display());
    scene.deploys("d1", "dev", &runs(&command));
    let agent = scene.agent().await;
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    *scene.s3.store.down.lock().unwrap() = true;
    std::fs::write(&go, "").unwrap();
    assert_eq!(work.await.unwrap().unwrap(), Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
    assert!(!lines(&scene.run_dir("d1").join("2-apply/stdout.jsonl")).is_empty(), "the disk has it all");
}

#[tokio::test]
async fn an_overlay_is_laid_beside_the_templates_files() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let overlay = scene.file("overlay");
    std::fs::create_dir(&overlay).unwrap();
    let mut file = std::fs::File::create(overlay.join("site_override.tf")).unwrap();
    file.write_all(b"output \"vpc\" {\n  value = \"from the overlay\"\n}\n").unwrap();
    let mut config = scene.config();
    let choices = EnvironmentConfig { overlay: Some(overlay), ..EnvironmentConfig::default() };
    config.environments.insert("dev".into(), choices);
    let agent = Agent::new(config).await.unwrap();
    assert_eq!(agent.drain(CancellationToken::new()).await.unwrap(), Verdict::Done);
    let outputs = scene.proton.deployment("d1").outputs;
    assert!(outputs.contains(&("vpc".into(), "from the overlay".into())), "{outputs:?}");
}

/// A bundle whose template needs a provider, and Terraform's configuration that finds it.
fn with_provider(scene: &Scene) -> (String, Config) {
    let rc = crate::tools::Tools::get().terraform_rc().display().to_string();
    let main = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n\
                resource \"terraform_data\" \"one\" {}\n";
    let mut config = scene.config();
    config.child_env.insert("TF_CLI_CONFIG_FILE".into(), rc);
    (main.to_owned(), config)
}

#[tokio::test]
async fn a_template_version_s_first_deployment_records_its_providers_and_every_other_uses_them() {
    let scene = Scene::hadron().await;
    let (main, config) = with_provider(&scene);
    let agent = Agent::new(config).await.unwrap();
    let drain = async || agent.drain(CancellationToken::new()).await.unwrap();
    scene.deploys("d1", "dev", &main);
    assert_eq!(drain().await, Verdict::Done);
    let [key] = &scene.s3.keys("proton/locks/")[..] else { panic!("{:?}", scene.s3.keys("proton/")) };
    let digest = hex::encode(Sha256::digest(bundle(&main)));
    assert_eq!(*key, format!("proton/locks/sha256/{digest}/environment.hcl"));
    let recorded = String::from_utf8(scene.s3.get(key).unwrap().to_vec()).unwrap();
    assert!(recorded.contains("version = \"3.39.0\""), "the newest there is: {recorded}");

    // Another version stands there now; that is what the next one is made with.
    let older = "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"2.70.0\"\n}\n";
    scene.s3.put(key, older.as_bytes().to_vec());
    scene.deploys("d2", "prod", &main);
    assert_eq!(drain().await, Verdict::Done);
    let used = std::fs::read_to_string(scene.run_dir("d2").join("work/.terraform.lock.hcl")).unwrap();
    assert!(used.contains("version = \"2.70.0\""), "{used}");
    assert_eq!(scene.s3.get(key).unwrap().as_ref(), older.as_bytes(), "what is recorded stays");
}

#[tokio::test]
async fn a_bundle_s_own_lock_file_wins_and_nothing_is_recorded() {
    let scene = Scene::hadron().await;
    let (main, config) = with_provider(&scene);
    let own = "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"2.70.0\"\n}\n";
    let bundle = scene.keep("bundles", "", &bundle_with(&main, &[("infrastructure/.terraform.lock.hcl", own)]));
    scene.deploys("d1", "dev", &main);
    scene.proton.add("d1", scene.proton.deployment("d1").tagged("hadron:bundle", &bundle));
    let verdict = Agent::new(config).await.unwrap().drain(CancellationToken::new()).await.unwrap();
    assert_eq!(verdict, Verdict::Done);
    let used = std::fs::read_to_string(scene.run_dir("d1").join("work/.terraform.lock.hcl")).unwrap();
    assert!(used.contains("version = \"2.70.0\""), "{used}");
    assert!(scene.s3.keys("proton/locks/").is_empty());
}

#[tokio::test]
async fn an_overlays_lock_file_counts_more_than_the_bundles() {
    let scene = Scene::hadron().await;
    let (main, mut config) = with_provider(&scene);
    let lock =
        |version: &str| format!("provider \"registry.terraform.io/hashicorp/aws\" {{\n  version = \"{version}\"\n}}\n");
    let files = [("infrastructure/.terraform.lock.hcl", lock("3.39.0"))];
    let bundle = bundle_with(&main, &[(files[0].0, &files[0].1)]);
    let bundle = scene.keep("bundles", "", &bundle);
    scene.deploys("d1", "dev", &main);
    scene.proton.add("d1", scene.proton.deployment("d1").tagged("hadron:bundle", &bundle));
    let overlay = scene.file("overlay");
    std::fs::create_dir(&overlay).unwrap();
    std::fs::write(overlay.join(".terraform.lock.hcl"), lock("2.70.0")).unwrap();
    let choices = EnvironmentConfig { overlay: Some(overlay), ..EnvironmentConfig::default() };
    config.environments.insert("dev".into(), choices);
    let verdict = Agent::new(config).await.unwrap().drain(CancellationToken::new()).await.unwrap();
    assert_eq!(verdict, Verdict::Done, "{}", scene.proton.deployment("d1").message);
    let used = std::fs::read_to_string(scene.run_dir("d1").join("work/.terraform.lock.hcl")).unwrap();
    assert!(used.contains("version = \"2.70.0\""), "{used}");
    assert!(scene.s3.keys("proton/locks/").is_empty());
}
