//! How an agent leaves, in each of its ways and at each stage of a run; what holds while it is busy; what it owes its host.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use hadron::agent::{Departure, Drained, EnvironmentConfig, Shutdown, Stage};
use tokio::task::JoinHandle;

use super::*;

fn departure(how: Shutdown, grace: Option<Duration>, reserve: Duration) -> HostConfig {
    HostConfig { departure: Departure { how, grace, reserve }, ..HostConfig::default() }
}

/// Ten seconds to leave, of which Terraform may use one undisturbed.
fn hurried_drain() -> HostConfig {
    departure(Shutdown::Drain, Some(Duration::from_secs(10)), Duration::from_secs(9))
}

fn interrupt() -> HostConfig {
    departure(Shutdown::Interrupt, Some(Duration::from_secs(30)), Duration::from_secs(15))
}

impl Scene {
    async fn agent_on(&self, host: HostConfig) -> Agent {
        Agent::new(Config { host, ..self.config() }).await.unwrap()
    }

    /// An apply that says when it has begun, and then goes on until it is let go.
    fn deploys_until_let_go(&self, id: &str) {
        let (started, go, count) = (self.file("started"), self.file("go"), self.file("count"));
        let command = format!(
            "echo ran >> {}; touch {}; while ! test -e {}; do sleep 0.05; done",
            count.display(),
            started.display(),
            go.display()
        );
        self.deploys(id, "dev", &runs(&command));
    }

    async fn apply_begins(&self) {
        until("the apply", || self.file("started").exists()).await;
    }

    fn let_go(&self) {
        std::fs::write(self.file("go"), "").unwrap();
    }

    /// How often Terraform says that it was interrupted.
    fn interrupts(&self, id: &str) -> usize {
        let stdout = std::fs::read_to_string(self.run_dir(id).join("2-apply/stdout.jsonl")).unwrap_or_default();
        stdout.matches("Interrupt received").count() + stdout.matches("Two interrupts received").count()
    }
}

fn starts(agent: Agent, stop: &CancellationToken) -> JoinHandle<Verdict> {
    let stop = stop.clone();
    tokio::spawn(async move { agent.drain(stop).await.unwrap() })
}

async fn within(seconds: u64, work: JoinHandle<Verdict>) -> Verdict {
    tokio::time::timeout(Duration::from_secs(seconds), work).await.expect("it leaves in time").unwrap()
}

#[tokio::test]
async fn interrupt_sends_one_sigint_at_once_and_reports() {
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let stop = CancellationToken::new();
    let work = starts(scene.agent_on(interrupt()).await, &stop);
    scene.apply_begins().await;
    stop.cancel();
    assert_eq!(within(10, work).await.exit_code(), 130);
    assert_eq!(scene.interrupts("d1"), 1);
    let done = scene.proton.deployment("d1");
    assert_eq!(done.status, "FAILED", "nobody has cancelled it");
    for words in ["asked to leave by its host", "half changed", "update again"] {
        assert!(done.message.contains(words), "{words} is missing in: {}", done.message);
    }
    assert!(scene.states.locks.lock().unwrap().is_empty(), "Terraform gave the lock back");
}

#[tokio::test]
async fn a_drain_without_a_deadline_waits_for_terraform() {
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let stop = CancellationToken::new();
    let work = starts(scene.agent_on(HostConfig::default()).await, &stop);
    scene.apply_begins().await;
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(500)).await;
    scene.let_go();
    assert_eq!(within(10, work).await, Verdict::Done);
    assert_eq!((scene.interrupts("d1"), scene.proton.deployment("d1").status.as_str()), (0, "SUCCEEDED"));
}

#[tokio::test]
async fn a_drain_with_a_deadline_interrupts_once_when_only_the_reserve_is_left() {
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let stop = CancellationToken::new();
    let work = starts(scene.agent_on(hurried_drain()).await, &stop);
    scene.apply_begins().await;
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.interrupts("d1"), 0, "half of its time is left");
    assert_eq!(within(10, work).await.exit_code(), 130);
    assert_eq!((scene.interrupts("d1"), scene.proton.deployment("d1").status.as_str()), (1, "FAILED"));
}

#[tokio::test]
async fn a_one_shot_that_is_stopped_before_it_knows_what_is_pending_has_not_done_it() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let stop = CancellationToken::new();
    stop.cancel();
    let drained = scene.agent().await.drain_all(stop).await;
    assert_eq!((drained.worst.exit_code(), drained.outcomes.len()), (130, 0));
    assert_eq!(scene.proton.deployment("d1").holder, None);
}

#[tokio::test]
async fn what_was_done_is_told_though_something_kept_the_one_shot_from_going_on() {
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let work = tokio::spawn({
        let agent = scene.agent().await;
        async move { agent.drain_all(CancellationToken::new()).await }
    });
    scene.apply_begins().await;
    *scene.proton.far.hides.lock().unwrap() = true;
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.let_go();
    let Drained { worst, outcomes, broke_off } = work.await.unwrap();
    assert_eq!((worst.exit_code(), outcomes.len()), (3, 1), "{broke_off:?}");
    assert_eq!((outcomes[0].verdict, outcomes[0].attempt), (Verdict::Done, Some(1)));
    assert!(broke_off.unwrap().to_string().contains("may no longer list"));
}

#[tokio::test]
async fn a_deployment_that_is_over_ends_a_one_shot_as_it_ended() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    assert_eq!(scene.drains().await, Verdict::Done);
    let again = scene.agent().await.deploy("d1", CancellationToken::new()).await.unwrap();
    assert_eq!((again.verdict, again.attempt, again.target.as_str()), (Verdict::Done, None, "environment dev"));
    scene.proton.change("d1", |deployment| deployment.status = "FAILED".into());
    let failed = scene.agent().await.deploy("d1", CancellationToken::new()).await.unwrap();
    assert_eq!(failed.verdict.exit_code(), 11);
    scene.proton.change("d1", |deployment| {
        deployment.status = "IN_PROGRESS".into();
        deployment.holder = Some("another".into());
    });
    let held = scene.agent().await.deploy("d1", CancellationToken::new()).await.unwrap_err();
    assert_eq!(held.verdict().exit_code(), 14);
}

#[tokio::test]
async fn a_detached_terraform_goes_on_and_the_next_agent_reports_it() {
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let stop = CancellationToken::new();
    let host = departure(Shutdown::Detach, None, Duration::ZERO);
    let work = tokio::spawn({
        let (agent, stop) = (scene.agent_on(host).await, stop.clone());
        async move { agent.drain_all(stop).await }
    });
    scene.apply_begins().await;
    stop.cancel();
    let Drained { worst, outcomes, .. } = tokio::time::timeout(Duration::from_secs(2), work).await.unwrap().unwrap();
    assert_eq!((worst.exit_code(), outcomes[0].deployment_id.as_str()), (130, "d1"));
    assert!(outcomes[0].message.as_ref().unwrap().contains("Terraform goes on"), "what was left is named");
    assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS");
    scene.let_go();
    assert_eq!(scene.drains().await, Verdict::Done);
    assert_eq!((scene.interrupts("d1"), scene.proton.deployment("d1").status.as_str()), (0, "SUCCEEDED"));
    assert_eq!(lines(&scene.file("count")), ["ran"], "it was applied once");
}

#[tokio::test]
async fn what_waits_for_people_is_left_at_once_and_unreported() {
    for host in [HostConfig::default(), hurried_drain(), interrupt()] {
        let scene = Scene::hadron().await;
        scene.deploys("d1", "dev", THREE_OUTPUTS);
        let stop = CancellationToken::new();
        let mut config = Config { host, ..scene.config() };
        config.environments.insert("*".into(), EnvironmentConfig { approval: true, ..EnvironmentConfig::default() });
        let work = starts(Agent::new(config).await.unwrap(), &stop);
        until("the plan", || scene.proton.deployment("d1").plan.is_some()).await;
        stop.cancel();
        assert_eq!(within(5, work).await, Verdict::AwaitingApproval);
        assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS");
    }
}

#[tokio::test]
async fn a_plan_that_is_cut_short_is_made_anew_by_the_next_life() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let lock =
        json!({ "ID": "x", "Operation": "OperationTypeApply", "Who": "somebody", "Created": "2026-11-22T00:00:00Z" });
    scene.states.locks.lock().unwrap().insert("/dev".into(), lock.to_string().into());
    let gated = EnvironmentConfig { approval: true, ..EnvironmentConfig::default() };
    let mut config = Config { host: interrupt(), lock_timeout: Duration::from_mins(1), ..scene.config() };
    config.environments.insert("*".into(), gated);
    let stop = CancellationToken::new();
    let work = starts(Agent::new(config.clone()).await.unwrap(), &stop);
    until("the plan to wait for its lock", || {
        let asked = scene.states.authorizations.lock().unwrap().len();
        scene.run_dir("d1").join("2-plan/pid.json").exists() && asked >= 3
    })
    .await;
    stop.cancel();
    assert_eq!(within(20, work).await.exit_code(), 130);
    assert_eq!(scene.proton.deployment("d1").status, "IN_PROGRESS", "the next life goes on with it");
    scene.states.locks.lock().unwrap().clear();
    let stop = CancellationToken::new();
    let work = starts(Agent::new(config).await.unwrap(), &stop);
    until("a plan to be asked about", || scene.proton.deployment("d1").plan.is_some()).await;
    assert!(scene.run_dir("d1").join("again-1/2-plan/exit.json").exists());
    stop.cancel();
    assert_eq!(within(5, work).await, Verdict::AwaitingApproval);
}

#[tokio::test]
async fn a_one_shot_waits_for_people_only_as_long_as_it_was_told() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", THREE_OUTPUTS);
    let mut config = Config { approval_wait: Some(Duration::ZERO), ..scene.config() };
    config.environments.insert("*".into(), EnvironmentConfig { approval: true, ..EnvironmentConfig::default() });
    let drained = Agent::new(config.clone()).await.unwrap().drain_all(CancellationToken::new()).await;
    let told = drained.outcomes;
    assert_eq!(
        (drained.worst.exit_code(), told[0].verdict, told[0].deployment_id.as_str()),
        (20, Verdict::AwaitingApproval, "d1")
    );
    let (digest, _) = scene.proton.deployment("d1").plan.unwrap();
    let decision = vec![("x-hadron-decision", "approved".to_owned())];
    scene.proton.change("d1", |deployment| deployment.decision = Some((digest, decision)));
    let outcome = Agent::new(config).await.unwrap().deploy("d1", CancellationToken::new()).await.unwrap();
    assert_eq!((outcome.verdict, outcome.outputs.len()), (Verdict::Done, 3));
    assert_eq!(outcome.changes.map(|it| (it.add, it.change, it.remove)), Some((1, 0, 0)));
    assert_eq!(outcome.run_dir, Some(scene.run_dir("d1")));
}

#[tokio::test]
async fn a_one_shot_tells_what_failed_and_where() {
    let scene = Scene::hadron().await;
    scene.deploys("d1", "dev", &runs("echo no quota left; exit 7"));
    let Drained { worst, outcomes: told, .. } = scene.agent().await.drain_all(CancellationToken::new()).await;
    assert_eq!((worst.exit_code(), told.len()), (11, 1));
    let finding = told[0].findings.iter().find(|finding| finding.file.is_some()).unwrap();
    assert_eq!((finding.file.as_deref(), finding.line, finding.warning), (Some("main.tf"), Some(2), false));
    assert!(finding.detail.contains("no quota left"), "{finding:?}");
    assert!(told[0].message.as_ref().unwrap().contains("update again"));
}

/// A scene whose far ends run on threads of their own, so that the test can block everything else.
fn scene_elsewhere(lease_seconds: u64) -> (tokio::runtime::Runtime, Scene) {
    let far = tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap();
    let scene = far.block_on(Scene::with(proton::Proton { lease_seconds, ..proton::Proton::default() }));
    (far, scene)
}

#[test]
fn a_lease_is_kept_while_every_thread_of_the_agent_is_blocked() {
    let (_far, scene) = scene_elsewhere(1);
    scene.deploys_until_let_go("d1");
    let near = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let work = near.spawn({
        let agent = near.block_on(scene.agent());
        async move { agent.drain(CancellationToken::new()).await.unwrap() }
    });
    near.block_on(scene.apply_begins());
    let beats = || scene.proton.seen("NotifyResourceDeploymentStatusChange").len();
    // Every worker sleeps, in a task that never yields, for three leases; two more tasks wait behind each.
    for _ in 0..6 {
        near.spawn(async { std::thread::sleep(Duration::from_secs(3)) });
    }
    std::thread::sleep(Duration::from_millis(300));
    let before = beats();
    for _ in 0..3 {
        let count = beats();
        std::thread::sleep(Duration::from_secs(1));
        assert!(beats() > count, "a whole lease went by without a sign of life");
    }
    assert!(beats() - before >= 6, "{} signs of life in three leases", beats() - before);
    scene.let_go();
    assert_eq!(near.block_on(work).unwrap(), Verdict::Done);
}

#[test]
fn people_read_since_when_an_interrupted_terraform_ends_and_what_it_waits_for() {
    let (_far, scene) = scene_elsewhere(1);
    scene.deploys_until_let_go("d1");
    let near = tokio::runtime::Runtime::new().unwrap();
    let work = near.spawn({
        let agent = near.block_on(scene.agent());
        async move { agent.drain(CancellationToken::new()).await.unwrap() }
    });
    near.block_on(scene.apply_begins());
    // Its state can't be written for a while, so it can't end.
    let kept = near.block_on(scene.states.writing.lock());
    scene.proton.change("d1", |deployment| deployment.status = "CANCELLING".into());
    let told = || {
        let mut told = scene.proton.seen("NotifyResourceDeploymentStatusChange").into_iter();
        told.find_map(|seen| seen.json()["statusMessage"].as_str().map(str::to_owned))
    };
    near.block_on(until("the clock of the end", || told().is_some()));
    drop(kept);
    let told = told().unwrap();
    for words in
        ["User initiated cancellation. Terraform was interrupted at 20", "less than a minute ago", "hadron logs d1 -f"]
    {
        assert!(told.contains(words), "{words} is missing in: {told}");
    }
    assert_eq!(near.block_on(work).unwrap().exit_code(), 130);
    assert_eq!(scene.interrupts("d1"), 1);
}

#[test]
fn a_running_terraform_is_followed_again_before_proton_has_answered() {
    let (_far, scene) = scene_elsewhere(30);
    scene.deploys_until_let_go("d1");
    let near = tokio::runtime::Runtime::new().unwrap();
    let first = near.block_on(scene.agent());
    let work = near.spawn(async move { first.drain(CancellationToken::new()).await.unwrap() });
    near.block_on(scene.apply_begins());
    work.abort();
    near.block_on(work).unwrap_err();
    // From now on Proton takes every request and answers none.
    let silent = scene.proton.far.deployments.lock().unwrap();
    let began = std::time::Instant::now();
    let second = near.block_on(scene.agent());
    let mut progress = second.progress();
    let work = near.spawn(async move { second.drain(CancellationToken::new()).await.unwrap() });
    near.block_on(async {
        while !matches!(progress.recv().await.unwrap().stage, Stage::Terraform(text) if text.contains("Creating")) {}
    });
    assert!(began.elapsed() < Duration::from_secs(2), "taken over after {:?}", began.elapsed());
    drop(silent);
    scene.let_go();
    assert_eq!(near.block_on(work).unwrap(), Verdict::Done);
    let claims = scene.proton.seen("NotifyResourceDeploymentStatusChange");
    assert_eq!(claims.iter().filter(|seen| seen.header("x-hadron-epoch").is_none()).count(), 1, "it kept its epoch");
    assert_eq!(lines(&scene.file("count")), ["ran"], "it was applied once");
}

#[tokio::test]
async fn a_terraform_that_somebody_else_interrupted_is_not_interrupted_again() {
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let stop = CancellationToken::new();
    let work = starts(
        scene.agent_on(departure(Shutdown::Drain, Some(Duration::from_secs(8)), Duration::from_secs(7))).await,
        &stop,
    );
    scene.apply_begins().await;
    let pid = std::fs::read(scene.run_dir("d1").join("2-apply/pid.json")).unwrap();
    let pid: Value = serde_json::from_slice(&pid).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid["pid"].as_i64().unwrap()).unwrap()).unwrap();
    // As a host does that signals every process of a service.
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    stop.cancel();
    assert_eq!(within(10, work).await.exit_code(), 130);
    assert_eq!(scene.interrupts("d1"), 1);
    assert!(scene.run_dir("d1").join("2-apply/interrupted").exists(), "it counts as the one");
}

/// ECS's agent, or EC2's metadata: what was asked, in its order.
#[derive(Default)]
struct Host {
    asked: Mutex<Vec<String>>,
}

async fn host_answers(State(host): State<Arc<Host>>, method: Method, uri: Uri, body: String) -> (StatusCode, String) {
    host.asked.lock().unwrap().push(format!("{method} {} {body}", uri.path()));
    match uri.path() {
        "/ecs/task-protection/v1/state" => (StatusCode::OK, json!({ "protection": {} }).to_string()),
        "/latest/api/token" => (StatusCode::OK, "token".into()),
        "/latest/meta-data/spot/instance-action" => {
            (StatusCode::OK, json!({ "action": "terminate", "time": "2026-11-22T00:02:00Z" }).to_string())
        }
        _ => (StatusCode::NOT_FOUND, String::new()),
    }
}

async fn host() -> (String, Arc<Host>) {
    let host = Arc::new(Host::default());
    let router = Router::new().fallback(host_answers).with_state(Arc::clone(&host));
    (crate::far_end::serve(router).await, host)
}

#[tokio::test]
async fn a_task_of_ecs_is_protected_from_scale_in_while_a_run_is_at_work_and_no_longer() {
    let (url, ecs) = host().await;
    let scene = Scene::hadron().await;
    scene.deploys_until_let_go("d1");
    let agent = scene.agent_on(HostConfig { ecs_agent: Some(format!("{url}/ecs")), ..HostConfig::default() }).await;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let work = tokio::spawn(async move { agent.run(stopping).await });
    let asked = |what: &str| ecs.asked.lock().unwrap().iter().any(|line| line.contains(what));
    scene.apply_begins().await;
    until("the protection", || {
        asked(r#"PUT /ecs/task-protection/v1/state {"ProtectionEnabled":true,"ExpiresInMinutes":60}"#)
    })
    .await;
    assert!(!asked(r#""ProtectionEnabled":false"#), "the run is at work");
    scene.let_go();
    until("its end", || asked(r#""ProtectionEnabled":false"#)).await;
    stop.cancel();
    work.await.unwrap().unwrap();
    assert_eq!(ecs.asked.lock().unwrap().len(), 2, "{:?}", ecs.asked.lock().unwrap());
}

#[tokio::test]
async fn a_spot_notice_counts_as_the_first_signal() {
    let (url, _) = host().await;
    let scene = Scene::hadron().await;
    let agent = scene.agent_on(HostConfig { spot_notices: Some(url), ..interrupt() }).await;
    let stop = CancellationToken::new();
    tokio::time::timeout(Duration::from_secs(5), agent.run(stop.clone())).await.expect("it leaves").unwrap();
    assert!(stop.is_cancelled(), "everybody in the process is asked to leave");
}
