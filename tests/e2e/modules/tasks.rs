//! A task definition of the modules, with the real `hadron` in the place of its container.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hadron::settings::TABLE;
use serde_json::{Value, json};

use super::site::{Example, Resource, document, one};
use crate::client::{Client, environment_bundle};
use crate::support::plane::{Plane, Start, binary, free_port};
use crate::support::process::{Running, command};
use crate::support::tools::Tools;

/// Tells as whom Terraform works. What it is told of the provider comes from the overlays alone.
const WHO: &str = r#"
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_caller_identity" "who" {}

output "Who" {
  value = data.aws_caller_identity.who.arn
}
"#;

/// A task, and the folder that stands for its volumes.
struct Task {
    containers: Vec<Value>,
    root: PathBuf,
}

impl Task {
    fn of(example: &Example, made: &[Resource]) -> Self {
        let definition = one(made, "aws_ecs_task_definition", "this");
        let containers = document(&definition["container_definitions"]).as_array().unwrap().clone();
        let root = example.place.scratch();
        let task = Self { containers, root };
        for volume in ["etc/hadron", "var/lib/hadron", "tmp"] {
            fs::create_dir_all(task.root.join(volume)).unwrap();
        }
        task
    }

    fn container(&self, name: &str) -> &Value {
        self.containers.iter().find(|it| it["name"] == name).unwrap()
    }

    /// Paths of the container as they are here.
    fn here(&self, text: &str) -> String {
        let root = self.root.display();
        let text = text.replace("/etc/hadron", &format!("{root}/etc/hadron"));
        text.replace("/var/lib/hadron", &format!("{root}/var/lib/hadron"))
            .replace("1777 /tmp", &format!("1777 {root}/tmp"))
    }

    /// The first container's script; it gives the folder to this user, since only root may give it away.
    fn lay_files(&self) {
        let first = self.container("settings");
        assert_eq!((&first["user"], &first["entryPoint"]), (&json!("0"), &json!(["/bin/sh", "-ec"])));
        let script = self.here(first["command"][0].as_str().unwrap());
        let script = script.replace("chown 65532:65532", "chown \"$(id -u):$(id -g)\"");
        let done = command(Path::new("sh"), &BTreeMap::new()).args(["-ec", &script]).output().unwrap();
        assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
    }

    /// What its container gets, and that each variable of ours is one that a setting has.
    fn variables(&self, name: &str) -> BTreeMap<String, String> {
        let container = self.container(name);
        let text = |it: &Value, member: &str| it[member].as_str().unwrap().to_owned();
        let pair = |it: &Value| (text(it, "name"), self.here(&text(it, "value")));
        let plain: BTreeMap<_, _> = container["environment"].as_array().unwrap().iter().map(pair).collect();
        let secrets = container["secrets"].as_array().unwrap().iter().map(|it| text(it, "name"));
        let known: BTreeSet<_> = TABLE.iter().flat_map(|setting| setting.variables).copied().collect();
        for given in plain.keys().cloned().chain(secrets).filter(|it| it.starts_with("HADRON_")) {
            assert!(known.contains(given.as_str()), "no setting has {given}");
        }
        plain
    }

    /// Its command, with the container's variables; what is given here counts more.
    fn command(&self, name: &str, env: &[(&str, String)], flags: &[&str]) -> Command {
        let container = self.container(name);
        assert_eq!((&container["readonlyRootFilesystem"], &container["user"]), (&json!(true), &json!("65532:65532")));
        let mut hadron = command(binary(), &self.variables(name));
        hadron.env("HOME", self.root.join("var/lib/hadron")).current_dir(self.root.join("var/lib/hadron"));
        hadron.envs(env.iter().map(|(name, value)| (name, value)));
        let words = container["command"].as_array().unwrap();
        hadron.args(words.iter().map(|word| self.here(word.as_str().unwrap()))).args(flags);
        hadron
    }
}

pub(super) async fn the_agents_task_is_one_that_hadron_knows(example: &Example, made: &[Resource]) {
    let task = Task::of(example, made);
    task.lay_files();
    assert_eq!(
        (&task.container("agent")["stopTimeout"], task.variables("agent")["HADRON_GRACE"].as_str()),
        (&json!(120), "120")
    );
    // The emulated AWS's address; the role is the module's own doing.
    let overlay = task.root.join("etc/hadron/overlays/dev");
    example.moto.write_overlay(&overlay);
    let plane = Plane::serve(Start::default());
    let user = Client::of(&plane).await;
    user.environment_template("who", environment_bundle(&["word"], WHO)).await;
    user.create_environment("dev", "who", "word: a").await;
    let exported = plane.exported();
    let given = [
        ("HADRON_ENDPOINT", plane.endpoint().to_owned()),
        ("HADRON_ACCESS_KEY_ID", exported["AWS_ACCESS_KEY_ID"].clone()),
        ("HADRON_SECRET_ACCESS_KEY", exported["AWS_SECRET_ACCESS_KEY"].clone()),
        ("TF_CLI_CONFIG_FILE", Tools::get().terraform_rc().display().to_string()),
    ];
    let done = task.command("agent", &given, &["--once"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(user.outputs("dev").await["Who"], "arn:aws:sts::123456789012:assumed-role/hadron-dev/hadron");
}

pub(super) fn the_servers_task_is_one_that_hadron_knows(example: &Example, made: &[Resource]) {
    let task = Task::of(example, made);
    task.lay_files();
    let bucket = "import boto3; boto3.client('s3').create_bucket(Bucket='acme-hadron'); print('{}')";
    example.moto.boto3(Tools::get(), bucket);
    let port = free_port();
    let secret = "not-to-be-seen-in-any-log";
    let mut given = vec![
        ("HADRON_LISTEN", format!("127.0.0.1:{port}")),
        ("HADRON_DATABASE", format!("sqlite:{}", task.root.join("hadron.db").display())),
        (
            "HADRON_KEYS",
            format!(r#"{{"admin": ["AKIAADMINADMINADMIN0", "{secret}"], "agent": ["AKIAAGENTAGENTAGENT0", "s"]}}"#),
        ),
        ("HADRON_MASTER_KEY_SOURCE", "env:MASTER_KEY".to_owned()),
        ("MASTER_KEY", "00".repeat(32)),
        ("AWS_ENDPOINT_URL_S3", example.moto.endpoint().to_owned()),
    ];
    given.extend([("AWS_ACCESS_KEY_ID", "test".to_owned()), ("AWS_SECRET_ACCESS_KEY", "test".to_owned())]);
    let log = task.root.join("server.log");
    let mut server = Running::start(task.command("hadron", &given, &[]), &log);
    assert!(server.line(Duration::from_secs(30)).starts_with("export AWS_ENDPOINT_URL=https://proton.example.com "));
    let status = |endpoint: String| {
        let mut status = command(binary(), &BTreeMap::new());
        status.args(["status", "--data"]).arg(task.root.join("elsewhere"));
        status.env("HADRON_ENDPOINT", endpoint).env("HADRON_ACCESS_KEY_ID", "AKIAADMINADMINADMIN0");
        status.env("HADRON_SECRET_ACCESS_KEY", secret).output().unwrap()
    };
    let asked = status(format!("http://127.0.0.1:{port}"));
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert!(server.terminate(Duration::from_secs(30)).success());
    assert!(!server.stderr().contains(secret), "its log has the secret");
    assert!(!task.root.join("var/lib/hadron/keys.json").exists(), "keys that are given are kept nowhere");
    example.moto.boto3(Tools::get(), &bucket.replace("create", "delete"));
}
