//! Hadron's own operations as an operator meets them: by the command line and by the real AWS CLI.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::eventually;
use crate::dead_agent::Scene;
use crate::support::plane::{Plane, Start, binary};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// A shell in which the lines that a plane printed are set, `$HADRON` is the binary, and `data` is the plane's folder.
fn operator(plane: &Plane) -> Shell {
    let mut env: BTreeMap<String, String> = plane.exported().clone();
    env.insert("HADRON".into(), binary().display().to_string());
    env.insert("HADRON_DATA".into(), plane.data().display().to_string());
    Shell::new(Tools::get(), &env)
}

fn serve() -> Plane {
    Plane::serve(Start::default())
}

/// The key's id in lines that export it.
fn id(lines: &str) -> String {
    let (_, rest) = lines.split_once("AWS_ACCESS_KEY_ID=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Waits until a script fails with these words.
fn until_refused(shell: &Shell, script: &str, words: &str) {
    let began = Instant::now();
    loop {
        let answer = shell.run(script);
        if answer.code != 0 {
            assert!(answer.stderr.contains(words), "{answer:?}");
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "it goes on for ever");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_key_is_made_used_and_revoked_while_the_server_runs() {
    let plane = serve();
    let shell = operator(&plane);
    let lines = shell.ok("$HADRON key create ann --role developer --group team-a --expires-in 30d");
    assert_eq!(lines.lines().count(), 2, "{lines}");
    shell.file("ann", &lines);
    shell
        .run(". ./ann; aws sts get-caller-identity --query Arn --output text")
        .printed("arn:aws:iam::123456789012:user/ann");
    // The embedded object server knows it too.
    shell.ok("aws s3 mb s3://templates && . ./ann && aws s3 ls");
    shell.run("$HADRON key create ann --role developer").failed(1, &["ConflictException", &id(&lines)]);
    shell.run("$HADRON key create bob --role emperor").failed(2, &["[possible values: admin, platform,"]);

    let keys = shell.json("$HADRON key list --output json");
    let names: Vec<&str> = keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert!(["admin", "agent", "ann"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(!keys.to_string().contains("secret"), "{keys}");

    shell.ok(&format!("$HADRON key revoke {}", id(&lines)));
    // At once: this is the server that revoked it.
    shell.run(". ./ann; aws proton list-environments").failed(255, &["UnrecognizedClientException"]);
    shell.run(". ./ann; aws s3 ls").failed(255, &["InvalidAccessKeyId"]);
    assert!(shell.ok("$HADRON key list").contains("revoked"), "the table tells it");
    // Whoever revokes the last admin locks everyone out.
    let admin = plane.exported()["AWS_ACCESS_KEY_ID"].clone();
    shell.run(&format!("$HADRON key revoke {admin}")).failed(1, &["last active key of role admin"]);
}

#[test]
fn a_rotated_key_goes_on_for_its_grace_and_the_installation_takes_the_new_one() {
    let mut plane = serve();
    let shell = operator(&plane);
    let admin = plane.exported()["AWS_ACCESS_KEY_ID"].clone();
    shell.run(&format!("$HADRON key rotate {admin} --grace 0s")).failed(1, &["last active key of role admin"]);
    let next = shell.ok(&format!("$HADRON key rotate {admin} --grace 10s"));
    shell.file("next", &next);
    // Not by the AWS CLI, whose start alone may take longer than the grace.
    shell.ok("$HADRON runs && . ./next && $HADRON runs");
    until_refused(&shell, "$HADRON runs", "UnrecognizedClientException");
    shell.ok(". ./next; aws proton list-environments");
    // Without any key in the environment it is the installation's own that counts.
    let lone = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; HADRON_ENDPOINT=$AWS_ENDPOINT_URL";
    shell.ok(&format!("{lone} $HADRON key list"));
    plane.crash_and_restart();
    assert_eq!(plane.exported()["AWS_ACCESS_KEY_ID"], id(&next));
    operator(&plane).ok("$HADRON key list");
}

#[test]
fn the_aws_cli_knows_our_own_operations_once_they_are_installed() {
    let plane = serve();
    let shell = operator(&plane);
    shell.run("aws hadron list-keys").failed(2, &["Invalid choice"]);
    shell.ok("$HADRON client install");
    let alone = "unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; aws --profile hadron hadron";
    let names = shell.ok(&format!("{alone} list-keys --page-size 1 --query 'keys[].name' --output text"));
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["admin", "agent"]);
    let made = shell.json(&format!("{alone} create-key --name ci --role agent --environments dev"));
    assert_eq!(made["key"]["environments"][0], "dev");
    assert_eq!(made["secret"].as_str().unwrap().len(), 40);
    shell
        .run(&format!("{alone} revoke-key --id AKIANOBODYHASTHIS0"))
        .failed(255, &["ResourceNotFoundException", "RevokeKey"]);
    shell.run(&format!("{alone} list-states --query states --output json")).printed("[]");
    let config = fs::read_to_string(shell.folder().join(".aws/config")).unwrap();
    assert!(config.contains("hadron =\n  endpoint_url ="), "{config}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_agent_left_is_unlocked_and_its_state_is_put_back() {
    let scene = Scene::play().await;
    let shell = operator(&scene.plane);
    eventually(async || shell.ok("$HADRON runs --status LOST").contains("environment/dev")).await;
    let state = shell.json("$HADRON state show environment/dev --output json");
    let lock = &state["lock"];
    assert_eq!((&lock["alive"], &lock["operation"]), (&false.into(), &"OperationTypeApply".into()));
    assert!(shell.ok("$HADRON state list --locked").contains("(dead)"), "the table tells it");
    let run = shell.json(&format!("$HADRON runs {} --output json", lock["deploymentId"]));
    assert_eq!((&run["status"], &run["lock"]["lockId"]), (&"LOST".into(), &lock["lockId"]));

    shell.file("mine", r#"{"version":4,"serial":1,"lineage":"mine","outputs":{},"resources":[]}"#);
    shell.run("$HADRON state push environment/dev mine --force").failed(13, &["is locked by deployment"]);
    shell.run("$HADRON state unlock environment/dev other-id").failed(13, &["ConflictException"]);
    shell.ok(&format!("$HADRON state unlock environment/dev {}", lock["lockId"]));
    shell.run("$HADRON cancel environment/dev").printed("environment dev is CANCELLED");
    shell.run("$HADRON cancel environment/dev").failed(1, &["no deployment under way"]);

    scene.update().await;
    let _heir = scene.agent("heir");
    scene.user.deployed("dev").await;
    put_back(&shell);
    // What was put back is what the next deployment starts from.
    scene.update().await;
    scene.user.deployed("dev").await;
    assert_eq!(scene.user.outputs("dev").await["First"], "made before the end");
    executor(&shell, &scene).await;
}

/// Takes a state out, puts another in, and the first one back.
fn put_back(shell: &Shell) {
    shell.ok("$HADRON state pull environment/dev > before");
    let before: Value = serde_json::from_str(&fs::read_to_string(shell.folder().join("before")).unwrap()).unwrap();
    let mut next = before.clone();
    next["serial"] = (before["serial"].as_i64().unwrap() + 1).into();
    next["resources"] = Value::Array(Vec::new());
    shell.file("next", next.to_string());
    let shown = shell.json("$HADRON state push environment/dev next --output json");
    assert_eq!(shown["serial"], next["serial"]);
    shell.run("$HADRON state push environment/dev before").failed(13, &["doesn't continue"]);
    shell.run("$HADRON state push environment/dev mine").failed(13, &["its lineage is mine"]);
    shell.run("echo {} | $HADRON state push environment/dev -").failed(1, &["no terraform state"]);
    shell.ok("$HADRON state push environment/dev before --force");
    let arn = shown["targetArn"].as_str().unwrap();
    assert_eq!(shell.json(&format!("$HADRON state pull {arn}")), before);
    let serial = &next["serial"];
    assert_eq!(shell.json(&format!("$HADRON state pull environment/dev --serial {serial}")), next);
    let versions = shell.json("$HADRON state versions environment/dev --output json");
    assert_eq!(versions[0]["serial"], before["serial"], "newest first: {versions}");
    assert_eq!(versions[0]["writtenBy"], "arn:aws:iam::123456789012:user/admin");
    shell.run("$HADRON state show environment/nowhere").failed(1, &["ResourceNotFoundException"]);
}

/// Hands the environment to a pipeline and back.
async fn executor(shell: &Shell, scene: &Scene) {
    shell.ok("$HADRON executor dev ci");
    scene.update().await;
    shell.run("$HADRON executor dev agent").failed(1, &["is under way"]);
    let waiting = shell.json("$HADRON runs --target environment/dev --status WAITING --output json");
    let arn = waiting[0]["targetArn"].as_str().unwrap();
    let id = waiting[0]["deploymentId"].as_str().unwrap();
    shell.ok(&format!(
        "aws proton notify-resource-deployment-status-change --resource-arn {arn} --deployment-id {id} --status SUCCEEDED"
    ));
    shell.ok("$HADRON executor dev agent");
    scene.update().await;
    scene.user.deployed("dev").await;
}
