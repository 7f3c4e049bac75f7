//! A deployment's Terraform, from init to destroy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hadron::support::Secret;
use hadron::support::https::Https;
use hadron::terraform::{Backend, Event, EventKind, Mode, Phase, Session, Step, TerraformError, child_env, find};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::state::StateServer;

/// A template's files, a state server, and as many runs as a test wants.
struct Deployment {
    folder: tempfile::TempDir,
    state: StateServer,
}

impl Deployment {
    async fn of(main: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        let deployment = Self { folder, state: StateServer::start().await };
        deployment.write("main.tf", main);
        deployment
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.work_dir().join(name), text).unwrap();
    }

    fn work_dir(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The session of one attempt; the same number comes back to the same run.
    fn attempt(&self, number: u32) -> Session {
        let run_dir = self.folder.path().join(number.to_string());
        let backend = Backend::Http {
            address: self.state.address.clone(),
            username: "deployment.1".into(),
            password: Secret::new("hush-password"),
        };
        Session {
            terraform: find(None, &std::env::var_os("PATH").unwrap()).unwrap(),
            supervisor: env!("CARGO_BIN_EXE_hadron").into(),
            env: child_env(&BTreeMap::new(), &backend, &run_dir.join("home"), None).unwrap(),
            run_dir,
            work_dir: self.work_dir(),
            backend,
            lock_timeout: Duration::from_secs(5),
            warm: None,
            state_reader: None,
            providers: None,
        }
    }
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn an_apply_gives_outputs_and_resources_and_a_destroy_takes_them_away() {
    let deployment = Deployment::of(
        r#"
        resource "terraform_data" "one" { input = "v1" }
        output "plain" { value = terraform_data.one.output }
        output "list" { value = ["a", 1] }
        output "secret" {
          value     = "hush-output"
          sensitive = true
        }
        "#,
    )
    .await;
    let first = deployment.attempt(1);
    first.init(&never()).await.unwrap();
    let mut log = Vec::new();
    let applied = first.apply(Mode::Apply, &never(), &mut |event| log.extend(event.human())).await.unwrap();
    assert_eq!(applied.outputs["plain"].value, "v1");
    assert_eq!(applied.outputs["list"].value, serde_json::json!(["a", 1]));
    assert_eq!((&applied.outputs["secret"].value, applied.outputs["secret"].sensitive), (&"hush-output".into(), true));
    assert_eq!((applied.changes.add, applied.resources[0].address.as_str()), (1, "terraform_data.one"));
    assert!(log.iter().any(|line| line.starts_with("terraform_data.one: Creation complete")), "{log:#?}");
    assert!(deployment.state.kept(|kept| kept.authorizations.iter().all(|value| value.starts_with("Basic "))));

    let second =
        Session { state_reader: Some(Https::new(None, Duration::from_secs(5)).unwrap()), ..deployment.attempt(2) };
    second.init(&never()).await.unwrap();
    let again = second.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    assert_eq!(again.outputs, applied.outputs);
    let asked = |session: &Session| session.run_dir.join(Step::Output.folder()).exists();
    assert!(asked(&first) && !asked(&second), "who may read the state needs no other process");
    assert_eq!((again.changes.add, again.resources[0].action.as_str()), (0, "noop"));

    let third = deployment.attempt(3);
    third.init(&never()).await.unwrap();
    let destroyed = third.apply(Mode::Destroy, &never(), &mut |_| {}).await.unwrap();
    assert!(destroyed.outputs.is_empty() && destroyed.resources.is_empty());
    assert_eq!(destroyed.changes.remove, 1);
    assert!(deployment.state.resources().is_empty());
}

#[tokio::test]
async fn no_secret_is_left_on_the_disk() {
    let main = r#"output "secret" {
      value     = join("-", ["hush", "output"])
      sensitive = true
    }"#;
    let deployment = Deployment::of(main).await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    let applied = session.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    assert_eq!(applied.outputs["secret"].value, "hush-output");
    let files = files(deployment.folder.path());
    assert!(files.iter().any(|file| file.ends_with("2-apply/stdout.jsonl")));
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("hush-password") && !text.contains("hush-output"), "{}", file.display());
    }
}

#[tokio::test]
async fn a_failure_half_way_names_file_and_line_and_keeps_the_state() {
    let deployment = Deployment::of(
        r#"resource "terraform_data" "first" {}
resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "echo no room left; exit 3" }
}
"#,
    )
    .await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    let error = session.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap_err();
    let diagnostic = &error.diagnostics()[0];
    assert_eq!((diagnostic.file.as_deref(), diagnostic.line), (Some("main.tf"), Some(4)));
    let text = error.to_string();
    assert!(
        text.starts_with("terraform apply ended with exit code 1\nmain.tf:4: local-exec provisioner error"),
        "{text}"
    );
    assert!(text.contains("no room left"), "{text}");
    assert_eq!(deployment.state.resources(), ["terraform_data.first", "terraform_data.second"]);

    deployment.write("main.tf", r#"resource "terraform_data" "first" {}"#);
    let corrected = deployment.attempt(2);
    corrected.init(&never()).await.unwrap();
    corrected.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    assert_eq!(deployment.state.resources(), ["terraform_data.first"]);
}

#[tokio::test]
async fn a_bundle_that_does_not_parse_fails_in_init_with_its_place() {
    let deployment = Deployment::of("resource \"terraform_data\" \"x\" {\n").await;
    let error = deployment.attempt(1).init(&never()).await.unwrap_err().to_string();
    assert!(
        error.starts_with("terraform init ended with exit code 1\nmain.tf:1: Unclosed configuration block"),
        "{error}"
    );
}

#[tokio::test]
async fn an_interrupted_apply_ends_gracefully_and_frees_the_lock() {
    let main = r#"resource "terraform_data" "slow" {
      provisioner "local-exec" { command = "sleep 30" }
    }"#;
    let deployment = Deployment::of(main).await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    let (stop, began) = (CancellationToken::new(), Instant::now());
    let mut log = String::new();
    let mut on_event = |event: &Event| {
        log.extend(event.human());
        if matches!(event.kind, EventKind::Provision(Phase::Progress, _)) {
            stop.cancel();
        }
    };
    let error = session.apply(Mode::Apply, &stop, &mut on_event).await.unwrap_err();
    assert!(matches!(error, TerraformError::Interrupted { step: Step::Apply, .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(!log.contains("Two interrupts"), "{log}");
    assert!(deployment.state.kept(|kept| kept.lock.is_none()));
    assert_eq!(deployment.state.resources(), ["terraform_data.slow"]);
}

#[tokio::test]
async fn a_deployment_that_is_stopped_before_its_apply_never_starts_terraform() {
    let deployment = Deployment::of("").await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let error = session.apply(Mode::Apply, &stop, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, TerraformError::Stopped { step: Step::Apply }), "{error:?}");
    assert!(!session.run_dir.join(Step::Apply.folder()).exists());
}

#[tokio::test]
async fn an_agent_that_comes_back_finds_its_apply_and_every_event_of_it() {
    let main = r#"resource "terraform_data" "slow" {
      provisioner "local-exec" { command = "sleep 1" }
    }"#;
    let deployment = Deployment::of(main).await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    let stop = never();
    let mut ignore = |_: &Event| {};
    let first = session.apply(Mode::Apply, &stop, &mut ignore);
    tokio::time::timeout(Duration::from_millis(500), first).await.unwrap_err();

    let mut kinds = Vec::new();
    let later = deployment.attempt(1);
    later.init(&never()).await.unwrap();
    let applied = later.apply(Mode::Apply, &never(), &mut |event| kinds.push(event.kind.clone())).await.unwrap();
    assert_eq!(applied.changes.add, 1);
    assert!(matches!(kinds.first(), Some(EventKind::Version { .. })));
    assert_eq!(deployment.state.kept(|kept| kept.locks), 1, "terraform ran once");

    let finished = deployment.attempt(1).apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    assert_eq!(finished, applied);
    assert_eq!(deployment.state.kept(|kept| kept.locks), 1, "a finished step is read, not run");
}

#[tokio::test]
async fn terraform_sees_only_the_environment_that_was_built() {
    let main = r#"resource "terraform_data" "env" {
      provisioner "local-exec" { command = "cat /proc/$PPID/environ > environ" }
    }"#;
    let deployment = Deployment::of(main).await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    session.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    let seen = fs::read_to_string(session.work_dir.join("environ")).unwrap();
    let seen: BTreeMap<String, String> = seen
        .split_terminator('\0')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(seen, session.env);
}

#[tokio::test]
async fn an_override_file_that_moves_the_state_is_caught_after_init() {
    let deployment = Deployment::of(r#"resource "terraform_data" "x" {}"#).await;
    deployment.write("zzzzz_override.tf", "terraform {\n  backend \"local\" { path = \"mine.tfstate\" }\n}\n");
    let error = deployment.attempt(1).init(&never()).await.unwrap_err();
    assert!(matches!(error, TerraformError::BackendNotOurs { .. }), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("found local mine.tfstate") && error.contains(&deployment.state.address), "{error}");
}

#[tokio::test]
async fn an_author_s_own_backend_is_overridden_without_touching_their_file() {
    let main = "terraform {\n  backend \"s3\" {}\n}\nresource \"terraform_data\" \"x\" {}\n";
    let deployment = Deployment::of(main).await;
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    session.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    assert_eq!(deployment.state.resources(), ["terraform_data.x"]);
    assert_eq!(fs::read_to_string(session.work_dir.join("main.tf")).unwrap(), main);
}

#[tokio::test]
async fn a_state_that_could_not_be_saved_is_named_with_its_file() {
    let deployment = Deployment::of(r#"resource "terraform_data" "x" {}"#).await;
    deployment.state.kept(|kept| kept.refuse_writes = true);
    let session = deployment.attempt(1);
    session.init(&never()).await.unwrap();
    let error = session.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap_err();
    let TerraformError::StateAtRisk { file, .. } = &error else { panic!("{error:?}") };
    assert!(fs::read_to_string(file).unwrap().contains("terraform_data"), "{error}");
}

#[test]
fn a_missing_terraform_is_named_with_the_way_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    for error in [find(None, empty.path().as_os_str()), find(Some(&empty.path().join("tf")), "/usr/bin".as_ref())] {
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("terraform was not found: looked for "), "{error}");
        assert!(error.contains("developer.hashicorp.com/terraform/install"), "{error}");
    }
}

#[test]
fn an_old_terraform_and_a_stranger_by_its_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let says = |text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("terraform");
        fs::write(&path, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        find(None, folder.path().as_os_str()).unwrap_err().to_string()
    };
    let old = says(r#"{"terraform_version":"1.4.6"}"#);
    assert!(old.contains("is version 1.4.6, older than 1.5.0 (install Terraform 1.5.0 or newer)"), "{old}");
    let stranger = says("hello");
    assert!(stranger.contains("doesn't answer `version -json` like Terraform: hello"), "{stranger}");
}

#[tokio::test]
async fn a_saved_plan_destroys_what_it_says_and_no_other_file_will_do() {
    let deployment = Deployment::of(r#"resource "terraform_data" "one" {}"#).await;
    let first = deployment.attempt(1);
    first.init(&never()).await.unwrap();
    first.apply(Mode::Apply, &never(), &mut |_| {}).await.unwrap();
    let second = deployment.attempt(2);
    second.init(&never()).await.unwrap();
    let plan = second.plan(Mode::Destroy, &never(), &mut |_| {}).await.unwrap();
    assert_eq!((plan.summary().as_str(), plan.differs), ("0 to add, 0 to change, 1 to destroy", true));
    let file = fs::read(second.plan_file()).unwrap();
    assert_eq!(plan.digest, hex::encode(Sha256::digest(&file)));
    assert!(second.show_plan(&never()).await.unwrap().contains("terraform_data.one will be destroyed"));
    let other = second.apply_plan(Mode::Destroy, &"0".repeat(64), &never(), &mut |_| {}).await;
    assert!(matches!(other, Err(TerraformError::OtherPlan { .. })), "{other:?}");
    let destroyed = second.apply_plan(Mode::Destroy, &plan.digest, &never(), &mut |_| {}).await.unwrap();
    assert!(destroyed.outputs.is_empty() && destroyed.resources.is_empty());
    assert_eq!(destroyed.changes.remove, 1);
    assert!(deployment.state.resources().is_empty());
    // It may still be shown; whoever has it shown says when it goes.
    second.forget_plan().unwrap();
    assert!(!second.plan_file().exists(), "it holds secrets");
}
