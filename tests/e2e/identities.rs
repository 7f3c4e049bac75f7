//! Two identities, never mixed: Hadron's key goes to Hadron, AWS's to AWS, and neither to Terraform's child processes
//! under a wrong name. And what AWS hears of who asks.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;

use crate::client::{Client, ask, environment_bundle};
use crate::proxy::{Middle, Proxy};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, agent, agent_folder, free_port};
use crate::support::tools::Tools;

const AWS: (&str, &str) = ("AKIDOFTHEAGENTATAWS", "secret-of-the-agent-at-aws");
/// What an operator has Terraform say.
const SITE: &str = "shop-platform/3";
const SERVER: (&str, &str) = ("AKIDOFTHESERVER", "secret-of-the-server");

/// One real resource of AWS, and everything that a child of Terraform can see.
const LOG_GROUP: &str = r#"
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 3.39"
    }
  }
}

provider "aws" {}

resource "aws_cloudwatch_log_group" "jobs" {
  name = "${var.environment.name}-jobs"

  provisioner "local-exec" {
    command = "cd '${var.environment.inputs.folder}'; env > seen; cat ~/.aws/sso/cache/corp.json >> seen || true"
  }
}

output "LogGroup" {
  value = aws_cloudwatch_log_group.jobs.name
}
"#;

/// Who asked, by what was asked; and what Terraform and its providers said of themselves, by the same.
#[derive(Default)]
struct Recorder(Mutex<BTreeMap<String, BTreeSet<String>>>, Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Middle for Recorder {
    fn request(&self, request: &mut Request<Bytes>) -> bool {
        let header = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let (service, who) = identity(header.as_deref().unwrap_or("nobody"));
        let said = request.headers().get("user-agent").map_or("", |value| value.to_str().unwrap());
        if said.contains("Terraform") {
            self.1.lock().unwrap().entry(service.clone()).or_default().insert(said.to_owned());
        }
        self.0.lock().unwrap().entry(service).or_default().insert(who);
        true
    }
}

/// The signed service and the access key, or `basic` and the user's name.
fn identity(authorization: &str) -> (String, String) {
    if let Some(encoded) = authorization.strip_prefix("Basic ") {
        let text = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        return ("basic".into(), text.split_once(':').unwrap().0.to_owned());
    }
    let scope = authorization.split_once("Credential=").map_or(authorization, |it| it.1);
    let scope: Vec<&str> = scope.split(',').next().unwrap().split('/').collect();
    (scope.get(3).copied().unwrap_or("unsigned").to_owned(), scope[0].to_owned())
}

impl Recorder {
    /// Who asked for what, since the last time.
    fn heard(&self) -> BTreeMap<String, BTreeSet<String>> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Whether each request of Terraform's for these services says, after what the site says, that it comes of Hadron,
    /// and of which deployment.
    fn check_user_agents(&self, services: &[&str], deployment: &str) {
        let said = std::mem::take(&mut *self.1.lock().unwrap());
        let ours = format!(" {SITE} hadron/{} deployment/{deployment}", env!("CARGO_PKG_VERSION"));
        for service in services {
            let all = said.get(*service).unwrap_or_else(|| panic!("no {service}: {said:?}"));
            assert!(all.iter().all(|one| one.contains(&ours)), "{all:?}");
        }
    }
}

struct Scene {
    moto: Moto,
    aws: Arc<Recorder>,
    to_aws: Proxy,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Self {
        let moto = tokio::task::block_in_place(|| Moto::start(Tools::get()));
        let aws = Arc::new(Recorder::default());
        let upstream = moto.endpoint().strip_prefix("http://").unwrap().to_owned();
        let to_aws = Proxy::start(upstream, &aws).await;
        let folder = tempfile::tempdir().unwrap();
        let at = to_aws.url();
        let overlay = format!(
            "provider \"aws\" {{\n  skip_metadata_api_check = true\n  endpoints {{\n    cloudwatchlogs = {at:?}\n    sts = {at:?}\n    ec2 = {at:?}\n    \
             iam = {at:?}\n  }}\n}}\n"
        );
        fs::create_dir(folder.path().join("overlay")).unwrap();
        fs::write(folder.path().join("overlay/provider_override.tf"), overlay).unwrap();
        Self { moto, aws, to_aws, folder }
    }

    /// The agent's settings and environment: AWS's endpoint and key are there under every name.
    fn agent(&self, settings: &str) -> Start {
        let settings = format!(
            "{settings}\n[terraform]\ncli_config = \"{}\"\n[environments.\"*\"]\noverlay = \"{}\"\n",
            Tools::get().terraform_rc().display(),
            self.folder.path().join("overlay").display(),
        );
        let mut env = environment(AWS);
        env.insert("AWS_ENDPOINT_URL".into(), "http://127.0.0.1:9".into());
        env.insert("AWS_ENDPOINT_URL_S3".into(), "http://127.0.0.1:9".into());
        env.insert("HADRON_OBJECTS_ENDPOINT".into(), self.to_aws.url());
        env.insert("TF_APPEND_USER_AGENT".into(), SITE.into());
        Start { settings, env, ..Start::default() }
    }

    /// What the environment's Terraform let its children see.
    fn seen(&self) -> String {
        fs::read_to_string(self.folder.path().join("seen")).unwrap()
    }
}

fn environment((id, secret): (&str, &str)) -> BTreeMap<String, String> {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [
        set("AWS_ACCESS_KEY_ID", id),
        set("AWS_SECRET_ACCESS_KEY", secret),
        set("AWS_REGION", "us-east-1"),
        set("AWS_EC2_METADATA_DISABLED", "true"),
        set("AWS_CONFIG_FILE", "/dev/null"),
        set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]
    .into()
}

fn key_of(plane: &Plane) -> (String, String) {
    (plane.exported()["AWS_ACCESS_KEY_ID"].clone(), plane.exported()["AWS_SECRET_ACCESS_KEY"].clone())
}

fn only(who: &str) -> BTreeSet<String> {
    BTreeSet::from([who.to_owned()])
}

async fn deploy(user: &Client, folder: &Path) {
    user.environment_template("logs", environment_bundle(&["folder"], LOG_GROUP)).await;
    user.create_environment("dev", "logs", &format!("folder: {}", folder.display())).await;
    user.deployed("dev").await;
    assert_eq!(user.outputs("dev").await["LogGroup"], "dev-jobs");
}

/// Hadron's endpoint and key reach no child, AWS's key does.
fn check_child(seen: &str, plane: &Plane, hadron: &str) {
    let (id, secret) = key_of(plane);
    for hidden in ["HADRON_", "AWS_ENDPOINT_URL", &id, &secret] {
        assert!(!seen.contains(hidden), "{hidden} reached Terraform:\n{seen}");
    }
    // The state server's address is Terraform's to know; it holds for this one state, under this run's own password.
    let other = |line: &&str| line.contains(hadron) && !line.starts_with("TF_HTTP_");
    let addressed: Vec<&str> = seen.lines().filter(other).collect();
    assert!(addressed.is_empty(), "Hadron's address reached Terraform: {addressed:?}");
    assert!(seen.contains(AWS.0) && seen.contains(AWS.1), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_hadron_keeps_is_asked_for_with_hadrons_key_and_aws_with_its_own() {
    let scene = Scene::set().await;
    let port = free_port();
    let hadron = Arc::new(Recorder::default());
    let to_hadron = Proxy::start(format!("127.0.0.1:{port}"), &hadron).await;
    let mut env = environment(SERVER);
    env.insert("HADRON_BASE_URL".into(), to_hadron.url());
    let plane = Plane::serve(Start { env, port, ..Start::default() });
    let key = key_of(&plane);
    // Around the proxy, which shall see the agent alone.
    let direct = format!("http://127.0.0.1:{port}");
    let user = Client::at(&direct, &key, (&direct, &key)).await;
    // Where `aws sso login` leaves what every client of AWS looks for below HOME.
    let mut start = scene.agent("");
    let home = agent_folder(&plane, "agent");
    fs::create_dir_all(home.join(".aws/sso/cache")).unwrap();
    fs::write(home.join(".aws/sso/cache/corp.json"), "the token of a single sign-on").unwrap();
    start.env.remove("AWS_CONFIG_FILE");
    let _agent = agent(&plane, "agent", &start);
    deploy(&user, scene.folder.path()).await;

    let deployments = ask!(user.proton.list_deployments()).deployments;
    let claim = format!("{}.1", deployments[0].id);
    let at_hadron = hadron.heard();
    let expected =
        BTreeMap::from([("proton".into(), only(&key.0)), ("s3".into(), only(&key.0)), ("basic".into(), only(&claim))]);
    assert_eq!(at_hadron, expected);
    let at_aws = scene.aws.heard();
    assert!(at_aws.contains_key("logs") && !at_aws.contains_key("s3"), "{at_aws:?}");
    assert!(at_aws.values().all(|who| *who == only(AWS.0)), "{at_aws:?}");
    scene.aws.check_user_agents(&["logs"], &deployments[0].id);
    assert!(scene.seen().contains("the token of a single sign-on"));
    check_child(&scene.seen(), &plane, &to_hadron.url());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn state_and_bundles_in_aws_are_asked_for_with_awss_key() {
    let scene = Scene::set().await;
    let port = free_port();
    let hadron = Arc::new(Recorder::default());
    let to_hadron = Proxy::start(format!("127.0.0.1:{port}"), &hadron).await;
    let servers = Arc::new(Recorder::default());
    let upstream = scene.moto.endpoint().strip_prefix("http://").unwrap().to_owned();
    let servers_to_aws = Proxy::start(upstream, &servers).await;
    let mut env = environment(SERVER);
    env.insert("HADRON_BASE_URL".into(), to_hadron.url());
    env.insert("HADRON_OBJECTS_ENDPOINT".into(), servers_to_aws.url());
    env.insert("HADRON_STATE".into(), "s3".into());
    let flags = vec!["--bucket".to_owned(), "s3://bundles".to_owned()];
    let plane = Plane::serve(Start { flags, env, port, ..Start::default() });
    let (key, users) = (key_of(&plane), ("AKIDOFTHEUSER".to_owned(), "secret".to_owned()));
    let user = Client::at(&format!("http://127.0.0.1:{port}"), &key, (scene.moto.endpoint(), &users)).await;
    ask!(user.s3.create_bucket().bucket("states"));
    let state = format!("[state]\nbackend = \"s3\"\nbucket = \"states\"\nendpoint = {:?}\n", scene.to_aws.url());
    let _agent = agent(&plane, "agent", &scene.agent(&state));
    deploy(&user, scene.folder.path()).await;

    assert_eq!(hadron.heard(), BTreeMap::from([("proton".into(), only(&key.0))]));
    let deployment = ask!(user.proton.list_deployments()).deployments[0].id.clone();
    let at_aws = scene.aws.heard();
    assert!(at_aws.contains_key("logs") && at_aws.contains_key("s3"), "{at_aws:?}");
    assert!(at_aws.values().all(|who| *who == only(AWS.0)), "{at_aws:?}");
    scene.aws.check_user_agents(&["logs", "s3"], &deployment);
    assert_eq!(servers.heard(), BTreeMap::from([("s3".into(), only(SERVER.0))]));
    check_child(&scene.seen(), &plane, &to_hadron.url());
}
