//! The way out: after `hadron eject` plain Terraform goes on where Hadron stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::moto::Moto;
use crate::support::plane::{Start, binary, hadron};
use crate::support::process::{Running, command};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const ROOTS: [&str; 5] = [
    "environments/dev",
    "services/shop/instances/api",
    "services/shop/instances/web",
    "services/shop/pipeline",
    "components/jobs",
];

/// What the demo has left in a folder, served again.
fn served(folder: &Path) -> (Running, String) {
    let told = hadron("demo", &Start::default(), folder).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let mut serve = command(binary(), &BTreeMap::new());
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data/demo"));
    let mut serve = Running::start(serve, &folder.join("log"));
    let exported = serve.line(Duration::from_secs(30));
    let endpoint = exported.split(['=', ' ']).nth(2).unwrap().to_owned();
    (serve, endpoint)
}

/// An operator's shell, whose AWS is moto; `$HADRON` finds the control plane and its key by itself.
fn operator(folder: &Path, endpoint: &str, moto: &Moto) -> Shell {
    let mut env = moto.env();
    env.insert("HADRON".into(), format!("{} --data {}", binary().display(), folder.join("data/demo").display()));
    env.insert("HADRON_ENDPOINT".into(), endpoint.to_owned());
    env.insert("HADRON_STATE_ENDPOINT".into(), moto.endpoint().to_owned());
    Shell::new(Tools::get(), &env)
}

fn stamp(state: &str) -> (Value, Value) {
    let state: Value = serde_json::from_str(state).unwrap();
    (state["lineage"].clone(), state["serial"].clone())
}

/// Plans every root with nothing but Terraform, and finds no change.
fn planned(shell: &Shell, roots: &Path) {
    let found: Vec<PathBuf> = ROOTS.iter().map(|root| roots.join(root)).collect();
    for root in found {
        let script = format!(
            "cd {} && terraform init -input=false -no-color >/dev/null && terraform plan -input=false -no-color -detailed-exitcode",
            root.display()
        );
        let answer = shell.run(&script);
        assert_eq!(answer.code, 0, "{}: {answer:?}", root.display());
        assert!(answer.stdout.contains("No changes."), "{answer:?}");
    }
}

#[test]
fn every_root_plans_without_changes_when_hadron_is_gone() {
    let folder = TempDir::new().unwrap();
    let tools = Tools::get();
    let moto = Moto::start(tools);
    let (mut serve, endpoint) = served(folder.path());
    let shell = operator(folder.path(), &endpoint, &moto);
    let no_bucket = shell.run("$HADRON eject roots --state s3://stats/team");
    no_bucket.failed(3, &["the bucket stats doesn't exist", "hint: make it: aws s3 mb s3://stats"]);
    shell.ok("test ! -e roots && aws s3 mb s3://states");
    shell.run("$HADRON eject roots --state states").failed(2, &["s3://BUCKET"]);
    let before = shell.ok("$HADRON state pull environment/dev");

    let rows = shell.json("$HADRON eject roots --state s3://states/team --output json");
    let targets: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["folder"].as_str().unwrap()).collect();
    assert_eq!(targets, ROOTS);
    let moved = shell.ok("aws s3 cp s3://states/team/environments/dev/terraform.tfstate -");
    assert_eq!(stamp(&moved), stamp(&before), "lineage and serial are kept");
    // What depends on a secret has it in a file that isn't to be committed, and nowhere else.
    let state: Value = serde_json::from_str(&before).unwrap();
    let secret = state["outputs"]["SharedSecret"]["value"].as_str().unwrap();
    let holding = shell.ok(&format!("grep -rl {secret} roots | sort"));
    let ignored = fs::read_to_string(shell.folder().join("roots/.gitignore")).unwrap();
    assert_eq!(holding.lines().count(), 4, "{holding}");
    for file in holding.lines() {
        assert!(file.ends_with("/secrets.auto.tfvars.json"), "{file}");
        assert!(ignored.lines().any(|line| format!("roots{line}") == file), "{ignored}");
    }
    let text =
        fs::read_to_string(shell.folder().join("roots/environments/dev/proton.environment.variables.tf")).unwrap();
    assert!(text.starts_with("variable \"environment\"") && !text.contains("Hadron"), "{text}");

    // Nobody changes in Hadron what has moved, and a second time changes nothing.
    assert!(shell.ok("$HADRON state show environment/dev").contains("ejected: its state lies at s3://states/team/"));
    shell.ok("$HADRON eject roots --state s3://states/team");
    fs::write(shell.folder().join("roots/environments/dev/main.tf"), "# mine").unwrap();
    shell.run("$HADRON eject roots --state s3://states/team").failed(2, &["main.tf is there with other content"]);
    fs::remove_file(shell.folder().join("roots/environments/dev/main.tf")).unwrap();
    shell.ok("$HADRON eject roots --state s3://states/team");

    serve.kill();
    planned(&shell, &shell.folder().join("roots"));
}

#[test]
fn a_rehearsal_with_the_states_beside_the_code_leaves_hadron_at_work() {
    let folder = TempDir::new().unwrap();
    let moto = Moto::start(Tools::get());
    let (mut serve, endpoint) = served(folder.path());
    let shell = operator(folder.path(), &endpoint, &moto);
    shell.ok("$HADRON eject roots --local-state --rehearse");
    assert!(!shell.ok("$HADRON state show environment/dev").contains("ejected"));
    serve.kill();
    planned(&shell, &shell.folder().join("roots"));
}
