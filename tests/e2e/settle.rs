//! Unclean ends with the real AWS provider: whatever dies, what was made is in the state afterwards, once.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use aws_sdk_proton::types::{DeploymentStatus, DeploymentUpdateType};
use rustix::process::{Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, ask, environment_bundle, eventually, spec};
use crate::dead_agent::{kill_all, terraform};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, agent, agent_folder, binary};
use crate::support::process::Running;
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// Queues with names that AWS makes up, so that a second one of each would be noticed; then the first apply hangs.
const QUEUES: &str = r#"
resource "aws_sqs_queue" "queue" {
  count       = 2
  name_prefix = "q${count.index}-"
}

resource "terraform_data" "hang" {
  depends_on = [aws_sqs_queue.queue]

  provisioner "local-exec" {
    command = "if mkdir '${var.environment.inputs.folder}/hung'; then sleep 600; fi"
  }
}

output "Queues" {
  value = aws_sqs_queue.queue[*].id
}
"#;

/// A role at an endpoint that never answers.
const ROLE: &str = r#"
resource "aws_sqs_queue" "queue" {
  name_prefix = "q-"
}

resource "aws_iam_role" "slow" {
  count              = var.environment.inputs.roles
  name_prefix        = "r-"
  assume_role_policy = "{}"
  depends_on         = [aws_sqs_queue.queue]
}
"#;

const LEASE: u64 = 2;

struct Scene {
    moto: Moto,
    plane: Plane,
    user: Client,
    folder: TempDir,
    /// Where IAM is said to be: it takes connections and never answers.
    silent: TcpListener,
}

impl Scene {
    async fn new(template: &str) -> Self {
        let moto = Moto::start(Tools::get());
        let settings = format!("lease_seconds = {LEASE}\n");
        let plane = Plane::serve(Start { settings, ..Start::default() });
        let user = Client::of(&plane).await;
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let iam = format!("http://{}", silent.local_addr().unwrap());
        let provider = format!(
            "provider \"aws\" {{\n  region = \"us-east-1\"\n  access_key = \"test\"\n  secret_key = \"test\"\n  \
             skip_credentials_validation = true\n  skip_metadata_api_check = true\n  skip_requesting_account_id = \
             true\n  endpoints {{\n    sqs = \"{0}\"\n    sts = \"{0}\"\n    ec2 = \"{0}\"\n    iam = \"{iam}\"\n  \
             }}\n}}\n",
            moto.endpoint()
        );
        let bundle = environment_bundle(&["folder", "roles"], &format!("{provider}{template}"));
        user.environment_template("queues", bundle).await;
        Self { moto, plane, user, folder: tempfile::tempdir().unwrap(), silent }
    }

    fn agent(&self, name: &str) -> Running {
        let rc = Tools::get().terraform_rc();
        let settings = format!("[terraform]\ncli_config = {:?}\n", rc.display().to_string());
        agent(&self.plane, name, &Start { settings, ..Start::default() })
    }

    async fn create(&self) {
        let inputs = format!("folder: {}\nroles: \"1\"", self.folder.path().display());
        self.user.create_environment("dev", "queues", &inputs).await;
    }

    async fn hung(&self) {
        eventually(async || self.folder.path().join("hung").exists()).await;
    }

    async fn update(&self, roles: u32) {
        let update = self.user.proton.update_environment().name("dev");
        let inputs = format!("folder: {}\nroles: \"{roles}\"", self.folder.path().display());
        ask!(update.spec(spec(&inputs)).deployment_type(DeploymentUpdateType::CurrentVersion));
    }

    /// The queues that exist.
    fn queues(&self) -> BTreeSet<String> {
        let list = "import boto3, json; print(json.dumps(boto3.client('sqs').list_queues().get('QueueUrls', [])))";
        let found = self.moto.boto3(Tools::get(), list);
        found.as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
    }

    async fn outputs_are_the_queues_that_exist(&self) {
        let outputs = self.user.outputs("dev").await;
        let told: BTreeSet<String> =
            serde_json::from_str::<Vec<String>>(&outputs["Queues"]).unwrap().into_iter().collect();
        assert_eq!(told, self.queues());
        assert_eq!(told.len(), 2, "none was made twice");
    }

    /// Runs a command as it was printed.
    fn run(&self, command: &str) -> String {
        let shell = Shell::new(Tools::get(), self.plane.exported());
        shell.ok(&format!("PATH={}:$PATH\n{command}", binary().parent().unwrap().display()))
    }

    /// The target's blocks and locks, as the server tells them.
    fn state(&self) -> Value {
        serde_json::from_str(&self.run("hadron state show environment/dev --output json")).unwrap()
    }
}

fn kill_terraform(folder: &Path) {
    kill_process(terraform(folder), Signal::KILL).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_terraform_had_made_is_adopted_and_its_deployment_fails() {
    let scene = Scene::new(QUEUES).await;
    let _agent = scene.agent("one");
    scene.create().await;
    scene.hung().await;
    kill_terraform(&agent_folder(&scene.plane, "one"));
    let (status, message) = scene.user.settled("dev").await;
    assert_eq!(status, DeploymentStatus::Failed);
    for words in ["killed by signal 9", "aws_sqs_queue.queue[0] (http", "adopted", "update again"] {
        assert!(message.contains(words), "{words} is missing in: {message}");
    }
    assert_eq!(scene.state()["lock"], Value::Null, "{}", scene.state());
    scene.update(1).await;
    scene.user.deployed("dev").await;
    scene.outputs_are_the_queues_that_exist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_lost_its_terraform_goes_on_when_it_is_back() {
    let scene = Scene::new(QUEUES).await;
    let mut victim = scene.agent("one");
    scene.create().await;
    scene.hung().await;
    kill_all(&mut victim, &agent_folder(&scene.plane, "one"));
    let _back = scene.agent("one");
    scene.user.deployed("dev").await;
    scene.outputs_are_the_queues_that_exist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_host_vanishes_before_its_journal_has_left_it_whatever_may_exist_is_named() {
    let scene = Scene::new(QUEUES).await;
    let mut victim = scene.agent("one");
    scene.create().await;
    scene.hung().await;
    kill_all(&mut victim, &agent_folder(&scene.plane, "one"));
    fs::remove_dir_all(agent_folder(&scene.plane, "one")).unwrap();
    let existing = scene.queues();
    let _heir = scene.agent("two");
    let (status, message) = scene.user.settled("dev").await;
    // Whether the journal was shipped by then is chance. What counts is that nothing is made twice.
    if status == DeploymentStatus::Failed {
        assert!(message.contains("aws_sqs_queue.queue[1]: "), "{message}");
        let id = |place: &str| existing.iter().find(|url| url.contains(place)).unwrap();
        scene.run(&format!(
            "hadron state adopt environment/dev 'aws_sqs_queue.queue[0]={}' 'aws_sqs_queue.queue[1]={}'",
            id("/q0-"),
            id("/q1-")
        ));
        scene.update(1).await;
        scene.user.deployed("dev").await;
    }
    assert_eq!(scene.queues(), existing);
    scene.outputs_are_the_queues_that_exist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_host_vanishes_another_agent_goes_on_from_lock_state_and_journal() {
    let scene = Scene::new(QUEUES).await;
    let mut victim = scene.agent("one");
    scene.create().await;
    scene.hung().await;
    // Until the journal has left the host.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    kill_all(&mut victim, &agent_folder(&scene.plane, "one"));
    fs::remove_dir_all(agent_folder(&scene.plane, "one")).unwrap();
    let _heir = scene.agent("two");
    scene.user.deployed("dev").await;
    scene.outputs_are_the_queues_that_exist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_exist_blocks_the_target_until_the_printed_command_is_run() {
    let scene = Scene::new(ROLE).await;
    let _agent = scene.agent("one");
    scene.create().await;
    let silent = scene.silent.try_clone().unwrap();
    let _asked = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    let folder = agent_folder(&scene.plane, "one");
    kill_process_group(terraform(&folder), Signal::KILL).unwrap();
    let (status, message) = scene.user.settled("dev").await;
    assert_eq!(status, DeploymentStatus::Failed);
    assert!(message.contains("aws_iam_role.slow[0]: its creation had begun"), "{message}");
    let command = message.lines().find(|line| line.trim_start().starts_with("hadron state ")).unwrap().trim();
    assert!(scene.state()["blocked"].is_object(), "{}", scene.state());
    scene.run(command);
    assert_eq!(scene.state()["blocked"], Value::Null, "{command}: {}", scene.state());
    scene.update(0).await;
    scene.user.deployed("dev").await;
    assert_eq!(scene.queues().len(), 1, "the queue that was made before is the one");
}
