//! An agent dies with its Terraform in the middle of an apply, and leaves the state locked.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_proton::types::{DeploymentStatus, DeploymentUpdateType};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, ask, environment_bundle, eventually, spec};
use crate::support::plane::{Plane, Start, agent, agent_folder};
use crate::support::process::Running;

/// The first apply makes one resource and then hangs for ever; later ones go through.
const HANGS_ONCE: &str = r#"
resource "terraform_data" "first" {
  input = "made before the end"
}

resource "terraform_data" "second" {
  depends_on = [terraform_data.first]

  provisioner "local-exec" {
    command = "if mkdir '${var.environment.inputs.folder}/hung'; then sleep 600; fi"
  }
}

output "First" {
  value = terraform_data.first.output
}
"#;

/// A lease of seconds, so that a test lives to see its end.
const LEASE: u64 = 2;

/// A plane with an environment whose agent is dead, its Terraform and its supervisor too.
pub(crate) struct Scene {
    pub(crate) plane: Plane,
    pub(crate) user: Client,
    _folder: TempDir,
}

impl Scene {
    pub(crate) async fn play() -> Self {
        let settings = format!("lease_seconds = {LEASE}\n");
        let plane = Plane::serve(Start { settings, ..Start::default() });
        let folder = tempfile::tempdir().unwrap();
        let user = Client::of(&plane).await;
        user.environment_template("hangs", environment_bundle(&["folder"], HANGS_ONCE)).await;
        let mut victim = agent(&plane, "victim", &Start::default());
        user.create_environment("dev", "hangs", &format!("folder: {}", folder.path().display())).await;
        eventually(async || folder.path().join("hung").exists()).await;
        // What the run has done must have left the host; a run that nobody can tell of blocks its target (see settle.rs).
        eventually(async || shipped(&user).await.contains("terraform_data.second: Creating")).await;
        kill_all(&mut victim, &agent_folder(&plane, "victim"));
        Self { plane, user, _folder: folder }
    }

    pub(crate) fn agent(&self, name: &str) -> Running {
        agent(&self.plane, name, &Start::default())
    }

    /// Whether the server has taken a lock from a dead run: for its heir, or by itself.
    fn lock_was_freed(&mut self) -> bool {
        let said = self.plane.process().stderr();
        said.contains("passes on: its run is over") || said.contains(" is released")
    }

    pub(crate) async fn update(&self) {
        let update = self.user.proton.update_environment().name("dev");
        ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion));
    }

    async fn cancelled(&self) {
        // As long as its lease lives, a dead agent is waited for.
        tokio::time::sleep(Duration::from_secs(LEASE + 1)).await;
        ask!(self.user.proton.cancel_environment_deployment().environment_name("dev"));
        let (status, message) = self.user.settled("dev").await;
        assert_eq!(status, DeploymentStatus::Cancelled, "{message}");
    }
}

/// The events of all runs that have arrived in the bucket.
async fn shipped(user: &Client) -> String {
    let mut text = String::new();
    let listed = user.s3.list_objects_v2().bucket("hadron").prefix("runs/").send().await.unwrap();
    for key in listed.contents().iter().filter_map(|object| object.key()).filter(|key| key.contains("/events/")) {
        let piece = user.s3.get_object().bucket("hadron").key(key).send().await.unwrap();
        text += &String::from_utf8_lossy(&piece.body.collect().await.unwrap().into_bytes());
    }
    text
}

/// Ends an agent as a power cut would: itself, the supervisor, Terraform and what Terraform has started.
pub(crate) fn kill_all(agent: &mut Running, folder: &Path) {
    agent.kill();
    let terraform = terraform(folder);
    kill_process(parent(terraform), Signal::KILL).unwrap();
    kill_process_group(terraform, Signal::KILL).unwrap();
}

/// The process of the apply.
pub(crate) fn terraform(folder: &Path) -> Pid {
    let below = |path: &PathBuf| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let attempts: Vec<PathBuf> = below(&folder.join("data/runs")).iter().flat_map(below).collect();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let apply = below(&attempts[0]).into_iter().find(|step| step.to_string_lossy().ends_with("-apply")).unwrap();
    let process: Value = serde_json::from_slice(&fs::read(apply.join("pid.json")).unwrap()).unwrap();
    pid(process["pid"].as_i64().unwrap())
}

/// Field 4 of proc(5)'s stat, behind the name in brackets.
pub(crate) fn parent(of: Pid) -> Pid {
    let stat = fs::read_to_string(format!("/proc/{}/stat", of.as_raw_nonzero())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    pid(fields[1].parse().unwrap())
}

fn pid(number: i64) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_agent_finishes_what_a_dead_one_began() {
    let mut scene = Scene::play().await;
    let _heir = scene.agent("heir");
    scene.user.deployed("dev").await;
    assert_eq!(scene.user.outputs("dev").await["First"], "made before the end");
    assert!(scene.lock_was_freed(), "the dead run had the lock");
    // The lock that the heir took over is free again.
    scene.update().await;
    scene.user.deployed("dev").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_that_comes_back_goes_on_and_leaves_no_lock() {
    let scene = Scene::play().await;
    let _back = scene.agent("victim");
    scene.user.deployed("dev").await;
    assert_eq!(scene.user.outputs("dev").await["First"], "made before the end");
    let began = std::time::Instant::now();
    scene.update().await;
    scene.user.deployed("dev").await;
    assert!(began.elapsed() < Duration::from_secs(LEASE * 4), "nobody waited for the dead run's lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_agent_left_can_be_updated() {
    let mut scene = Scene::play().await;
    scene.cancelled().await;
    let _heir = scene.agent("heir");
    let update = scene.user.proton.update_environment().name("dev").spec(spec("folder: /nowhere"));
    ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion));
    scene.user.deployed("dev").await;
    assert_eq!(scene.user.outputs("dev").await["First"], "made before the end");
    assert!(scene.lock_was_freed(), "the dead run had the lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_agent_left_can_be_deleted() {
    let mut scene = Scene::play().await;
    scene.cancelled().await;
    let _heir = scene.agent("heir");
    ask!(scene.user.proton.delete_environment().name("dev"));
    scene.user.gone("dev").await;
    assert!(scene.lock_was_freed(), "the dead run had the lock");
}
