//! Ends that aren't clean, against far ends that refuse at the wrong moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hadron::agent::{Agent, Config, EnvironmentConfig, S3State};
use hadron::domain::Verdict;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Scene, lines, runs, until};
use crate::far_end::s3::{Fault, Harm};

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

/// An agent's settings with the state in a bucket.
fn in_bucket(scene: &Scene) -> Config {
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
    config
}

async fn drains_in_bucket(scene: &Scene) -> Verdict {
    Agent::new(in_bucket(scene)).await.unwrap().drain(CancellationToken::new()).await.unwrap()
}

/// What an end said of which runs it settles.
fn settled_by(scene: &Scene, id: &str) -> Option<String> {
    let told = scene.proton.seen("NotifyResourceDeploymentStatusChange");
    let end = told.iter().rfind(|seen| seen.json()["deploymentId"] == id && seen.json()["status"] != "IN_PROGRESS");
    end.unwrap().header("x-hadron-settled").map(str::to_owned)
}

#[tokio::test]
async fn where_no_server_blocks_a_target_the_agent_keeps_from_it_until_the_printed_command_is_run() {
    let scene = Scene::stock().await;
    // There is a state before; to an empty one Terraform gives whatever lineage it finds.
    scene.deploys("d0", "dev", &ONE.replace("one", "zero"));
    assert_eq!(drains_in_bucket(&scene).await, Verdict::Done);
    let (started, go) = (scene.file("started"), scene.file("go"));
    let command = format!("touch {}; until test -e {}; do sleep 0.05; done", started.display(), go.display());
    scene.deploys("d1", "dev", &runs(&command));
    let fault = Fault { method: "PUT", at: "terraform.tfstate?", harm: Harm::Denied };
    scene.s3.store.faults.lock().unwrap().push(fault);
    let agent = Agent::new(in_bucket(&scene)).await.unwrap();
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    let other = json!({"version": 4, "serial": 9, "lineage": "somebody else's", "resources": []});
    scene.s3.put("state/dev/terraform.tfstate", other.to_string());
    fs::write(&go, "").unwrap();
    assert_eq!(work.await.unwrap().unwrap().exit_code(), 13);
    scene.s3.store.faults.lock().unwrap().clear();
    let done = scene.proton.deployment("d1");
    let words = "This agent keeps from the target until one of these is run:";
    assert!(done.status == "FAILED" && done.message.contains(words), "{}", done.message);
    assert!(errored(&scene, "d1").exists() && scene.run_dir("d1").join("at-risk").exists());
    assert_eq!(settled_by(&scene, "d1").as_deref(), Some("none"), "whoever claims next is told of it");

    scene.deploys("d2", "dev", ONE);
    assert_eq!(drains_in_bucket(&scene).await.exit_code(), 13);
    let kept = scene.proton.deployment("d2").message;
    assert!(kept.contains("lineage") && !scene.run_dir("d2").join("2-apply").exists(), "{kept}");
    assert_eq!(scene.s3.get("state/dev/terraform.tfstate").unwrap(), other.to_string(), "nothing is overwritten");

    let remove = kept.lines().find_map(|line| line.trim().strip_prefix("rm ")).unwrap();
    fs::remove_file(remove).unwrap();
    scene.deploys("d3", "dev", ONE);
    assert_eq!(drains_in_bucket(&scene).await, Verdict::Done, "{}", scene.proton.deployment("d3").message);
    assert!(!scene.run_dir("d1").join("at-risk").exists(), "the note is gone with its cause");
}

#[tokio::test]
async fn a_first_state_that_a_bucket_did_not_take_is_pushed() {
    let scene = Scene::stock().await;
    let fault = Fault { method: "PUT", at: "terraform.tfstate?", harm: Harm::DeniedOnce };
    scene.s3.store.faults.lock().unwrap().push(fault);
    scene.deploys("d1", "dev", ONE);
    let verdict = drains_in_bucket(&scene).await;
    let message = scene.proton.deployment("d1").message;
    assert!(verdict == Verdict::ApplyFailed && message.contains("was pushed"), "{verdict:?}: {message}");
    let state: Value = serde_json::from_slice(&scene.s3.get("state/dev/terraform.tfstate").unwrap()).unwrap();
    assert_eq!(state["resources"].as_array().unwrap().len(), 1);
    assert!(!errored(&scene, "d1").exists(), "its copy on the disk is gone");
}

#[tokio::test]
async fn what_earlier_runs_have_left_and_nobody_could_settle_is_left_to_the_next_claim() {
    let scene = scene().await;
    scene.proton.far.claim_headers.lock().unwrap().push(("x-hadron-unsettled", "d0.1".into()));
    *scene.states.locks_away.lock().unwrap() = true;
    scene.deploys("d1", "dev", ONE);
    let config = Config { settle_patience: Duration::from_secs(1), ..scene.config() };
    let verdict = Agent::new(config).await.unwrap().drain(CancellationToken::new()).await.unwrap();
    let done = scene.proton.deployment("d1");
    assert_eq!((verdict.exit_code(), done.status.as_str()), (13, "FAILED"), "{}", done.message);
    assert!(!scene.run_dir("d1").join("2-apply").exists(), "nothing is applied on what isn't known");
    assert_eq!(settled_by(&scene, "d1").as_deref(), Some("none"));

    *scene.states.locks_away.lock().unwrap() = false;
    scene.deploys("d2", "dev", ONE);
    assert_eq!(scene.drains().await, Verdict::Done, "{}", scene.proton.deployment("d2").message);
    assert_eq!(settled_by(&scene, "d2"), None, "it settles all that its claim was told of");
}

/// A module whose first apply hangs once it has begun, and where that shows.
fn hangs_once(scene: &Scene) -> (String, PathBuf, PathBuf) {
    let (count, started) = (scene.file("count"), scene.file("started"));
    let command = format!(
        "echo ran >> {0}; touch {1}; if test $(wc -l < {0}) = 1; then sleep 60; fi",
        count.display(),
        started.display()
    );
    (runs(&command), count, started)
}

fn kill_all_of(run_dir: &Path) {
    for pid in processes(run_dir) {
        kill_process(pid, Signal::KILL).unwrap();
    }
}

#[tokio::test]
async fn a_lock_file_of_our_own_dead_terraform_is_released_and_the_run_goes_on() {
    let scene = Scene::stock().await;
    let (module, count, started) = hangs_once(&scene);
    scene.deploys("d1", "dev", &module);
    let agent = Agent::new(in_bucket(&scene)).await.unwrap();
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    assert_eq!(scene.s3.keys("state/"), ["state/dev/terraform.tfstate.tflock"]);
    kill_all_of(&scene.run_dir("d1"));
    assert_eq!(work.await.unwrap().unwrap(), Verdict::Done, "{}", scene.proton.deployment("d1").message);
    assert_eq!(lines(&count), ["ran", "ran"], "the resource lives in the state only, so it was made anew");
    assert_eq!(scene.s3.keys("state/"), ["state/dev/terraform.tfstate"], "no lock is left");
}

/// The plan had a lock of its own.
#[tokio::test]
async fn the_lock_file_of_an_apply_that_people_approved_is_released() {
    let scene = Scene::hadron().await;
    scene.proton.far.claim_headers.lock().unwrap().retain(|(name, _)| *name != "x-hadron-state");
    let (module, count, started) = hangs_once(&scene);
    scene.deploys("d1", "dev", &module);
    let mut config = in_bucket(&scene);
    config.environments.get_mut("*").unwrap().approval = true;
    let agent = Agent::new(config).await.unwrap();
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    let approved = |digest: String| {
        let answer = vec![("x-hadron-decision", "approved".to_owned()), ("x-hadron-decided-by", "ann".to_owned())];
        scene.proton.change("d1", |deployment| deployment.decision = Some((digest, answer)));
    };
    until("the plan", || scene.proton.deployment("d1").plan.is_some()).await;
    approved(scene.proton.deployment("d1").plan.unwrap().0);
    until("the apply", || started.exists()).await;
    kill_all_of(&scene.run_dir("d1"));
    until("the lock to be released", || scene.s3.keys("state/").iter().all(|key| !key.ends_with(".tflock"))).await;
    work.abort();
    assert_eq!(lines(&count), ["ran"]);
}

/// Terraform ends by itself then, and says so.
#[tokio::test]
async fn a_lock_that_terraform_could_not_give_back_is_released() {
    let scene = Scene::stock().await;
    let fault = Fault { method: "DELETE", at: "tflock", harm: Harm::DeniedOnce };
    scene.s3.store.faults.lock().unwrap().push(fault);
    scene.deploys("d1", "dev", ONE);
    assert_eq!(drains_in_bucket(&scene).await, Verdict::ApplyFailed);
    let message = scene.proton.deployment("d1").message;
    assert!(message.contains("nothing is locked") && !message.contains("force-unlock"), "{message}");
    assert_eq!(scene.s3.keys("state/"), ["state/dev/terraform.tfstate"], "no lock is left");
    scene.deploys("d2", "dev", ONE);
    assert_eq!(drains_in_bucket(&scene).await, Verdict::Done);
}

#[tokio::test]
async fn a_lock_that_a_plan_could_not_give_back_is_released() {
    let scene = Scene::hadron().await;
    scene.proton.far.claim_headers.lock().unwrap().retain(|(name, _)| *name != "x-hadron-state");
    let fault = Fault { method: "DELETE", at: "tflock", harm: Harm::DeniedOnce };
    scene.s3.store.faults.lock().unwrap().push(fault);
    scene.deploys("d1", "dev", ONE);
    let mut config = in_bucket(&scene);
    config.environments.get_mut("*").unwrap().approval = true;
    let verdict = Agent::new(config).await.unwrap().drain(CancellationToken::new()).await.unwrap();
    let message = scene.proton.deployment("d1").message;
    assert!(verdict == Verdict::PlanFailed && message.contains("No resource was changed"), "{verdict:?}: {message}");
    assert_eq!(scene.s3.keys("state/"), Vec::<String>::new(), "no lock is left");
}

#[tokio::test]
async fn a_lock_that_nobody_can_give_back_is_told() {
    let scene = Scene::stock().await;
    let fault = Fault { method: "DELETE", at: "tflock", harm: Harm::Denied };
    scene.s3.store.faults.lock().unwrap().push(fault);
    scene.deploys("d1", "dev", ONE);
    assert_eq!(drains_in_bucket(&scene).await, Verdict::ApplyFailed);
    let message = scene.proton.deployment("d1").message;
    let lock: Value = serde_json::from_slice(&scene.s3.get("state/dev/terraform.tfstate.tflock").unwrap()).unwrap();
    let way_out = format!("terraform force-unlock {}", lock["ID"].as_str().unwrap());
    assert!(message.contains("denied") && message.contains(&way_out), "{message}");
}

/// As another host's Terraform leaves it that has taken the lock meanwhile.
#[tokio::test]
async fn a_lock_file_that_nothing_proves_to_be_ours_stays_and_is_told() {
    let scene = Scene::stock().await;
    let (module, _, started) = hangs_once(&scene);
    scene.deploys("d1", "dev", &module);
    let agent = Agent::new(in_bucket(&scene)).await.unwrap();
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the apply", || started.exists()).await;
    let key = "state/dev/terraform.tfstate.tflock";
    let mut info: Value = serde_json::from_slice(&scene.s3.get(key).unwrap()).unwrap();
    info["Who"] = "ann@elsewhere".into();
    scene.s3.put(key, info.to_string());
    let [_, terraform] = processes(&scene.run_dir("d1"));
    kill_process(terraform, Signal::KILL).unwrap();
    assert_eq!(work.await.unwrap().unwrap(), Verdict::ApplyFailed);
    let message = scene.proton.deployment("d1").message;
    let id = info["ID"].as_str().unwrap();
    assert!(message.contains("ann@elsewhere") && message.contains(&format!("force-unlock {id}")), "{message}");
    assert!(scene.s3.keys("state/").contains(&key.to_owned()));
}
