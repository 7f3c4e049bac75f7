//! Three `hadron serve` on one PostgreSQL behind a load balancer, one of them killed every few seconds: nothing that was
//! acknowledged is lost, nothing is granted twice, and every history is whole.
//!
//! `HADRON_TEST_ROUNDS` says how often one is killed: 6 unless set, which takes 20 seconds; 60 before a release.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_proton::types::{DeploymentStatus, DeploymentUpdateType, Tag};
use hadron::proton::{Poll, Proton, ProtonError, Report};
use tokio::task::block_in_place;

use crate::client::{Client, access, ask, environment_bundle, service_bundle, spec};
use crate::proxy::{Middle, Proxy};
use crate::support::plane::{Plane, Start, free_port};
use crate::support::postgres::{Fsync, PostgresServer, psql};

const ROUNDS: u64 = 6;
const AGENTS: usize = 3;
const SERVICE_SPEC: &str = "proton: ServiceSpec\npipeline:\n  word: p\ninstances:\n  - name: one\n    environment: home\n    \
    spec:\n      word: a\n  - name: two\n    environment: home\n    spec:\n      word: b\n";

/// Changes nothing.
struct Through;

impl Middle for Through {}

/// What may be read of a template's display name.
#[derive(Debug, Clone, Default)]
struct Expected {
    acknowledged: Option<String>,
    /// Written since then, without an answer.
    tried: Vec<String>,
}

/// What the servers have acknowledged.
#[derive(Default)]
struct Ledger {
    over: AtomicBool,
    numbers: AtomicU64,
    templates: Mutex<BTreeMap<String, Expected>>,
    tags: Mutex<BTreeMap<String, Expected>>,
    environments: Mutex<BTreeSet<String>>,
    services: Mutex<BTreeSet<String>>,
    /// By deployment, who was granted it under which epoch.
    grants: Mutex<BTreeMap<String, BTreeSet<(String, i64)>>>,
    reported: Mutex<BTreeSet<String>>,
}

impl Ledger {
    fn next(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Notes that a value is written, and that it is there if the write was answered.
    async fn writing<T, E>(
        places: &Mutex<BTreeMap<String, Expected>>,
        place: &str,
        value: &str,
        write: impl Future<Output = Result<T, E>>,
    ) -> bool {
        places.lock().unwrap().entry(place.to_owned()).or_default().tried.push(value.to_owned());
        let acknowledged = write.await.is_ok();
        if acknowledged {
            let expected = Expected { acknowledged: Some(value.to_owned()), tried: Vec::new() };
            places.lock().unwrap().insert(place.to_owned(), expected);
        }
        acknowledged
    }
}

/// Creates templates, renames them and tags them.
async fn write_templates(user: Client, ledger: Arc<Ledger>, writer: usize) {
    while !ledger.is_over() {
        let name = format!("t-{writer}-{}", ledger.next());
        let create = user.proton.create_environment_template().name(&name).display_name("0");
        if !Ledger::writing(&ledger.templates, &name, "0", create.send()).await {
            continue;
        }
        let arn = format!("arn:aws:proton:us-east-1:123456789012:environment-template/{name}");
        for _ in 0..3 {
            let value = ledger.next().to_string();
            let update = user.proton.update_environment_template().name(&name).display_name(&value);
            Ledger::writing(&ledger.templates, &name, &value, update.send()).await;
            let tag = Tag::builder().key("number").value(&value).build().unwrap();
            let tag = user.proton.tag_resource().resource_arn(&arn).tags(tag);
            Ledger::writing(&ledger.tags, &arn, &value, tag.send()).await;
        }
    }
}

/// Creates environments, and updates them once they are deployed.
async fn write_environments(user: Client, ledger: Arc<Ledger>, writer: usize) {
    while !ledger.is_over() {
        let name = format!("e-{writer}-{}", ledger.next());
        let create = user.proton.create_environment().name(&name).template_name("cluster");
        if create.template_major_version("1").spec(spec("word: a")).send().await.is_err() {
            continue;
        }
        ledger.environments.lock().unwrap().insert(name.clone());
        while !ledger.is_over() {
            let got = user.proton.get_environment().name(&name).send().await.ok().and_then(|got| got.environment);
            if got.is_some_and(|it| it.deployment_status == DeploymentStatus::Succeeded) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let update = user.proton.update_environment().name(&name).deployment_type(DeploymentUpdateType::CurrentVersion);
        // Whether it is answered is all the same: what it began is in the histories.
        drop(update.spec(spec("word: b")).send().await);
    }
}

/// Creates services of two instances and a pipeline.
async fn write_services(user: Client, ledger: Arc<Ledger>) {
    while !ledger.is_over() {
        let name = format!("s-{}", ledger.next());
        let create = user.proton.create_service().name(&name).template_name("web").template_major_version("1");
        let create = create.spec(SERVICE_SPEC).branch_name("main").repository_id("acme/shop");
        let connection = "arn:aws:codestar-connections:us-east-1:123456789012:connection/0";
        if create.repository_connection_arn(connection).send().await.is_ok() {
            ledger.services.lock().unwrap().insert(name);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Claims whatever is offered, and reports that it is done.
async fn work(proton: Proton, ledger: Arc<Ledger>, agent: String) {
    loop {
        let Ok(Poll::Offered { pending: found, .. }) = proton.poll(&agent, Duration::from_secs(2), 5).await else {
            continue;
        };
        if found.is_empty() && ledger.is_over() {
            return;
        }
        for pending in found {
            let Ok((lease, _)) = proton.claim(&agent, &pending.id, &pending.target_arn).await else { continue };
            let epoch = lease.epoch.expect("a claim has an epoch");
            ledger.grants.lock().unwrap().entry(pending.id.clone()).or_default().insert((agent.clone(), epoch));
            let done = Report::Succeeded { outputs: Vec::new(), message: None };
            loop {
                match proton.report(&lease, &done).await {
                    Ok(()) => break,
                    Err(error @ ProtonError::Conflict { .. }) => panic!("{agent}, {}: {error}", pending.id),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
            ledger.reported.lock().unwrap().insert(pending.id);
        }
    }
}

struct Cluster {
    nodes: Vec<Plane>,
    database: String,
    proxy: Proxy,
    key: (String, String),
    _postgres: PostgresServer,
    _objects: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let postgres = block_in_place(|| PostgresServer::start(Fsync::On));
        let (database, objects) = (postgres.database(), tempfile::tempdir().unwrap());
        let start = |data| Start {
            settings: "lease_seconds = 1000000\n".into(),
            flags: vec![
                "--database".into(),
                database.clone(),
                "--objects".into(),
                objects.path().display().to_string(),
            ],
            data,
            port: free_port(),
            ..Start::default()
        };
        let first = block_in_place(|| Plane::serve(start(Vec::new())));
        // The servers of one record have one master key.
        let shared = ["master.key", "keys.json"].map(|name| (name, fs::read(first.data().join(name)).unwrap()));
        let rest = (0..2).map(|_| block_in_place(|| Plane::serve(start(shared.to_vec()))));
        let nodes: Vec<Plane> = std::iter::once(first).chain(rest).collect();
        let places = nodes.iter().map(|node| node.endpoint().trim_start_matches("http://").to_owned()).collect();
        let proxy = Proxy::balance(places, &Arc::new(Through)).await;
        let exported = nodes[0].exported();
        let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
        Self { nodes, database, proxy, key, _postgres: postgres, _objects: objects }
    }

    async fn client(&self) -> Client {
        Client::at(&self.proxy.url(), &self.key, (&self.proxy.url(), &self.key)).await
    }

    /// Ends one after the other as a crash would, each for a moment.
    async fn kill_in_turns(&mut self, rounds: u64) {
        for round in 0..rounds {
            tokio::time::sleep(Duration::from_millis(1500 + (round * 371) % 1000)).await;
            let turn = usize::try_from(round).unwrap() % self.nodes.len();
            let node = &mut self.nodes[turn];
            block_in_place(|| node.process().kill());
            tokio::time::sleep(Duration::from_millis(500)).await;
            block_in_place(|| node.restart());
        }
    }

    /// Everything that is wrong with the histories.
    fn broken_histories(&self) -> String {
        let sql = "SELECT arn, sequence, previous, status, before, place FROM (
                       SELECT arn, sequence, previous, status,
                              lag(status) OVER w AS before, row_number() OVER w AS place
                       FROM changes WINDOW w AS (PARTITION BY account, region, arn ORDER BY sequence)) AS histories
                   WHERE sequence <> place OR (place > 1 AND previous IS DISTINCT FROM before)";
        psql(&self.database, sql)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_servers_lose_nothing_and_grant_nothing_twice_while_they_are_killed_in_turns() {
    let chosen = std::env::var_os("HADRON_TEST_ROUNDS").map(|text| text.into_string().unwrap());
    let rounds = chosen.map_or(ROUNDS, |text| text.parse().unwrap());
    let mut cluster = Cluster::start().await;
    let (user, ledger) = (cluster.client().await, Arc::new(Ledger::default()));
    user.environment_template("cluster", environment_bundle(&["word"], "")).await;
    user.service_template("web", "cluster", service_bundle("", "")).await;
    let mut agents = Vec::new();
    for n in 0..AGENTS {
        let proton = Proton::new(&access(&cluster.proxy.url(), &cluster.key)).await;
        agents.push(tokio::spawn(work(proton, Arc::clone(&ledger), format!("agent-{n}"))));
    }
    user.create_environment("home", "cluster", "word: h").await;
    user.deployed("home").await;

    let began = Instant::now();
    let mut writers = Vec::new();
    for n in 0..3 {
        writers.push(tokio::spawn(write_templates(user.clone(), Arc::clone(&ledger), n)));
        writers.push(tokio::spawn(write_environments(user.clone(), Arc::clone(&ledger), n)));
    }
    writers.push(tokio::spawn(write_services(user.clone(), Arc::clone(&ledger))));
    cluster.kill_in_turns(rounds).await;
    ledger.over.store(true, Ordering::SeqCst);
    for task in writers.into_iter().chain(agents) {
        task.await.unwrap();
    }

    let written = check(&user, &ledger).await;
    assert_eq!(cluster.broken_histories(), "");
    let changes = psql(&cluster.database, "SELECT count(*) FROM changes");
    tell(&format!(
        "{rounds} kills in {:.0?}: {written}; {changes} changes without a gap; {} deployments, each granted once",
        began.elapsed(),
        ledger.grants.lock().unwrap().len(),
    ));
}

/// Reads back what was acknowledged; says how much it was.
async fn check(user: &Client, ledger: &Ledger) -> String {
    let templates = ledger.templates.lock().unwrap().clone();
    for (name, expected) in &templates {
        let got = user.proton.get_environment_template().name(name).send().await.ok();
        holds(name, expected, got.and_then(|got| got.environment_template?.display_name).as_deref());
    }
    let tags = ledger.tags.lock().unwrap().clone();
    for (arn, expected) in &tags {
        let got = user.proton.list_tags_for_resource().resource_arn(arn).send().await.ok();
        let number = |got: Vec<Tag>| got.into_iter().find(|tag| tag.key == "number").map(|tag| tag.value);
        holds(arn, expected, got.and_then(|got| number(got.tags)).as_deref());
    }
    let (environments, services) =
        (ledger.environments.lock().unwrap().clone(), ledger.services.lock().unwrap().clone());
    for name in &environments {
        assert_eq!(user.settled(name).await.0, DeploymentStatus::Succeeded, "{name}");
    }
    for name in &services {
        user.service_active(name).await;
    }
    for (deployment, grants) in ledger.grants.lock().unwrap().iter() {
        assert_eq!(grants.len(), 1, "{deployment} was granted to {grants:?}");
    }
    let reported = ledger.reported.lock().unwrap().clone();
    for deployment in &reported {
        let got = ask!(user.proton.get_deployment().id(deployment)).deployment.unwrap();
        assert_eq!(got.deployment_status, DeploymentStatus::Succeeded, "{deployment}");
    }
    let counts = [templates.len(), environments.len(), services.len(), reported.len()];
    assert!(counts.iter().all(|count| *count >= 4), "too little was written: {counts:?}");
    let [templates, environments, services, reported] = counts;
    format!("{templates} templates, {environments} environments, {services} services, {reported} reports read back")
}

fn holds(place: &str, expected: &Expected, found: Option<&str>) {
    let mut written = expected.acknowledged.iter().chain(&expected.tried);
    let known = found.is_some_and(|found| written.any(|value| value == found));
    assert!(known || (found.is_none() && expected.acknowledged.is_none()), "{place} is {found:?}, not {expected:?}");
}

#[expect(clippy::print_stdout, reason = "the numbers are what a release is proved by")]
fn tell(text: &str) {
    println!("{text}");
}
