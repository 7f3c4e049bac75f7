//! A run's records, with a store that fails, hangs or is slow, and with agents that are killed.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime};

use hadron::terraform::{Event, Lines};

use super::*;
use crate::far_end::s3::{Fault, Harm};

/// What the end of a run waits for a store at most.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(4);

impl Scene {
    fn harm(&self, faults: &[(&'static str, &'static str)], harm: Harm) {
        let faults = faults.iter().map(|(method, at)| Fault { method, at, harm });
        self.s3.store.faults.lock().unwrap().extend(faults);
    }

    fn heal(&self) {
        self.s3.store.faults.lock().unwrap().clear();
    }

    /// A stream as it lies in the bucket; its pieces must follow each other without gap and overlap.
    fn stream(&self, id: &str, name: &str) -> Vec<u8> {
        let mut all = Vec::new();
        for key in self.s3.keys(&format!("proton/runs/{id}/1/{name}/")) {
            let offset: usize = key.rsplit('/').next().unwrap().parse().unwrap();
            assert_eq!(offset, all.len(), "{key} doesn't follow what is before it");
            all.extend_from_slice(&self.s3.get(&key).unwrap());
        }
        all
    }

    /// What both streams must be, by the run directory.
    fn truth(&self, id: &str) -> (Vec<u8>, Vec<u8>) {
        let (mut log, mut events) = (Vec::new(), Vec::new());
        for step in ["1-init", "2-plan", "2-apply", "2-destroy"] {
            let folder = self.run_dir(id).join(step);
            let stdout = std::fs::read(folder.join("stdout.jsonl")).unwrap_or_default();
            let mut lines = Lines::default();
            let mut human =
                |line: &str| log.extend(Event::parse(line).human().map(|text| text + "\n").unwrap_or_default().bytes());
            lines.take(&stdout, &mut human);
            lines.finish(&mut human);
            log.extend(std::fs::read(folder.join("stderr.log")).unwrap_or_default());
            events.extend(stdout);
        }
        (log, events)
    }

    fn assert_all_sent(&self, id: &str) {
        let (log, events) = self.truth(id);
        assert!(!events.is_empty());
        assert!(self.stream(id, "events") == events, "the events are those on disk, byte by byte");
        assert!(self.stream(id, "log") == log, "the log is that of the disk, byte by byte");
        assert!(self.s3.get(&format!("proton/runs/{id}/1/summary.json")).is_some());
        assert!(self.run_dir(id).join("sent").exists());
    }

    /// How long the apply took, and how long after its end the report was heard.
    fn times(&self, id: &str) -> (Duration, Duration) {
        let written = |name: &str| {
            let file = self.run_dir(id).join("2-apply").join(name);
            std::fs::metadata(file).unwrap().modified().unwrap()
        };
        let (begun, ended) = (written("command.json"), written("exit.json"));
        let notifies = self.proton.seen("NotifyResourceDeploymentStatusChange");
        let report = notifies.iter().find(|seen| seen.json()["status"] != "IN_PROGRESS").unwrap();
        #[expect(clippy::disallowed_methods, reason = "a file's time is the system's")]
        let heard = SystemTime::now() - report.at.elapsed();
        (ended.duration_since(begun).unwrap(), heard.duration_since(ended).unwrap_or_default())
    }

    /// The longest silence between two signs of life.
    fn longest_silence(&self) -> Duration {
        let signs = self.proton.seen("NotifyResourceDeploymentStatusChange");
        signs.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
    }
}

async fn harmed_run(at: &'static str, harm: Harm) {
    let scene = Scene::with(proton::Proton { lease_seconds: 3, ..proton::Proton::default() }).await;
    scene.deploys("d1", "dev", &runs("sleep 1"));
    scene.harm(&[("PUT", at)], harm);
    let agent = scene.agent().await;
    let stop = CancellationToken::new();
    let work = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop).await }
    });
    until("the report", || scene.proton.deployment("d1").status == "SUCCEEDED").await;
    let (apply, report) = scene.times("d1");
    assert!(*scene.s3.store.harmed.lock().unwrap() > 0, "{at} {harm:?}: nothing came to harm");
    assert!(apply < Duration::from_secs(1) + SLACK, "{at} {harm:?}: the apply took {apply:?}");
    assert!(report < FAREWELL + SLACK, "{at} {harm:?}: the report came after {report:?}");
    assert!(scene.longest_silence() < Duration::from_secs(3) + SLACK, "{at} {harm:?}: the lease");
    stop.cancel();
    work.await.unwrap().unwrap();
    drop(agent);
    scene.heal();
    // The next life sends what is left.
    let stop = CancellationToken::new();
    let agent = scene.agent().await;
    let next = tokio::spawn({
        let stop = stop.clone();
        async move { agent.run(stop).await }
    });
    until("what is left to be sent", || scene.run_dir("d1").join("sent").exists()).await;
    stop.cancel();
    next.await.unwrap().unwrap();
    scene.assert_all_sent("d1");
}

#[tokio::test]
async fn a_store_that_fails_delays_neither_terraform_nor_the_report_and_gets_everything_later() {
    tokio::join!(
        harmed_run("/log/", Harm::Refused),
        harmed_run("/events/", Harm::Refused),
        harmed_run("/summary.json", Harm::Refused),
    );
}

#[tokio::test]
async fn a_store_that_hangs_delays_only_the_report_and_by_the_farewell_at_most() {
    tokio::join!(
        harmed_run("/log/", Harm::Hangs),
        harmed_run("/events/", Harm::Hangs),
        harmed_run("/summary.json", Harm::Hangs),
    );
}

#[tokio::test]
async fn a_store_that_is_slow_or_loses_answers_gets_every_byte_once() {
    tokio::join!(
        harmed_run("/runs/", Harm::Slow(Duration::from_millis(700))),
        harmed_run("/log/", Harm::AnswerLost),
        harmed_run("/events/", Harm::AnswerLost),
    );
}

#[tokio::test]
async fn a_plan_that_could_not_be_sent_is_asked_about_all_the_same_and_follows() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    scene.harm(&[("PUT", "/plan.txt")], Harm::Hangs);
    let mut config = scene.config();
    config.environments.insert("*".into(), EnvironmentConfig { approval: true, ..EnvironmentConfig::default() });
    let agent = Agent::new(config).await.unwrap();
    let stop = CancellationToken::new();
    let work = tokio::spawn({
        let stop = stop.clone();
        async move { agent.run(stop).await }
    });
    until("the question", || scene.proton.deployment("d1").plan.is_some()).await;
    assert!(scene.s3.get("proton/runs/d1/1/plan.txt").is_none());
    scene.heal();
    until("the plan", || scene.s3.get("proton/runs/d1/1/plan.txt").is_some()).await;
    stop.cancel();
    work.await.unwrap().unwrap();
}

#[tokio::test]
async fn events_of_resources_arrive_while_the_next_one_is_still_being_made() {
    let scene = Scene::hadron().await;
    let go = scene.file("go");
    let main = format!(
        "resource \"terraform_data\" \"first\" {{}}\nresource \"terraform_data\" \"second\" {{\n  input = terraform_data.first.id\n  \
         provisioner \"local-exec\" {{\n    command = \"while ! test -e {}; do sleep 0.05; done\"\n  }}\n}}\n",
        go.display()
    );
    scene.deploys("d1", "dev", &main);
    let agent = scene.agent().await;
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    let stdout = scene.run_dir("d1").join("2-apply/stdout.jsonl");
    let done = |text: &[u8]| String::from_utf8_lossy(text).contains("terraform_data.first: Creation complete");
    until("the first resource", || std::fs::read(&stdout).is_ok_and(|text| done(&text))).await;
    let said = Instant::now();
    until("its event in the bucket", || done(&scene.stream("d1", "events"))).await;
    let took = said.elapsed();
    std::fs::write(&go, "").unwrap();
    assert_eq!(work.await.unwrap().unwrap(), Verdict::Done);
    assert!(took < Duration::from_millis(250) + Duration::from_secs(1), "on a busy machine too: {took:?}");
    scene.assert_all_sent("d1");
}

/// The real agent, which can be killed.
struct Process(Child);

impl Process {
    fn start(scene: &Scene) -> Self {
        let env = BTreeMap::from([
            ("PATH", search_path().into_string().unwrap()),
            ("HADRON_ENDPOINT", scene.proton.url.clone()),
            ("HADRON_ACCESS_KEY_ID", "AKIDHADRON".to_owned()),
            ("HADRON_SECRET_ACCESS_KEY", "hadron".to_owned()),
            ("HADRON_REGION", "us-east-1".to_owned()),
            ("HOME", scene.data.path().display().to_string()),
        ]);
        #[expect(clippy::disallowed_methods, reason = "the test plays the init system")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_hadron"));
        command.arg("agent").arg("--data").arg(scene.data.path()).env_clear().envs(env);
        let log = std::fs::File::create(scene.file("agent.log")).unwrap();
        command.current_dir(scene.data.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_again_and_again_loses_no_byte_and_repeats_none() {
    let mut scene = Scene::hadron().await;
    // The real agent keeps its runs below the data folder itself.
    let go = scene.file("go");
    let words = format!(
        "i=0; while ! test -e {}; do i=$((i+1)); echo line $i of many; sleep 0.02; done; echo the end",
        go.display()
    );
    scene.deploys("d1", "dev", &runs(&words));
    let apply = scene.process_run_dir("d1").join("2-apply/stdout.jsonl");
    let length = || std::fs::metadata(&apply).map_or(0, |file| file.len());
    for round in 1..=4_u64 {
        let agent = Process::start(&scene);
        let before = length();
        until("Terraform to say more", || length() > before + 20_000).await;
        // Some of it has been sent, at another moment each time.
        let sent = scene.stream("d1", "log").len();
        until("more to be sent", || scene.stream("d1", "log").len() > sent).await;
        tokio::time::sleep(Duration::from_millis(137 * round)).await;
        drop(agent);
    }
    std::fs::write(&go, "").unwrap();
    let agent = Process::start(&scene);
    until("the report", || scene.proton.deployment("d1").status == "SUCCEEDED").await;
    drop(agent);
    scene.uses_process_runs();
    scene.assert_all_sent("d1");
}

impl Scene {
    fn process_run_dir(&self, id: &str) -> PathBuf {
        self.data.path().join("runs").join(id).join("1")
    }

    fn uses_process_runs(&mut self) {
        std::fs::create_dir_all(self.data.path().join("agent")).unwrap();
        std::fs::rename(self.data.path().join("runs"), self.data.path().join("agent/runs")).unwrap();
    }
}

#[tokio::test]
async fn a_bundle_is_fetched_once_its_store_is_back() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    scene.harm(&[("GET", "/bundles/")], Harm::Refused);
    let agent = scene.agent().await;
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    // The client itself tries three times.
    until("more than one try", || *scene.s3.store.harmed.lock().unwrap() > 3).await;
    scene.heal();
    assert_eq!(work.await.unwrap().unwrap(), Verdict::Done);
}

#[tokio::test]
async fn a_bundle_that_cannot_be_fetched_fails_the_deployment_with_the_cause() {
    let scene = Scene::with(proton::Proton { lease_seconds: 1, ..proton::Proton::default() }).await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    scene.harm(&[("GET", "/bundles/")], Harm::Refused);
    assert_eq!(scene.drains().await, Verdict::Unexpected);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "FAILED");
    for words in ["proton/bundles/sha256/", "InternalError: said the far end", "update again"] {
        assert!(done.message.contains(words), "{words} is missing in: {}", done.message);
    }
}

#[tokio::test]
async fn a_cancel_ends_a_fetch_that_hangs() {
    let scene = Scene::with(proton::Proton { lease_seconds: 1, ..proton::Proton::default() }).await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    scene.harm(&[("GET", "/bundles/")], Harm::Hangs);
    let agent = scene.agent().await;
    let work = tokio::spawn(async move { agent.drain(CancellationToken::new()).await });
    until("the fetch", || *scene.s3.store.harmed.lock().unwrap() > 0).await;
    scene.proton.change("d1", |deployment| deployment.status = "CANCELLING".into());
    assert_eq!(work.await.unwrap().unwrap().exit_code(), 130);
    assert_eq!(scene.proton.deployment("d1").status, "CANCELLED");
}
