//! What lies on the disk: nothing that is secret, under whatever master key, and nothing opens with another.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::client::{Client, ask, environment_bundle, spec};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, agent, hadron};
use crate::support::tools::Tools;

const PATIENCE: Duration = Duration::from_secs(30);

/// A key in base64 and another one in hexadecimal.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// One output that everybody may see and one that nobody may.
const SECRETIVE: &str = r#"
resource "terraform_data" "one" {
  input = "state-${var.environment.inputs.word}"
}

output "Plain" {
  value = "plain-${var.environment.inputs.word}"
}

output "Hidden" {
  value     = "hidden-${terraform_data.one.output}"
  sensitive = true
}
"#;

fn start(settings: &str, env: &[(&str, &str)]) -> Start {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Start { settings: settings.into(), env, ..Start::default() }
}

/// Starts `serve` on a data folder of before; it must be refused.
fn refused(data: &Path, start: &Start, words: &[&str]) {
    let mut serve = hadron("serve", start, data.parent().unwrap());
    let Output { status, stdout, stderr } = serve.args(["--listen", "127.0.0.1:0"]).output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.as_slice()), (Some(3), b"".as_slice()), "{told}");
    for word in words {
        assert!(told.contains(word), "no `{word}` in: {told}");
    }
}

/// Where in a folder's files, at any depth, a text lies.
fn found(folder: &Path, text: &str) -> Vec<String> {
    let mut places = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            places.extend(found(&entry, text));
        } else if fs::read(&entry).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            places.push(entry.display().to_string());
        }
    }
    places
}

/// An environment that is up, whose spec, outputs and state have secrets.
async fn deploy(plane: &Plane) -> Client {
    let user = Client::of(plane).await;
    user.environment_template("secretive", environment_bundle(&["word"], SECRETIVE)).await;
    user.create_environment("dev", "secretive", "word: planted").await;
    user.deployed("dev").await;
    user
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_secret_lies_in_record_or_objects_and_a_wrong_master_key_opens_nothing() {
    let settings = "master_key = \"env:SITE_KEY\"\n";
    let mut plane = Plane::serve(start(settings, &[("SITE_KEY", KEY)]));
    let working = agent(&plane, "worker", &Start::default());
    let user = deploy(&plane).await;
    assert_eq!(user.outputs("dev").await["Plain"], "plain-planted");
    let data = plane.data();
    let record = |text: &str| {
        let places = found(&data, text);
        places
            .into_iter()
            .filter(|place| place.contains("hadron.db") || place.contains("/objects/"))
            .collect::<Vec<_>>()
    };
    let secret = plane.exported()["AWS_SECRET_ACCESS_KEY"].clone();
    assert!(!record("environment/dev").is_empty(), "names are no secrets, and the search finds what is there");
    for planted in ["planted", secret.as_str()] {
        assert_eq!(record(planted), Vec::<String>::new(), "{planted}");
    }
    assert_eq!(found(&data, &secret), Vec::<String>::new(), "keys.json is sealed too");

    drop(working);
    plane.process().terminate(PATIENCE);
    let wrong = start(settings, &[("SITE_KEY", OTHER)]);
    refused(&data, &wrong, &["can't be unsealed", "nothing was changed", "hint: set `master_key`"]);
    refused(&data, &start(settings, &[]), &["env:SITE_KEY", "the environment variable SITE_KEY isn't set"]);
    refused(&data, &start("", &[]), &["master.key", "copy the file from the machine that has it"]);
    assert!(!data.join("master.key").exists(), "no second key is made");
    plane.restart();
    assert_eq!(Client::of(&plane).await.outputs("dev").await["Plain"], "plain-planted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_master_key_is_changed_by_naming_the_old_one_for_one_start() {
    let mut plane = Plane::serve(Start::default());
    let data = plane.data();
    let user = Client::of(&plane).await;
    user.environment_template("net", environment_bundle(&["word"], "")).await;
    user.create_environment("dev", "net", "word: planted").await;
    plane.process().terminate(PATIENCE);
    for (command, words) in [
        ("command:echo rubbish", &["the command printed 8 bytes that aren't a key"][..]),
        ("command:exit 7", &["running the command", "exit status: 7"]),
        ("command:no-such-command", &["running the command", "exit status: 127"]),
        ("vault:x", &["`master_key`", "write file:PATH, env:NAME, command:LINE or kms:KEY-ARN"]),
        ("kms:alias/x", &["isn't the ARN of a KMS key"]),
    ] {
        refused(&data, &start(&format!("master_key = \"{command}\"\n"), &[]), words);
    }
    let new = format!("master_key = \"command:printf {OTHER}\"\n");
    refused(&data, &start(&new, &[]), &["hint: to change the master key, set `master_key_previous`"]);
    let previous = format!("{new}master_key_previous = \"file:{}\"\n", data.join("master.key").display());
    plane.restart_with(start(&previous, &[]));
    plane.process().terminate(PATIENCE);
    fs::remove_file(data.join("master.key")).unwrap();
    plane.restart_with(start(&new, &[]));
    let found = ask!(Client::of(&plane).await.proton.get_environment().name("dev")).environment.unwrap();
    assert_eq!(found.spec.unwrap(), spec("word: planted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kms_key_is_the_master_key_and_the_only_encryption_key_that_a_template_can_have() {
    let tools = Tools::get();
    let moto = Moto::start(tools);
    let script = "import boto3, json
kms = boto3.client('kms')
print(json.dumps([kms.create_key()['KeyMetadata']['Arn'] for _ in range(2)]))";
    let keys: Vec<String> = serde_json::from_value(moto.boto3(tools, script)).unwrap();
    let mut env: BTreeMap<String, String> = moto.env();
    env.retain(|name, _| name != "AWS_ENDPOINT_URL" && name != "HOME");
    env.insert("AWS_ENDPOINT_URL_KMS".into(), moto.endpoint().to_owned());
    let settings = format!("master_key = \"kms:{}\"\n", keys[0]);
    let kms = Start { settings, env, ..Start::default() };
    let mut plane = Plane::serve(Start { settings: kms.settings.clone(), env: kms.env.clone(), ..Start::default() });
    let user = Client::of(&plane).await;
    let create = |name: &str, key: &str| user.proton.create_environment_template().name(name).encryption_key(key);
    let made = ask!(create("net", &keys[0])).environment_template.unwrap();
    assert_eq!(made.encryption_key.as_ref(), Some(&keys[0]));
    let error = create("other", &keys[1]).send().await.unwrap_err().into_service_error();
    assert!(error.is_validation_exception() && error.meta().message().unwrap().contains(&keys[0]), "{error}");
    let rotated = |plane: &Plane| {
        let mut rotate = hadron(
            "data-key",
            &Start { flags: vec!["rotate".into()], ..Start::default() },
            plane.data().parent().unwrap(),
        );
        rotate.env("HADRON_ENDPOINT", plane.endpoint()).envs(plane.exported());
        rotate.output().unwrap()
    };
    let Output { status, stdout, stderr } = rotated(&plane);
    assert!(status.success() && stdout.trim_ascii().len() == 8, "{}", String::from_utf8_lossy(&stderr));
    plane.crash_and_restart();
    let again = Client::of(&plane).await;
    let found = ask!(again.proton.get_environment_template().name("net")).environment_template.unwrap();
    assert_eq!(found.encryption_key.as_ref(), Some(&keys[0]));
    plane.process().terminate(PATIENCE);
    let other = Start { settings: format!("master_key = \"kms:{}\"\n", keys[1]), ..kms };
    refused(&plane.data(), &other, &["the record's data keys are wrapped by", &keys[0]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_encryption_key_that_would_protect_nothing_is_refused() {
    let plane = Plane::serve(Start::default());
    let user = Client::of(&plane).await;
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    let refusal = user.proton.create_environment_template().name("net").encryption_key(key).send().await;
    let error = refusal.unwrap_err().into_service_error();
    assert!(
        error.is_validation_exception() && error.meta().message().unwrap().contains("leave encryptionKey out"),
        "{error}"
    );
    assert!(ask!(user.proton.list_environment_templates()).templates.is_empty());
}
