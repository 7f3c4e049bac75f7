//! The gate with real Terraform: people decide on a plan, and on no other, before it is applied.

use hadron::agent::EnvironmentConfig;
use hadron::support::cipher::Cipher;
use hadron::support::credential::derived_key;

use super::*;

const ANN: &str = "arn:aws:iam::123456789012:user/ann";

impl Scene {
    fn gated(&self) -> Config {
        let mut config = self.config();
        config.environments.insert("*".into(), EnvironmentConfig { approval: true, ..EnvironmentConfig::default() });
        config
    }

    async fn gated_agent(&self) -> Agent {
        Agent::new(self.gated()).await.unwrap()
    }

    /// Waits until the agent asks about a plan that isn't this one.
    async fn asked_after(&self, id: &str, before: Option<&str>) -> (String, String) {
        let asked = || self.proton.deployment(id).plan.filter(|(digest, _)| Some(digest.as_str()) != before);
        until("a plan to be asked about", || asked().is_some()).await;
        asked().unwrap()
    }

    async fn asked(&self, id: &str) -> (String, String) {
        self.asked_after(id, None).await
    }

    /// Waits until the plan that is asked about lies there for people as well, and nowhere in clear.
    async fn shown(&self, id: &str) {
        until("the plan to be shown", || self.run_dir(id).join("2-show/shown").exists()).await;
    }

    fn decide(&self, id: &str, digest: &str, answer: &[(&'static str, &str)]) {
        let answer = answer.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.proton.change(id, |deployment| deployment.decision = Some((digest.to_owned(), answer)));
    }

    fn approve(&self, id: &str, digest: &str) {
        self.decide(id, digest, &[("x-hadron-decision", "approved"), ("x-hadron-decided-by", ANN)]);
    }

    /// Where the plan lies in clear.
    fn plan_file(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("plan/plan.tfplan")
    }

    fn sealed_file(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("plan/plan.sealed")
    }

    /// A waiting plan in clear, as whoever has the secret of the agent's access key can open it.
    fn opened(&self, id: &str) -> Vec<u8> {
        let sealed = std::fs::read(self.sealed_file(id)).unwrap();
        let rest = sealed.strip_prefix(b"\0hadron-plan\x01").unwrap();
        let (digest, encrypted) = rest.split_at(32);
        let purpose = format!("hadron: seals the saved plans of run {id}/1");
        let cipher = Cipher::new(&derived_key(&Secret::new("hadron"), &purpose));
        let place = [format!("{id}/1/0").as_bytes(), b"\0", digest].concat();
        cipher.decrypt(encrypted.to_vec(), &place).unwrap()
    }

    /// Names of the files in the run's plan folder.
    fn plan_files(&self, id: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.run_dir(id).join("plan")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// An agent that has made this deployment's plan, and died over it; the plan's digest.
    async fn dies_waiting(&self, id: &str) -> String {
        let first = self.gated_agent().await;
        let work = tokio::spawn(async move { first.drain(CancellationToken::new()).await });
        let (digest, _) = self.asked(id).await;
        self.shown(id).await;
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled());
        self.proton.change(id, |deployment| deployment.plan = None);
        digest
    }
}

fn drains(agent: Agent) -> tokio::task::JoinHandle<Verdict> {
    tokio::spawn(async move { agent.drain(CancellationToken::new()).await.unwrap() })
}

#[tokio::test]
async fn what_people_approve_is_what_is_applied() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let work = drains(scene.gated_agent().await);
    let (digest, summary) = scene.asked("d1").await;
    assert_eq!(summary, "1 to add, 0 to change, 0 to destroy");
    scene.shown("d1").await;
    let file = scene.sealed_file("d1");
    assert_eq!(digest, hex::encode(Sha256::digest(scene.opened("d1"))), "people approve the plan, not its seal");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(scene.plan_files("d1"), ["plan.sealed"]);
    assert!(scene.states.locks.lock().unwrap().is_empty(), "whoever waits locks nothing");
    let plan = String::from_utf8(scene.s3.get("proton/runs/d1/1/plan.txt").unwrap().to_vec()).unwrap();
    assert!(plan.contains("# terraform_data.one will be created"), "{plan}");
    assert!(plan.contains("password = (sensitive value)") && !plan.contains("hush"), "{plan}");
    scene.approve("d1", &"0".repeat(64));
    assert!(!scene.run_dir("d1").join("2-apply").exists(), "another plan's approval is none");
    scene.approve("d1", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
    let done = scene.proton.deployment("d1");
    assert_eq!((done.status.as_str(), done.outputs.len()), ("SUCCEEDED", 3));
    assert!(!scene.run_dir("d1").join("plan").exists(), "it holds secrets");
    let summary = scene.s3.get("proton/runs/d1/1/summary.json").unwrap().to_vec();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!((&summary["changes"], summary["resources"].as_array().unwrap().len()), (&json!([1, 0, 0]), 1));
}

#[tokio::test]
async fn a_plan_without_changes_asks_nobody() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    scene.deploys("d2", "dev", THREE_OUTPUTS);
    assert_eq!(drains(scene.gated_agent().await).await.unwrap(), Verdict::Done);
    let done = scene.proton.deployment("d2");
    assert_eq!((done.plan, done.status.as_str(), done.outputs.len()), (None, "SUCCEEDED", 3));
    let summary = scene.s3.get("proton/runs/d2/1/summary.json").unwrap().to_vec();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["resources"][0][2], "noop", "what the plan has read is what there is");
}

#[tokio::test]
async fn a_rejected_plan_changes_nothing_and_says_who_and_why() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let work = drains(scene.gated_agent().await);
    let (digest, _) = scene.asked("d1").await;
    let why = ("x-hadron-decision-comment", "zu gro%C3%9F");
    scene.decide("d1", &digest, &[("x-hadron-decision", "rejected"), ("x-hadron-decided-by", ANN), why]);
    assert_eq!(work.await.unwrap().exit_code(), 12);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "FAILED");
    let words = format!("the plan (1 to add, 0 to change, 0 to destroy) was rejected by {ANN}: zu groß");
    assert!(done.message.starts_with(&words), "{}", done.message);
    assert!(!scene.run_dir("d1").join("2-apply").exists() && scene.plan_files("d1").is_empty());
    assert!(scene.states.kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_cancel_ends_the_waiting() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let work = drains(scene.gated_agent().await);
    scene.asked("d1").await;
    scene.proton.change("d1", |deployment| deployment.status = "CANCELLING".into());
    assert_eq!(work.await.unwrap(), Verdict::Cancelled);
    assert!(!scene.run_dir("d1").join("2-apply").exists());
}

#[tokio::test]
async fn a_restarted_agent_goes_on_waiting_with_the_same_plan() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let digest = scene.dies_waiting("d1").await;
    let work = drains(scene.gated_agent().await);
    assert_eq!(scene.asked("d1").await.0, digest);
    scene.approve("d1", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
    let log = scene.s3.keys("proton/runs/d1/1/log/");
    let log: String = log.iter().map(|key| String::from_utf8(scene.s3.get(key).unwrap().to_vec()).unwrap()).collect();
    assert_eq!((log.matches("Plan: 1 to add").count(), log.matches("Apply complete").count()), (1, 1), "{log}");
}

#[tokio::test]
async fn an_agent_that_is_asked_to_go_does_not_wait_for_people() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let (agent, stop) = (scene.gated_agent().await, CancellationToken::new());
    let going = stop.clone();
    let work = tokio::spawn(async move { agent.drain(going).await.unwrap() });
    let (digest, _) = scene.asked("d1").await;
    stop.cancel();
    assert_eq!(work.await.unwrap().exit_code(), 20);
    assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS", "nobody was told an end");
    scene.approve("d1", &digest);
    // The gate is gone from the settings, but this run has come to it.
    assert_eq!(scene.drains().await, Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
}

#[tokio::test]
async fn a_stale_plan_is_made_and_asked_about_again() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    scene.deploys("d2", "dev", &THREE_OUTPUTS.replace("vpc-1", "vpc-2"));
    let work = drains(scene.gated_agent().await);
    let (first, summary) = scene.asked("d2").await;
    assert_eq!(summary, "0 to add, 1 to change, 0 to destroy");
    {
        let mut kept = scene.states.kept.lock().unwrap();
        let mut moved: Value = serde_json::from_slice(&kept["/dev"]).unwrap();
        moved["serial"] = (moved["serial"].as_i64().unwrap() + 1).into();
        kept.insert("/dev".into(), moved.to_string().into());
    }
    scene.approve("d2", &first);
    let (digest, _) = scene.asked_after("d2", Some(&first)).await;
    assert_eq!(scene.proton.deployment("d2").status, "IN_PROGRESS");
    scene.approve("d2", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
    let vpc = ("vpc".to_owned(), "vpc-2".to_owned());
    assert!(scene.proton.deployment("d2").outputs.contains(&vpc));
    let log = scene.s3.keys("proton/runs/d2/1/log/");
    let log: String = log.iter().map(|key| String::from_utf8(scene.s3.get(key).unwrap().to_vec()).unwrap()).collect();
    assert_eq!(log.matches("Plan: 0 to add, 1 to change").count(), 2, "both rounds are in the log: {log}");
    assert!(log.contains("Saved plan is stale") && log.contains("Apply complete"), "{log}");
}

#[tokio::test]
async fn a_run_that_waits_keeps_no_other_from_running() {
    let scene = Scene::hadron().await;
    // A state for each, or the other one's apply would make the plan stale.
    scene.proton.far.claim_headers.lock().unwrap().retain(|(name, _)| *name != "x-hadron-state");
    *scene.proton.far.states_at.lock().unwrap() = Some(scene.state_url.clone());
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let mut config = scene.gated();
    config.concurrency = 1;
    config.environments.insert("open".into(), EnvironmentConfig::default());
    let work = drains(Agent::new(config).await.unwrap());
    let (digest, _) = scene.asked("d1").await;
    scene.deploys("d2", "open", "output \"one\" {\n  value = 1\n}\n");
    until("the other one", || scene.proton.deployment("d2").status == "SUCCEEDED").await;
    scene.approve("d1", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
}

#[tokio::test]
async fn an_endpoint_that_cannot_ask_is_told_so_before_anything_changes() {
    let scene = Scene::stock().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let mut config = scene.gated();
    let mut choices = config.environments["*"].clone();
    choices.state = Some(S3State {
        bucket: "state".into(),
        region: "us-east-1".into(),
        endpoint: Some(scene.s3.url.clone()),
        use_path_style: true,
        dynamodb_table: None,
    });
    config.environments.insert("*".into(), choices);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    config.child_env = [pair("AWS_ACCESS_KEY_ID", "AKIDTERRAFORM"), pair("AWS_SECRET_ACCESS_KEY", "x")].into();
    assert_eq!(drains(Agent::new(config).await.unwrap()).await.unwrap(), Verdict::Settings);
    let done = scene.proton.deployment("d1");
    assert!(done.message.contains("can't ask people"), "{}", done.message);
    assert!(!scene.run_dir("d1").join("2-apply").exists());
}

#[tokio::test]
async fn a_plan_that_a_crash_left_in_clear_is_sealed_before_anybody_is_asked() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let digest = scene.dies_waiting("d1").await;
    // As a crash leaves it before the sealing …
    std::fs::write(scene.plan_file("d1"), scene.opened("d1")).unwrap();
    std::fs::remove_file(scene.sealed_file("d1")).unwrap();
    assert_eq!(scene.dies_waiting("d1").await, digest);
    assert_eq!(scene.plan_files("d1"), ["plan.sealed"]);
    // … and after it was opened for an apply that never began.
    std::fs::write(scene.plan_file("d1"), scene.opened("d1")).unwrap();
    let work = drains(scene.gated_agent().await);
    assert_eq!(scene.asked("d1").await.0, digest);
    assert_eq!(scene.plan_files("d1"), ["plan.sealed"]);
    scene.approve("d1", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
}

#[tokio::test]
async fn a_plan_that_an_earlier_life_could_not_show_is_shown_by_the_next() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let digest = scene.dies_waiting("d1").await;
    std::fs::remove_file(scene.run_dir("d1").join("2-show/shown")).unwrap();
    let work = drains(scene.gated_agent().await);
    assert_eq!(scene.asked("d1").await.0, digest);
    scene.shown("d1").await;
    assert_eq!(scene.plan_files("d1"), ["plan.sealed"], "and lies in clear only meanwhile");
    scene.approve("d1", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
}

#[tokio::test]
async fn a_plan_that_another_key_has_sealed_is_made_and_asked_about_again() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let first = scene.dies_waiting("d1").await;
    scene.approve("d1", &first);
    // The same plan made in the same second is the same to the byte, and is approved then; a zip counts in two seconds.
    let planned = std::time::Instant::now();
    until("a later plan to be another file", || planned.elapsed() > Duration::from_secs(2)).await;
    let mut config = scene.gated();
    config.proton.credentials = Some(("AKIDHADRON".into(), Secret::new("another")));
    let work = drains(Agent::new(config).await.unwrap());
    let (digest, _) = scene.asked("d1").await;
    assert_ne!(digest, first);
    assert!(!scene.run_dir("d1").join("2-apply").exists(), "the approval was for a plan that nobody can open");
    assert!(scene.plan_files("d1").is_empty());
    scene.approve("d1", &digest);
    assert_eq!(work.await.unwrap(), Verdict::Done);
    assert_eq!(scene.proton.deployment("d1").status, "SUCCEEDED");
    let again = scene.run_dir("d1").join("again-1");
    assert!(again.join("2-apply").exists() && !again.join("plan").exists());
}

/// A plan's file bears its time in steps of two seconds: of two plans of one moment and content one is the other, and
/// approved with it.
async fn another_moment() {
    tokio::time::sleep(Duration::from_millis(2100)).await;
}

#[tokio::test]
async fn a_plan_that_was_tampered_with_while_it_waited_is_not_applied() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let work = drains(scene.gated_agent().await);
    let (first, _) = scene.asked("d1").await;
    another_moment().await;
    let mut sealed = std::fs::read(scene.sealed_file("d1")).unwrap();
    *sealed.last_mut().unwrap() ^= 1;
    std::fs::write(scene.sealed_file("d1"), sealed).unwrap();
    scene.approve("d1", &first);
    let (second, _) = scene.asked_after("d1", Some(&first)).await;
    // One that was taken away is no better.
    another_moment().await;
    std::fs::remove_file(scene.run_dir("d1").join("again-1/plan/plan.sealed")).unwrap();
    scene.approve("d1", &second);
    let (third, _) = scene.asked_after("d1", Some(&second)).await;
    let begun = |round: &str| scene.run_dir("d1").join(round).join("2-apply").exists();
    assert!(!begun("") && !begun("again-1"));
    scene.approve("d1", &third);
    assert_eq!(work.await.unwrap(), Verdict::Done);
    assert!(begun("again-2"));
}

#[tokio::test]
async fn a_plan_in_clear_outlives_its_apply_only_until_the_agent_is_back() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::hadron().await;
    let (began, go) = (scene.file("began"), scene.file("go"));
    let waits = format!("touch {}; while [ ! -e {} ]; do sleep 0.05; done", began.display(), go.display());
    let main = format!(
        "resource \"terraform_data\" \"one\" {{\n  provisioner \"local-exec\" {{\n    command = \"{waits}\"\n  }}\n}}\n"
    );
    scene.deploys("d1", "dev", &main);
    let first = scene.gated_agent().await;
    let work = tokio::spawn(async move { first.drain(CancellationToken::new()).await });
    let (digest, _) = scene.asked("d1").await;
    scene.approve("d1", &digest);
    until("the apply", || began.exists()).await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    assert_eq!(std::fs::metadata(scene.plan_file("d1")).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&go, "").unwrap();
    assert_eq!(drains(scene.gated_agent().await).await.unwrap(), Verdict::Done);
    assert!(!scene.run_dir("d1").join("plan").exists());
}
