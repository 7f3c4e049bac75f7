//! Ends that aren't clean, against far ends that refuse at the wrong moment.

use std::fs;
use std::path::{Path, PathBuf};

use hadron::agent::{Agent, EnvironmentConfig, S3State, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Scene, lines, runs, until};

/// A scene whose state lies where blocks have an address beside it.
async fn scene() -> Scene {
    let scene = Scene::hadron().await;
    let url = format!("{}/_hadron/state/dev", scene.state_url);
    scene.proton.far.claim_headers.lock().unwrap().retain(|(name, _)| *name != "x-hadron-state");
    scene.proton.far.claim_headers.lock().unwrap().push(("x-hadron-state", url));
    scene
}

fn kept(scene: &Scene) -> Option<Value> {
    let kept = scene.states.kept.lock().unwrap();
    kept.get("/_hadron/state/dev").map(|state| serde_json::from_slice(state).unwrap())
}

fn errored(scene: &Scene, id: &str) -> PathBuf {
    scene.run_dir(id).join("work/errored.tfstate")
}

const ONE: &str = "resource \"terraform_data\" \"one\" {}\n";

#[tokio::test]
async fn a_state_that_terraform_could_not_save_is_pushed() {
    let scene = scene().await;
    scene.deploys("d1", "dev", ONE);
    *scene.states.refuse.lock().unwrap() = 1;
    assert_eq!(scene.drains().await, Verdict::ApplyFailed);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "FAILED");
    assert!(
        done.message.contains("could not save the state") && done.message.contains("was pushed"),
        "{}",
        done.message
    );
    assert_eq!(kept(&scene).unwrap()["resources"].as_array().unwrap().len(), 1);
    assert!(!errored(&scene, "d1").exists(), "its copy on the disk is gone");
    assert!(scene.states.locks.lock().unwrap().is_empty());
    assert!(scene.states.blocks.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_state_that_would_fork_is_parked_and_the_way_out_is_told() {
    let scene = scene().await;
    scene.deploys("d1", "dev", ONE);
    *scene.states.refuse.lock().unwrap() = 1;
    let other = json!({"version": 4, "serial": 9, "lineage": "somebody else's", "resources": []});
    *scene.states.meanwhile.lock().unwrap() = Some(other.to_string().into());
    assert_eq!(scene.drains().await.exit_code(), 13);
    let done = scene.proton.deployment("d1");
    assert!(done.status == "FAILED" && done.message.contains("\n  hadron state push dev --parked"), "{}", done.message);
    let blocks = scene.states.blocks.lock().unwrap();
    assert!(blocks[0]["state"].as_str().unwrap().contains("terraform_data"), "{blocks:?}");
    assert!(blocks[0]["reason"].as_str().unwrap().contains("lineage"), "{blocks:?}");
    drop(blocks);
    assert_eq!(kept(&scene).unwrap(), other, "nothing is overwritten");
    assert!(!errored(&scene, "d1").exists(), "it isn't tried again");
}

/// The pid of the Terraform that works below a run's directory, and of its supervisor.
fn processes(run_dir: &Path) -> [Pid; 2] {
    let process: Value = serde_json::from_slice(&fs::read(run_dir.join("2-apply/pid.json")).unwrap()).unwrap();
    let terraform = process["pid"].as_i64().unwrap();
    let stat = fs::read_to_string(format!("/proc/{terraform}/stat")).unwrap();
    let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
    [parent, i32::try_from(terraform).unwrap()].map(|pid| Pid::from_raw(pid).unwrap())
}

#[tokio::test]
async fn a_lock_file_of_our_own_dead_terraform_is_released_and_the_run_goes_on() {
    let scene = Scene::stock().await;
    let (count, started) = (scene.file("count"), scene.file("started"));
    let command = format!(
        "echo ran >> {0}; touch {1}; if test $(wc -l < {0}) = 1; then sleep 60; fi",
        count.display(),
        started.display()
    );
    scene.deploys("d1", "dev", &runs(&command));
    let mut config = scene.config();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    config.child_env = [pair("AWS_ACCESS_KEY_ID", "AKIDTERRAFORM"), pair("AWS_SECRET_ACCESS_KEY", "x")].into();
    let state = S3State {
        bucket: "state".into(),
        region: "us-east-1".into(),
        endpoint: Some(scene.s3.url.clone()),
        use_path_style: true,
        dynamodb_table: None,
    };
    config.environments.insert("*".into(), EnvironmentConfig { state: Some(state), ..EnvironmentConfig::default() });
    let agent = Agent::new(config).await.unwrap();
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    let run_dir = scene.run_dir("d1");
    until("the lock's record", || run_dir.join("lock.json").exists()).await;
    assert_eq!(scene.s3.keys("state/"), ["state/dev/terraform.tfstate.tflock"]);
    for pid in processes(&run_dir) {
        kill_process(pid, Signal::KILL).unwrap();
    }
    assert_eq!(work.await.unwrap().unwrap(), Verdict::Done, "{}", scene.proton.deployment("d1").message);
    assert_eq!(lines(&count), ["ran", "ran"], "the resource lives in the state only, so it was made anew");
    assert_eq!(scene.s3.keys("state/"), ["state/dev/terraform.tfstate"], "no lock is left");
}
