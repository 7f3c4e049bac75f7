//! `executor = pull-request`: an agent publishes what it rendered as a request, and a pipeline tells how it ended.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_proton::types::{DeploymentStatus, DeploymentUpdateType, ResourceDeploymentStatus};
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::HeaderMap;
use axum::routing::get;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::{Client, ask, environment_bundle};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, agent, hadron};

use crate::support::process::command;
use crate::support::tools::Tools;

/// GitHub's requests of one repository.
#[derive(Default)]
struct Forge {
    requests: Mutex<Vec<Value>>,
    /// Whether a request is opened and the answer never comes.
    hangs: Mutex<bool>,
}

impl Forge {
    async fn start() -> (Arc<Self>, String) {
        let forge = Arc::new(Self::default());
        let router = Router::new()
            .route("/repos/acme/infra/pulls", get(list).post(open))
            .route("/repos/acme/infra/pulls/{number}", get(one).patch(close))
            .with_state(Arc::clone(&forge));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (forge, address)
    }

    fn all(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    fn set(&self, number: usize, state: &str) {
        self.requests.lock().unwrap()[number - 1]["state"] = json!(state);
    }
}

async fn list(State(forge): State<Arc<Forge>>, uri: axum::http::Uri) -> String {
    let query = uri.query().unwrap_or_default().replace("%3A", ":").replace("%2D", "-").replace("%5F", "_");
    let open = |request: &&Value| request["state"] == "open" && query.contains(request["head"].as_str().unwrap());
    forge.all().iter().filter(open).cloned().collect::<Value>().to_string()
}

async fn open(State(forge): State<Arc<Forge>>, headers: HeaderMap, body: Bytes) -> String {
    let mut request: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(headers["authorization"], "Bearer token-of-the-forge");
    let hangs = {
        let mut requests = forge.requests.lock().unwrap();
        let number = requests.len() + 1;
        request["number"] = json!(number);
        request["state"] = json!("open");
        request["merged"] = json!(false);
        request["html_url"] = json!(format!("https://github.com/acme/infra/pull/{number}"));
        requests.push(request.clone());
        std::mem::take(&mut *forge.hangs.lock().unwrap())
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    request.to_string()
}

async fn one(State(forge): State<Arc<Forge>>, UrlPath(number): UrlPath<usize>) -> String {
    forge.all()[number - 1].to_string()
}

async fn close(State(forge): State<Arc<Forge>>, UrlPath(number): UrlPath<usize>) -> String {
    forge.set(number, "closed");
    forge.all()[number - 1].to_string()
}

struct Scene {
    plane: Plane,
    user: Client,
    forge: Arc<Forge>,
    folder: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Scene {
    /// An environment that was deployed once, and is published from now on.
    async fn play() -> Self {
        let plane = Plane::serve(Start::default());
        let user = Client::of(&plane).await;
        let main = "resource \"terraform_data\" \"one\" {\n  input = var.environment.inputs.command\n}\n";
        user.environment_template("zone", environment_bundle(&["command"], main)).await;
        user.create_environment("dev", "zone", "command: one").await;
        let (forge, api) = Forge::start().await;
        let folder = tempfile::tempdir().unwrap();
        let origin = folder.path().join("origin");
        fs::create_dir(&origin).unwrap();
        // The name that people give, and the folder that Git finds behind it.
        let config = format!("[url \"{}\"]\n  insteadOf = https://github.com/acme/infra.git\n", origin.display());
        fs::write(folder.path().join("gitconfig"), config).unwrap();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let env = [
            pair("GIT_CONFIG_GLOBAL", folder.path().join("gitconfig").display().to_string()),
            pair("HADRON_FORGE_API", api),
            pair("HADRON_FORGE_TOKEN", "token-of-the-forge".into()),
            pair("HADRON_FORGE_WATCH_SECONDS", "1".into()),
        ];
        let scene = Self { plane, user, forge, folder, env: env.into() };
        scene.git(&["init", "--quiet", "--initial-branch", "main"]);
        fs::write(scene.origin().join("README.md"), "# infra\n").unwrap();
        scene.git(&["add", "."]);
        scene.git(&["commit", "--quiet", "--message", "one"]);
        // So that the branch that is checked out here can be pushed to.
        scene.git(&["checkout", "--quiet", "--detach"]);
        scene.ended(ResourceDeploymentStatus::Succeeded).await;
        let set = ["dev", "pull-request", "--repository", "https://github.com/acme/infra.git"];
        assert_eq!(scene.hadron("executor", &set).0, 0);
        scene
    }

    fn origin(&self) -> PathBuf {
        self.folder.path().join("origin")
    }

    fn git(&self, words: &[&str]) -> String {
        let who = ["-c", "user.name=n", "-c", "user.email=n@example.com"];
        let mut git = command(Path::new("git"), &BTreeMap::new());
        let done = git.current_dir(self.origin()).args(who).args(words).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn hadron(&self, verb: &str, flags: &[&str]) -> (i32, String) {
        self.hadron_in(self.folder.path(), verb, flags, &BTreeMap::new())
    }

    fn hadron_in(&self, folder: &Path, verb: &str, flags: &[&str], more: &BTreeMap<String, String>) -> (i32, String) {
        let mut env = self.env.clone();
        env.extend(more.clone());
        let key = |name: &str| self.plane.exported()[name].clone();
        env.insert("HADRON_ENDPOINT".into(), self.plane.endpoint().into());
        env.insert("HADRON_ACCESS_KEY_ID".into(), key("AWS_ACCESS_KEY_ID"));
        env.insert("HADRON_SECRET_ACCESS_KEY".into(), key("AWS_SECRET_ACCESS_KEY"));
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let mut command = hadron(verb, &Start { flags, env, ..Start::default() }, self.folder.path());
        let told = command.current_dir(folder).output().unwrap();
        let text = [told.stdout, told.stderr].concat();
        (told.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// Publishes whatever waits, and looks at the requests.
    fn agent_once(&self) {
        let (code, said) = self.hadron("agent", &["--once"]);
        assert_eq!(code, 0, "{said}");
    }

    async fn update(&self, word: &str) -> String {
        let update =
            self.user.proton.update_environment().name("dev").deployment_type(DeploymentUpdateType::CurrentVersion);
        ask!(update.spec(format!("proton: EnvironmentSpec\nspec:\n  command: {word}\n")));
        let found = ask!(self.user.proton.get_environment().name("dev")).environment.unwrap();
        found.last_attempted_deployment_id.unwrap()
    }

    /// What a pipeline tells.
    async fn ended(&self, status: ResourceDeploymentStatus) {
        let arn = "arn:aws:proton:us-east-1:123456789012:environment/dev";
        let notify = self.user.proton.notify_resource_deployment_status_change().resource_arn(arn);
        let found = ask!(self.user.proton.get_environment().name("dev")).environment.unwrap();
        ask!(notify.deployment_id(found.last_attempted_deployment_id.unwrap()).status(status));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rendered_becomes_a_request_and_waits_for_the_pipeline() {
    let scene = Scene::play().await;
    let id = scene.update("two").await;
    scene.agent_once();
    let requests = scene.forge.all();
    assert_eq!(requests.len(), 1);
    let branch = format!("proton--proton-environment-{id}");
    assert_eq!((&requests[0]["head"], &requests[0]["base"]), (&json!(branch), &json!("main")));
    assert_eq!(requests[0]["title"], "Update requested for Proton - environment/dev");
    let metadata = scene.git(&["show", &format!("{branch}:dev/.proton/deployment-metadata.json")]);
    assert!(metadata.contains(&id), "{metadata}");
    let listed = scene.git(&["ls-tree", "-r", "--name-only", &branch]);
    assert!(listed.contains("dev/main.tf") && listed.contains("dev/proton.auto.tfvars.json"), "{listed}");
    let (status, message) = scene.user.environment("dev").await;
    assert_eq!(status, DeploymentStatus::InProgress);
    assert!(message.contains("https://github.com/acme/infra/pull/1"), "{message}");

    scene.agent_once();
    assert_eq!(scene.forge.all().len(), 1, "it is nobody's to claim any more");
    assert_eq!(scene.user.environment("dev").await.0, DeploymentStatus::InProgress);

    // What the merge's pipeline does.
    let moto = tokio::task::block_in_place(|| Moto::start(Tools::get()));
    moto.boto3(Tools::get(), "import boto3; boto3.client('s3').create_bucket(Bucket='team-state'); print('{}')");
    let mut clone = command(Path::new("git"), &BTreeMap::new());
    let there = scene.folder.path().join("merged");
    let cloned =
        clone.args(["clone", "--quiet", "--branch", &branch]).arg(scene.origin()).arg(&there).status().unwrap();
    assert!(cloned.success());
    fs::write(there.join("env_config.json"), r#"{"*": {"region": "us-east-1", "state_bucket": "team-state"}}"#)
        .unwrap();
    let mut aws = moto.env();
    aws.remove("AWS_ENDPOINT_URL");
    aws.insert("HADRON_STATE_ENDPOINT".into(), moto.endpoint().into());
    let (code, said) = scene.hadron_in(&there, "run", &["dev", "--apply"], &aws);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("notified SUCCEEDED"), "{said}");
    assert_eq!(scene.user.environment("dev").await.0, DeploymentStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_closed_calls_its_deployment_off_and_the_other_way_round() {
    let scene = Scene::play().await;
    scene.update("two").await;
    scene.agent_once();
    scene.forge.set(1, "closed");
    scene.agent_once();
    let (status, message) = scene.user.environment("dev").await;
    assert_eq!(status, DeploymentStatus::Cancelled);
    assert!(message.contains("closed without being merged"), "{message}");

    scene.update("three").await;
    scene.agent_once();
    ask!(scene.user.proton.cancel_environment_deployment().environment_name("dev"));
    assert_eq!(scene.user.environment("dev").await.0, DeploymentStatus::Cancelled);
    assert_eq!(scene.forge.all()[1]["state"], "open");
    scene.agent_once();
    assert_eq!(scene.forge.all()[1]["state"], "closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_dies_before_it_has_told_opens_no_second_request() {
    let scene = Scene::play().await;
    *scene.forge.hangs.lock().unwrap() = true;
    let id = scene.update("two").await;
    let start = || Start { env: scene.env.clone(), ..Start::default() };
    let mut first = agent(&scene.plane, "agent", &start());
    while scene.forge.all().is_empty() {
        assert!(first.exited().is_none(), "{}", first.stderr());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.kill();
    let second = agent(&scene.plane, "agent", &start());
    loop {
        let (status, message) = scene.user.environment("dev").await;
        assert_eq!(status, DeploymentStatus::InProgress, "{message}\n{}", second.stderr());
        if message.contains("pull/1") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let requests = scene.forge.all();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["head"], format!("proton--proton-environment-{id}"));
}
