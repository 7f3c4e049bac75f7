//! A record is backed up while it is used, and restored: no state ever goes back, and none is trusted without a proof.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use aws_sdk_proton::types::DeploymentUpdateType;

use crate::client::{Client, ask, environment_bundle, eventually, spec};
use crate::support::plane::{Plane, Start, binary};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const PATIENCE: Duration = Duration::from_secs(30);

/// The id is random and lives in the state alone: only who has the state knows it.
const REMEMBERS: &str = r#"
resource "terraform_data" "one" {
  input = var.environment.inputs.word
}

output "Id" {
  value = terraform_data.one.id
}
"#;

/// A shell in which the lines that a plane printed are set.
fn operator(plane: &Plane) -> Shell {
    let mut env: BTreeMap<String, String> = plane.exported().clone();
    env.insert("HADRON".into(), binary().display().to_string());
    env.insert("HADRON_DATA".into(), plane.data().display().to_string());
    env.insert("UP".into(), plane.data().parent().unwrap().display().to_string());
    Shell::new(Tools::get(), &env)
}

async fn update(user: &Client, word: &str) {
    let update = user.proton.update_environment().name("dev").spec(spec(&format!("word: {word}")));
    ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion));
}

fn serial(shell: &Shell) -> i64 {
    shell.json("$HADRON state show environment/dev --output json")["serial"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restore_keeps_newer_states_and_blocks_what_it_cannot_prove() {
    let mut plane = Plane::up(Start::default());
    let user = Client::of(&plane).await;
    user.environment_template("remembers", environment_bundle(&["word"], REMEMBERS)).await;
    user.create_environment("dev", "remembers", "word: first").await;
    user.deployed("dev").await;
    let id = user.outputs("dev").await["Id"].clone();
    let shell = operator(&plane);
    shell.ok("$HADRON backup $UP/b.gz && test $(stat -c %a $UP/b.gz) = 600");
    shell.run("$HADRON backup $UP/b.gz").failed(2, &["is there already"]);
    shell.run("$HADRON restore $UP/b.gz --replace").failed(3, &["is in use by process"]);
    let old = serial(&shell);
    update(&user, "second").await;
    user.deployed("dev").await;
    let newer = serial(&shell);
    assert!(newer > old, "{newer} > {old}");

    plane.process().terminate(PATIENCE);
    shell.run("$HADRON restore $UP/b.gz").failed(3, &["holds something", "hint: --replace"]);
    shell.ok("head -c 900 $UP/b.gz > $UP/torn.gz");
    shell.run("$HADRON restore $UP/torn.gz --replace").failed(3, &["cut off", "nothing was changed"]);
    let told = shell.ok("$HADRON restore $UP/b.gz --replace && ls $HADRON_DATA");
    assert!(told.contains("carried over") && told.contains("hadron.db.before-"), "{told}");
    plane.restart();
    assert_eq!(serial(&operator(&plane)), newer, "no state goes back");

    // Another machine, with the master key and the objects.
    plane.process().terminate(PATIENCE);
    let (data, before) = (plane.data(), plane.data().with_file_name("before"));
    fs::rename(&data, &before).unwrap();
    shell.run("$HADRON restore $UP/b.gz").failed(3, &["master.key", "copy the file"]);
    shell.ok("head -c 32 /dev/zero > $HADRON_DATA/master.key");
    shell.run("$HADRON restore $UP/b.gz").failed(3, &["can't be unsealed", "nothing was changed"]);
    assert!(!data.join("hadron.db").exists(), "nothing is written");
    shell.ok("cp $UP/before/master.key $HADRON_DATA/ && cp -r $UP/before/objects $HADRON_DATA/");
    let told = shell.ok("$HADRON restore $UP/b.gz");
    assert!(told.contains("blocked: hadron state unblock arn:"), "{told}");
    plane.restart();
    let (user, shell) = (Client::of(&plane).await, operator(&plane));
    update(&user, "third").await;
    // No agent is offered it; `hadron status` says why, and what lets it go on.
    let told = ["it comes from the backup of", "  hadron state unblock arn:"];
    let status = || shell.ok("$HADRON status");
    eventually(async || told.iter().all(|words| status().contains(words))).await;
    shell.run("$HADRON state unblock environment/dev --serial 999").failed(13, &["ConflictException"]);
    shell.ok(&format!("$HADRON state unblock environment/dev --serial {old}"));
    user.deployed("dev").await;
    assert_eq!(user.outputs("dev").await["Id"], id, "it went on from the state of the backup");
}
