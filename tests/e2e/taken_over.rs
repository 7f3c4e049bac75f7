//! An agent dies in the middle of an apply and is started again: it has the run back within two seconds, and no byte of
//! the log is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_proton::types::DeploymentStatus;
use serde_json::Value;

use crate::client::{Client, environment_bundle, eventually};
use crate::support::plane::{Plane, Start, agent, agent_folder, hadron};
use crate::support::process::Running;

/// Talks all the time, until it is let go.
const TALKS: &str = r#"
resource "terraform_data" "talks" {
  provisioner "local-exec" {
    command = "cd '${var.environment.inputs.folder}' && echo ran >> count && i=0; while ! test -e go; do i=$((i+1)); echo line $i; sleep 0.02; done"
  }
}
"#;

/// What the promise is.
const SOON: Duration = Duration::from_secs(2);

struct Scene {
    plane: Plane,
    user: Client,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn play() -> Self {
        let plane = Plane::serve(Start::default());
        let folder = tempfile::tempdir().unwrap();
        let user = Client::of(&plane).await;
        user.environment_template("talks", environment_bundle(&["folder"], TALKS)).await;
        Self { plane, user, folder }
    }

    async fn begins(&self) {
        self.user.create_environment("dev", "talks", &format!("folder: {}", self.folder.path().display())).await;
        eventually(async || self.file("count").exists()).await;
    }

    fn agent(&self) -> Running {
        agent(&self.plane, "a", &Start::default())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The one run's directory.
    fn run_dir(&self) -> PathBuf {
        let folders = |path: PathBuf| fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir());
        let only = |path: PathBuf| folders(path).next().unwrap();
        only(only(agent_folder(&self.plane, "a").join("data/runs")))
    }

    fn run(&self) -> Value {
        let mut runs = hadron("runs", &Start::default(), self.plane.data().parent().unwrap());
        runs.env("HADRON_ENDPOINT", self.plane.endpoint()).args(["--output", "json"]);
        let told = runs.output().unwrap();
        serde_json::from_slice::<Value>(&told.stdout).unwrap()[0].clone()
    }

    fn events(&self, deployment: &str) -> Vec<u8> {
        let mut logs = hadron("logs", &Start::default(), self.plane.data().parent().unwrap());
        logs.env("HADRON_ENDPOINT", self.plane.endpoint()).args([deployment, "--events"]);
        logs.output().unwrap().stdout
    }
}

/// Waits until an agent that was started at `began` has a run back, and says how long it took.
async fn taken_over(agent: &Running, began: Instant) -> Duration {
    while !agent.stderr().contains("came back to the run of the environment dev") {
        assert!(began.elapsed() < Duration::from_secs(30), "it doesn't come back:\n{}", agent.stderr());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_was_killed_has_its_run_back_within_two_seconds_and_loses_no_byte() {
    let scene = Scene::play().await;
    let mut agent = scene.agent();
    scene.begins().await;
    let epoch = scene.run()["epoch"].clone();
    for pause in [10, 400, 1500] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        // Its poll is being held at this moment, as always when it has a hand free.
        agent.kill();
        let began = Instant::now();
        agent = scene.agent();
        let took = taken_over(&agent, began).await;
        assert!(took < SOON, "taken over after {took:?}");
    }
    fs::write(scene.file("go"), "").unwrap();
    scene.user.deployed("dev").await;
    let run = scene.run();
    assert_eq!(run["epoch"], epoch, "the same agent keeps its epoch");
    assert_eq!(fs::read_to_string(scene.file("count")).unwrap(), "ran\n", "it was applied once");
    // `logs --events` leaves out what isn't JSON.
    let step = |name: &str| fs::read_to_string(scene.run_dir().join(name).join("stdout.jsonl")).unwrap();
    let written = [step("1-init"), step("2-apply")].concat();
    let written: String = written.split_inclusive('\n').filter(|line| line.starts_with('{')).collect();
    let shipped = scene.events(run["deploymentId"].as_str().unwrap());
    assert_eq!(shipped.len(), written.len());
    assert!(shipped == written.as_bytes(), "what was shipped is what Terraform wrote");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ended_while_its_agent_was_dead_is_reported_within_two_seconds() {
    let scene = Scene::play().await;
    let mut agent = scene.agent();
    scene.begins().await;
    agent.kill();
    fs::write(scene.file("go"), "").unwrap();
    let exit = scene.run_dir().join("2-apply/exit.json");
    eventually(async || Path::exists(&exit)).await;
    let began = Instant::now();
    let _agent = scene.agent();
    while scene.user.environment("dev").await.0 == DeploymentStatus::InProgress {
        assert!(began.elapsed() < SOON, "nobody has reported it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(scene.user.environment("dev").await.0, DeploymentStatus::Succeeded);
}
