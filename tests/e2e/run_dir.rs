//! `hadron run` over a provisioning repository, as a pipeline calls it: real Git, real Terraform, state in an emulated S3.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use aws_sdk_proton::types::{DeploymentStatus, ResourceDeploymentStatus};
use serde_json::{Value, json};

use crate::client::{Client, ask, environment_bundle, service_bundle};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, hadron};
use crate::support::process::command;
use crate::support::tools::Tools;

const BUCKET: &str = "team-state";
const ARNS: &str = "arn:aws:proton:us-east-1:123456789012:";
/// A pipeline's identity token, unsigned.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwcm9qZWN0X3BhdGg6YWNtZSJ9.";
const VARIABLES: &str = "variable \"environment\" {\n  type = any\n}\nvariable \"proton_tags\" {\n  type    = map(string)\n  \
    default = null\n}\n";

/// What the bundle of AWS's samples looks like: an empty backend, and a region that the workflow gives.
const ENVIRONMENT: &str = r#"
terraform {
  backend "s3" {}
}

variable "aws_region" {
  type = string
}

resource "terraform_data" "zone" {
  input = "${var.environment.name} in ${var.aws_region}"
  provisioner "local-exec" {
    command = "env | grep ^AWS_ > seen.txt; ${var.environment.inputs.command}"
  }
}

output "Zone" {
  value = terraform_data.zone.output
}

output "List" {
  value = [1, "two"]
}

output "Token" {
  value     = "hush-hush"
  sensitive = true
}
"#;

const PIPELINE: &str =
    "resource \"terraform_data\" \"p\" { input = \"p\" }\noutput \"P\" { value = terraform_data.p.output }\n";

struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// A repository, an emulated AWS, and the environment of a pipeline.
pub(crate) struct Scene {
    moto: Moto,
    folder: tempfile::TempDir,
    pub(crate) env: BTreeMap<String, String>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let moto = Moto::start(Tools::get());
        moto.boto3(
            Tools::get(),
            &format!("import boto3; boto3.client('s3').create_bucket(Bucket='{BUCKET}'); print('{{}}')"),
        );
        let folder = tempfile::tempdir().unwrap();
        let mut env = moto.env();
        env.remove("AWS_ENDPOINT_URL");
        env.insert("HADRON_STATE_ENDPOINT".into(), moto.endpoint().into());
        env.insert("AWS_ENDPOINT_URL_STS".into(), moto.endpoint().into());
        let scene = Self { moto, folder, env };
        fs::create_dir(scene.repository()).unwrap();
        scene.git(&["init", "--quiet", "--initial-branch", "main"]);
        scene.write("env_config.json", &json!({"*": {"region": "us-east-1", "state_bucket": BUCKET}}).to_string());
        scene.commit();
        scene
    }

    fn proton(&mut self, plane: &Plane) {
        let key = |name: &str| plane.exported()[name].clone();
        let pairs = [
            ("HADRON_ENDPOINT", plane.endpoint().to_owned()),
            ("HADRON_ACCESS_KEY_ID", key("AWS_ACCESS_KEY_ID")),
            ("HADRON_SECRET_ACCESS_KEY", key("AWS_SECRET_ACCESS_KEY")),
        ];
        self.env.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let who = ["-c", "user.name=n", "-c", "user.email=n@example.com"];
        let mut git = command(Path::new("git"), &BTreeMap::new());
        let done = git.current_dir(self.repository()).args(who).args(words).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn commit(&self) {
        // Terraform's folders are nobody's business, as in any such repository.
        self.write(".gitignore", ".terraform*\nseen.txt\n");
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "m"]);
    }

    /// A directory as Proton renders it.
    fn render(&self, path: &str, arn: &str, deployment: &str, main: &str, values: &Value) {
        let mut facts = json!({ "arn": format!("{ARNS}{arn}") });
        if arn.contains("service-instance") {
            facts["environmentArn"] = json!(format!("{ARNS}environment/dev"));
        }
        let deleted = deployment.starts_with('<');
        let metadata = json!({ "deploymentId": deployment, "isResourceDeleted": deleted, "resourceMetadata": facts });
        self.write(&format!("{path}/.proton/deployment-metadata.json"), &metadata.to_string());
        self.write(&format!("{path}/main.tf"), main);
        self.write(&format!("{path}/proton.auto.tfvars.json"), &values.to_string());
    }

    pub(crate) fn environment(&self, name: &str, deployment: &str, does: &str) {
        let values = json!({ "environment": { "name": name, "inputs": { "command": does } }, "//": "arn" });
        self.render(name, &format!("environment/{name}"), deployment, ENVIRONMENT, &values);
        self.write(&format!("{name}/proton.environment.variables.tf"), VARIABLES);
    }

    fn run(&self, flags: &[&str], more: &[(&str, &str)]) -> Told {
        let mut env = self.env.clone();
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let start = Start { flags, env, ..Start::default() };
        let told = hadron("run", &start, self.folder.path()).current_dir(self.repository()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Told { code: told.status.code().unwrap(), out: text(told.stdout), err: text(told.stderr) }
    }

    /// The keys of the state bucket.
    pub(crate) fn keys(&self) -> Value {
        let script = format!(
            "import boto3, json\nfound = boto3.client('s3').list_objects_v2(Bucket='{BUCKET}').get('Contents', [])\n\
             print(json.dumps([o['Key'] for o in found]))"
        );
        self.moto.boto3(Tools::get(), &script)
    }

    /// How many resources a state holds.
    fn resources(&self, key: &str) -> Value {
        let script = format!(
            "import boto3, json\nbody = boto3.client('s3').get_object(Bucket='{BUCKET}', Key='{key}')['Body'].read()\n\
             print(len(json.loads(body)['resources']))"
        );
        self.moto.boto3(Tools::get(), &script)
    }

    /// What Terraform has left in the work tree that isn't ignored.
    fn untracked(&self) -> String {
        self.git(&["status", "--porcelain"])
    }
}

async fn scene() -> Scene {
    tokio::task::spawn_blocking(Scene::new).await.unwrap()
}

async fn deployment_of(user: &Client, environment: &str) -> String {
    let found = ask!(user.proton.get_environment().name(environment)).environment.unwrap();
    found.last_attempted_deployment_id.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_planned_and_its_merge_is_applied_and_proton_hears_of_it() {
    let mut scene = scene().await;
    let plane = Plane::serve(Start::default());
    scene.proton(&plane);
    let user = Client::of(&plane).await;
    user.environment_template("zone", environment_bundle(&["command"], "output \"Zone\" { value = \"\" }")).await;
    user.create_environment("dev", "zone", "command: \"true\"").await;
    scene.environment("dev", &deployment_of(&user, "dev").await, "true");
    scene.commit();

    let event = scene.folder.path().join("event.json");
    let summary = scene.folder.path().join("summary.md");
    fs::write(&event, r#"{"repository": {"default_branch": "main"}}"#).unwrap();
    let paths = [event.display().to_string(), summary.display().to_string()];
    let github = |name, reference| {
        [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", name),
            ("GITHUB_REF", reference),
            ("GITHUB_EVENT_PATH", paths[0].as_str()),
            ("GITHUB_STEP_SUMMARY", paths[1].as_str()),
        ]
    };
    let planned = scene.run(&[], &github("pull_request", "refs/pull/1/merge"));
    assert_eq!(planned.code, 0, "{}", planned.err);
    assert_eq!(planned.out, "environment dev (dev): planned, 1 to add, 0 to change, 0 to destroy\n");
    let shown = fs::read_to_string(&summary).unwrap();
    assert!(shown.contains("# terraform_data.zone will be created") && !shown.contains("hush-hush"), "{shown}");
    assert!(planned.err.contains("::group::environment dev (dev)\n::stop-commands::"), "{}", planned.err);
    assert_eq!(user.environment("dev").await.0, DeploymentStatus::InProgress, "a plan tells nobody");
    assert_eq!(scene.untracked(), "");

    let applied = scene.run(&["--output", "json"], &github("push", "refs/heads/main"));
    assert_eq!(applied.code, 0, "{}", applied.err);
    let told = applied.json();
    assert_eq!((&told["mode"], &told["verdict"]), (&json!("apply"), &json!("done")));
    let one = &told["directories"][0];
    assert_eq!((&one["notified"], &one["changes"]["add"]), (&json!("SUCCEEDED"), &json!(1)));
    assert_eq!(user.environment("dev").await.0, DeploymentStatus::Succeeded);
    let outputs = user.outputs("dev").await;
    assert_eq!((outputs["Zone"].as_str(), outputs["List"].as_str()), ("dev in us-east-1", "[1,\"two\"]"));
    assert_eq!(outputs["Token"], "***", "Hadron seals it");
    assert!(!applied.err.contains("hush-hush") && !applied.out.contains("hush-hush"));
    assert_eq!(scene.keys(), json!(["dev/terraform.tfstate"]));
    assert_eq!(scene.untracked(), "");

    let again = scene.run(&["--apply", "dev"], &[]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(
        again.out, "environment dev (dev): applied, 0 added, 0 changed, 0 destroyed\n  notified SUCCEEDED\n",
        "an old pipeline that runs once more changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_with_several_is_worked_through_from_the_base_and_a_failure_stops_what_rests_on_it() {
    let mut scene = scene().await;
    let plane = Plane::serve(Start::default());
    scene.proton(&plane);
    let user = Client::of(&plane).await;
    user.environment_template("zone", environment_bundle(&["command"], "output \"Zone\" { value = \"\" }")).await;
    user.service_template("web", "zone", service_bundle(PIPELINE, PIPELINE)).await;
    user.create_environment("dev", "zone", "command: \"true\"").await;
    scene.environment("dev", &deployment_of(&user, "dev").await, "echo no quota left; exit 7");
    let instance = json!({ "environment": { "name": "dev", "outputs": {} } });
    scene.render(
        "dev/shop-api",
        "service/shop/service-instance/api",
        "5b6e0d3c-7a1f-4c55-9d0e-2f1a4b6c8d90",
        PIPELINE,
        &instance,
    );
    scene.render(
        "shop/pipeline",
        "service/shop/pipeline",
        "6c7f1e4d-8b20-4d66-8e1f-3a2b5c7d9ea1",
        PIPELINE,
        &json!({}),
    );
    scene.commit();

    let failed = scene.run(&["--changed", "--apply", "--output", "json"], &[]);
    assert_eq!(failed.code, 11, "{}", failed.err);
    let told = failed.json();
    let verdicts: Vec<_> = told["directories"].as_array().unwrap().iter().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts, ["apply-failed", "skipped", "skipped"]);
    assert!(told["directories"][0]["message"].as_str().unwrap().contains("no quota left"), "{told}");
    let (status, message) = user.environment("dev").await;
    assert_eq!(status, DeploymentStatus::Failed);
    assert!(message.contains("no quota left"), "{message}");

    let update =
        user.proton.update_environment().name("dev").spec("proton: EnvironmentSpec\nspec:\n  command: \"true\"\n");
    ask!(update.deployment_type(aws_sdk_proton::types::DeploymentUpdateType::CurrentVersion));
    scene.environment("dev", &deployment_of(&user, "dev").await, "true");
    scene.commit();
    let done = scene.run(&["--base", "main~2", "--apply"], &[]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(
        done.out,
        format!(
            "environment dev (dev): applied, 1 added, 0 changed, 1 destroyed\n  notified SUCCEEDED\n\
             service instance shop/api (dev/shop-api): applied, 1 added, 0 changed, 0 destroyed\n  not notified: the \
             endpoint doesn't know {ARNS}service/shop/service-instance/api\n\
             pipeline of service shop (shop/pipeline): applied, 1 added, 0 changed, 0 destroyed\n  not notified: the \
             endpoint doesn't know {ARNS}service/shop/pipeline\n"
        )
    );
    let keys = ["dev/shop-api/terraform.tfstate", "dev/terraform.tfstate", "shop/pipelineterraform.tfstate"];
    assert_eq!(scene.keys(), json!(keys));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_is_destroyed_and_a_proton_that_waits_for_it_hears_of_it() {
    let mut scene = scene().await;
    scene.environment("dev", "d-1", "true");
    scene.environment("old", "d-2", "true");
    scene.commit();
    let alone = scene.run(&["dev", "old", "--apply"], &[]);
    assert_eq!(alone.code, 0, "{}", alone.err);
    assert_eq!(alone.out.matches("not notified: no endpoint is set").count(), 2, "{}", alone.out);

    let plane = Plane::serve(Start::default());
    scene.proton(&plane);
    let user = Client::of(&plane).await;
    user.environment_template("zone", environment_bundle(&["command"], "output \"Zone\" { value = \"\" }")).await;
    user.create_environment("dev", "zone", "command: \"true\"").await;
    scene.environment("dev", &deployment_of(&user, "dev").await, "true");
    assert_eq!(scene.run(&["dev", "--apply"], &[]).code, 0);
    ask!(user.proton.delete_environment().name("dev"));
    assert_eq!(user.environment("dev").await.0, DeploymentStatus::DeleteInProgress);

    for name in ["dev", "old"] {
        scene.environment(name, "<proton-resource-deleted>", "true");
    }
    scene.commit();
    let planned = scene.run(&[], &[]);
    assert_eq!(planned.code, 0, "{}", planned.err);
    assert!(
        planned.out.contains("environment dev (dev): planned, 0 to add, 0 to change, 1 to destroy"),
        "{}",
        planned.out
    );
    let gone = scene.run(&["--apply"], &[]);
    assert_eq!(gone.code, 0, "{}", gone.err);
    assert!(gone.out.contains("(dev): destroyed, 1 resources\n  notified SUCCEEDED"), "{}", gone.out);
    assert!(
        gone.out.contains("(old): destroyed, 1 resources\n  not notified: the endpoint doesn't know"),
        "{}",
        gone.out
    );
    assert!(user.proton.get_environment().name("dev").send().await.is_err(), "the record is gone too");
    for name in ["dev", "old"] {
        assert_eq!(scene.resources(&format!("{name}/terraform.tfstate")), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_the_environment_is_taken_with_the_pipelines_own_token() {
    const ROLE: &str = "arn:aws:iam::123456789012:role/deploy-dev";
    let mut scene = scene().await;
    let config = json!({ "dev": { "region": "eu-west-1", "state_bucket": BUCKET, "role": ROLE } });
    scene.write("env_config.json", &config.to_string());
    scene.environment("dev", "d-1", "true");
    scene.commit();
    let seen = |scene: &Scene| fs::read_to_string(scene.repository().join("dev/seen.txt")).unwrap();

    let by_keys = scene.run(&["dev", "--apply"], &[]);
    assert_eq!(by_keys.code, 0, "{}", by_keys.err);
    assert!(seen(&scene).contains("AWS_SESSION_TOKEN=") && !seen(&scene).contains("AWS_ACCESS_KEY_ID=test\n"));
    assert!(seen(&scene).contains("AWS_REGION=eu-west-1\n"), "{}", seen(&scene));

    // Nobody's keys any more: nothing but a token.
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        scene.env.remove(name);
    }
    let lost = scene.run(&["dev", "--apply"], &[]);
    assert_eq!(lost.code, 3, "{}", lost.err);
    assert!(lost.err.contains("can't be taken"), "{}", lost.err);

    let config = json!({ "dev": { "region": "eu-west-2", "state_bucket": BUCKET, "role": ROLE } });
    scene.write("env_config.json", &config.to_string());
    let gitlabs = scene.run(&["dev", "--apply"], &[("HADRON_OIDC_TOKEN", TOKEN)]);
    assert_eq!(gitlabs.code, 0, "{}", gitlabs.err);
    assert!(gitlabs.out.contains("0 added, 1 changed"), "{}", gitlabs.out);

    let (address, asked) = githubs_tokens();
    let github =
        [("ACTIONS_ID_TOKEN_REQUEST_URL", address.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-of-the-job")];
    let by_github = scene.run(&["dev", "--apply"], &github);
    assert_eq!(by_github.code, 0, "{}", by_github.err);
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("GET /token?api-version=2.0&audience=sts.amazonaws.com "), "{asked}");
    assert!(asked.to_lowercase().contains("authorization: bearer bearer-of-the-job"), "{asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_called_off_or_is_an_agents_is_not_applied() {
    let mut scene = scene().await;
    let plane = Plane::serve(Start::default());
    scene.proton(&plane);
    let user = Client::of(&plane).await;
    user.environment_template("zone", environment_bundle(&["command"], "output \"Zone\" { value = \"\" }")).await;
    for name in ["held", "off"] {
        user.create_environment(name, "zone", "command: \"true\"").await;
        scene.environment(name, &deployment_of(&user, name).await, "true");
    }
    let claim = user.proton.notify_resource_deployment_status_change().status(ResourceDeploymentStatus::InProgress);
    let claim = claim.resource_arn(format!("{ARNS}environment/held")).deployment_id(deployment_of(&user, "held").await);
    let as_agent = claim.customize().mutate_request(|request| {
        request.headers_mut().insert("x-hadron-agent", "agent-1");
    });
    ask!(as_agent);
    ask!(user.proton.cancel_environment_deployment().environment_name("off"));

    let held = scene.run(&["held", "--apply"], &[]);
    assert_eq!(held.code, 14, "{}", held.err);
    assert!(held.err.contains("held by agent agent-1") && held.err.contains("nothing was applied"), "{}", held.err);
    let off = scene.run(&["off", "--apply"], &[]);
    assert_eq!(off.code, 130, "{}", off.err);
    assert!(off.err.contains("was cancelled; nothing was applied"), "{}", off.err);
    assert_eq!(scene.keys(), json!([]));
}

/// GitHub's server for identity tokens: its address, and what it was asked.
fn githubs_tokens() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).unwrap();
        let body = json!({ "value": TOKEN }).to_string();
        let length_of_body = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length_of_body}\r\nconnection: close\r\n\r\n{body}")
            .unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named_before_anything_happens() {
    let scene = scene().await;
    let nothing = scene.run(&[], &[]);
    assert_eq!((nothing.code, nothing.out.starts_with("nothing to do")), (0, true), "{}", nothing.err);
    let no_directory = scene.run(&["none"], &[]);
    assert_eq!(no_directory.code, 4, "{}", no_directory.err);
    assert!(no_directory.err.contains("deployment-metadata.json"), "{}", no_directory.err);
    scene.environment("dev", "d-1", "true");
    let nobody = ["HADRON_ENDPOINT", "HADRON_ACCESS_KEY_ID", "HADRON_SECRET_ACCESS_KEY"];
    let nobody: Vec<_> = nobody.into_iter().zip(["http://127.0.0.1:1", "nobody", "secret"]).collect();
    let away = scene.run(&["dev", "--apply"], &nobody);
    assert_eq!(away.code, 1, "{}", away.err);
    assert!(away.err.contains("nothing was applied"), "{}", away.err);
    assert_eq!(scene.keys(), json!([]), "whoever can't be told of the end isn't begun");
    scene.write("env_config.json", "{}");
    let no_bucket = scene.run(&["dev", "--plan"], &[]);
    assert_eq!(no_bucket.code, 3, "{}", no_bucket.err);
    assert!(no_bucket.err.contains("no state bucket is known for `dev`"), "{}", no_bucket.err);
    scene.write("dev/.proton/deployment-metadata.json", "{\n<<<<<<< HEAD\n");
    let broken = scene.run(&["dev"], &[]);
    assert_eq!(broken.code, 4, "{}", broken.err);
    assert!(broken.err.contains("is no JSON") && broken.err.contains("line 2"), "{}", broken.err);
}
