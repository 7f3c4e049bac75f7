//! From the change to the far end, on the real record and over real connections.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use hadron_model::hadron::{Hadron, ListDeadLettersInput, ReplayDeadLettersInput};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::outbox::{Pending, outbox};
use super::{AWS_SOURCE, Events, Form, Notice, Pattern, SinkConfig, SinkKind, UPGRADE_AVAILABLE, run};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::Typed;
use crate::control_plane::test_plane::TestPlane;
use crate::support::Secret;

/// What a far end says to an event, by path and by resource.
type Says = dyn Fn(&str, &Value) -> Reply + Send + Sync;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Status(u16),
    Never,
}

/// Receives webhooks and writes down what it took.
#[derive(Clone)]
struct FarEnd {
    address: String,
    says: Arc<Says>,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl FarEnd {
    async fn start(says: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let far = Self { address, says: Arc::new(says), taken: Arc::default() };
        let router = Router::new().route("/{sink}", post(receive)).with_state(far.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        far
    }

    fn sink(&self, name: &str, form: Form) -> SinkConfig {
        let url = Secret::new(format!("{}/{name}", self.address));
        sink(name, form, SinkKind::Webhook { url, secret: Secret::new("hush") })
    }

    /// Event ids and statuses that a sink took, in order.
    fn taken(&self, name: &str) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|(sink, _)| sink == name).map(|(_, event)| event.clone()).collect()
    }

    /// The statuses that a sink took, by resource.
    fn told(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in self.taken(name) {
            let resource = event["resources"][0].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let status = event["detail"]["status"].as_str().or(event["detail"]["deploymentStatus"].as_str());
            told.entry(resource).or_default().push(status.unwrap().to_owned());
        }
        told
    }
}

async fn receive(State(far): State<FarEnd>, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(headers["x-hadron-event-id"].to_str().unwrap(), event["id"]);
    let sink = uri.path().trim_start_matches('/').to_owned();
    match (far.says)(&sink, &event) {
        Reply::Never => pending().await,
        Reply::Status(status) => {
            if status < 300 {
                far.taken.lock().unwrap().push((sink, event));
            }
            StatusCode::from_u16(status).unwrap()
        }
    }
}

fn yes(_: &str, _: &Value) -> Reply {
    Reply::Status(200)
}

fn sink(name: &str, form: Form, kind: SinkKind) -> SinkConfig {
    SinkConfig { name: name.into(), form, source: AWS_SOURCE.into(), pattern: None, attempts: 5, kind }
}

/// A plane that tells these sinks; nobody delivers yet.
async fn plane_of(sinks: Vec<SinkConfig>) -> TestPlane {
    let mut test = TestPlane::new().await;
    let events = Events::new(sinks, None);
    test.plane.store = events.over(test.plane.store.clone());
    test.plane.events = events;
    test
}

/// A server that delivers, until it is dropped.
struct Server(CancellationToken, Option<JoinHandle<()>>);

impl Server {
    fn start(plane: &Plane) -> Self {
        let stop = CancellationToken::new();
        Self(stop.clone(), Some(tokio::spawn(run(plane.clone(), stop))))
    }

    async fn stop(mut self) {
        self.0.cancel();
        self.1.take().unwrap().await.unwrap();
    }
}

async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(30), "this doesn't come true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn waiting(test: &TestPlane) -> usize {
    test.plane.store.read(|tx| tx.all::<Pending>(&outbox())).await.unwrap().len()
}

async fn emptied(test: &TestPlane) {
    eventually("the outbox is empty", async || {
        test.advance(100);
        waiting(test).await == 0
    })
    .await;
}

const DEPLOYED: [&str; 2] = ["IN_PROGRESS", "SUCCEEDED"];

#[tokio::test(flavor = "multi_thread")]
async fn every_change_comes_once_to_each_sink_and_in_its_form() {
    let far = FarEnd::start(yes).await;
    let test = plane_of(vec![far.sink("aws", Form::Aws), far.sink("article", Form::Article)]).await;
    let server = Server::start(&test.plane);
    test.settled_environment("dev", &[]).await;
    test.settled_instance("pay", "api", "dev").await;
    emptied(&test).await;
    server.stop().await;
    let all = [("api", DEPLOYED), ("dev", DEPLOYED)];
    for sink in ["aws", "article"] {
        let told = far.told(sink);
        assert!(all.iter().all(|(resource, statuses)| told[*resource] == *statuses), "{sink}: {told:?}");
    }
    let (aws, article) = (far.taken("aws"), far.taken("article"));
    let ids = |events: &[Value]| {
        let mut ids: Vec<_> = events.iter().map(|event| event["id"].to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&aws), ids(&article), "one change has one id");
    let last = article
        .iter()
        .find(|event| event["detail"]["name"] == "api" && event["detail"]["deploymentStatus"] == "SUCCEEDED");
    let last = last.unwrap();
    assert_eq!(last["detail-type"], "Proton Service Instance State Change");
    assert_eq!(last["detail"]["templateMajorVersion"], "1");
    assert_eq!(last["detail"]["environmentName"], "dev");
    assert_eq!(last["detail"]["previousDeploymentStatus"], "IN_PROGRESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sinks_nothing_is_written_and_a_pattern_keeps_the_rest_out() {
    let silent = plane_of(Vec::new()).await;
    silent.settled_environment("dev", &[]).await;
    assert_eq!(waiting(&silent).await, 0);

    let rule = json!({
        "source": ["aws.proton"],
        "detail-type": ["Proton Service Instance State Change"],
        "detail": {"previousDeploymentStatus": ["IN_PROGRESS"], "deploymentStatus": ["SUCCEEDED", "FAILED"]},
    });
    let far = FarEnd::start(yes).await;
    let pattern = Some(Pattern::read(&rule).unwrap());
    let test = plane_of(vec![SinkConfig { pattern, ..far.sink("article", Form::Article) }]).await;
    test.settled_environment("dev", &[]).await;
    test.settled_instance("pay", "api", "dev").await;
    assert_eq!(waiting(&test).await, 1, "the article's rule wants the end of the instance's deployment");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_a_crash_is_delivered_after_it() {
    let far = FarEnd::start(yes).await;
    let test = plane_of(vec![far.sink("hook", Form::Aws)]).await;
    // Nobody delivers: the server dies between the commit and the delivery.
    test.settled_environment("dev", &[]).await;
    assert_eq!(waiting(&test).await, 2);
    let server = Server::start(&test.plane);
    emptied(&test).await;
    server.stop().await;
    assert_eq!(far.told("hook")["dev"], DEPLOYED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_keeps_its_order_though_every_delivery_fails_at_first() {
    let seen: Mutex<BTreeMap<String, u32>> = Mutex::default();
    let far = FarEnd::start(move |_, event| {
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(event["id"].to_string()).or_default();
        *times += 1;
        Reply::Status(if *times < 3 { 503 } else { 200 })
    })
    .await;
    let test = plane_of(vec![far.sink("hook", Form::Aws)]).await;
    let server = Server::start(&test.plane);
    let names: Vec<String> = (0..6).map(|n| format!("env-{n}")).collect();
    let each = names.iter().map(|name| async {
        test.settled_environment(name, &[]).await;
    });
    futures::future::join_all(each).await;
    emptied(&test).await;
    server.stop().await;
    let told = far.told("hook");
    assert!(names.iter().all(|name| told[name] == DEPLOYED), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_hangs_holds_up_no_other_sink_and_no_other_resource() {
    let far = FarEnd::start(|sink, event| {
        let stuck = sink == "dead" || event["detail"]["name"] == "stuck";
        if stuck && sink != "lively" { Reply::Never } else { Reply::Status(200) }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let lines = sink("lines", Form::Aws, SinkKind::JsonLines { path: path.clone() });
    let sinks = vec![far.sink("dead", Form::Aws), far.sink("partly", Form::Aws), far.sink("lively", Form::Aws), lines];
    let test = plane_of(sinks).await;
    let server = Server::start(&test.plane);
    let began = Instant::now();
    test.settled_environment("stuck", &[]).await;
    test.settled_environment("dev", &[]).await;
    let written = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    eventually("the other sinks have all", async || far.taken("lively").len() == 4 && written(&path) == 4).await;
    eventually("the other resource is told", async || far.told("partly").get("dev").is_some_and(|it| *it == DEPLOYED))
        .await;
    assert!(began.elapsed() < Duration::from_secs(9), "nobody waited for the time limit of the one that hangs");
    assert_eq!(far.taken("dead").len(), 0);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_dies_is_listed_and_can_be_replayed() {
    let mended = Arc::new(Mutex::new(false));
    let now = Arc::clone(&mended);
    let far = FarEnd::start(move |_, event| {
        let refused = event["detail"]["status"] == "IN_PROGRESS" && !*now.lock().unwrap();
        Reply::Status(if refused { 410 } else { 200 })
    })
    .await;
    let test = plane_of(vec![far.sink("hook", Form::Aws)]).await;
    let server = Server::start(&test.plane);
    test.settled_environment("dev", &[]).await;
    emptied(&test).await;
    assert_eq!(far.told("hook")["dev"], ["SUCCEEDED"], "a dead letter doesn't hold its resource up");

    let list = |sink: &str| {
        let input = ListDeadLettersInput { sink: Some(sink.into()), ..ListDeadLettersInput::default() };
        let (plane, mut call) = (test.plane.clone(), test.call());
        async move { plane.list_dead_letters(&mut call, input).await.unwrap().dead_letters }
    };
    let dead = list("hook").await.remove(0);
    assert_eq!((dead.attempts, dead.last_error.as_str()), (1, "it answered 410 Gone"));
    assert_eq!(dead.resource_arn.as_deref(), Some("arn:aws:proton:us-east-1:123456789012:environment/dev"));
    assert!(list("other").await.is_empty());

    let replay = |input: ReplayDeadLettersInput| {
        let (plane, mut call) = (test.plane.clone(), test.call());
        async move { plane.replay_dead_letters(&mut call, input).await }
    };
    let unknown = replay(ReplayDeadLettersInput { ids: Some(vec![dead.id.clone(), "none".into()]), sink: None }).await;
    assert!(unknown.unwrap_err().to_string().contains("no dead letter none"));
    assert!(replay(ReplayDeadLettersInput { sink: Some("other".into()), ids: None }).await.is_err());
    *mended.lock().unwrap() = true;
    let done = replay(ReplayDeadLettersInput { ids: None, sink: None }).await.unwrap();
    assert_eq!(done.replayed, 1);
    emptied(&test).await;
    assert!(list("hook").await.is_empty());
    server.stop().await;
    assert_eq!(far.taken("hook")[1]["id"], dead.event_id, "its id is the same as ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_too_often_is_given_up_and_what_waited_behind_it_goes_on() {
    let far =
        FarEnd::start(|_, event| Reply::Status(if event["detail"]["status"] == "IN_PROGRESS" { 500 } else { 200 }))
            .await;
    let test = plane_of(vec![SinkConfig { attempts: 3, ..far.sink("hook", Form::Aws) }]).await;
    test.settled_environment("dev", &[]).await;
    let server = Server::start(&test.plane);
    emptied(&test).await;
    server.stop().await;
    assert_eq!(far.told("hook")["dev"], ["SUCCEEDED"]);
    let mut call = test.call();
    let dead = test.plane.list_dead_letters(&mut call, ListDeadLettersInput::default()).await.unwrap().dead_letters;
    assert_eq!(dead.iter().map(|it| it.attempts).collect::<Vec<_>>(), [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_deliver_each_event_once() {
    let far = FarEnd::start(yes).await;
    let test = plane_of(vec![far.sink("hook", Form::Aws)]).await;
    let servers = [Server::start(&test.plane), Server::start(&test.plane), Server::start(&test.plane)];
    for n in 0..10 {
        test.settled_environment(&format!("env-{n}"), &[]).await;
    }
    // The clock stands, so that no server's duty ends.
    eventually("the outbox is empty", async || waiting(&test).await == 0).await;
    for server in servers {
        server.stop().await;
    }
    let told = far.told("hook");
    assert!(told.len() == 10 && told.values().all(|statuses| *statuses == DEPLOYED), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_goes_to_whoever_wants_it_and_to_a_named_sink_in_any_case() {
    let far = FarEnd::start(yes).await;
    let only = Pattern::read(&json!({"detail-type": ["AWS Proton Environment Status Change"]})).unwrap();
    let picky = SinkConfig { pattern: Some(only), ..far.sink("picky", Form::Aws) };
    let test = plane_of(vec![far.sink("all", Form::Aws), picky]).await;
    let (events, scope) = (test.plane.events.clone(), test.scope.clone());
    let notice = Notice {
        detail_type: UPGRADE_AVAILABLE,
        resources: vec![test.scope.arn("service-template/web:1.1")],
        detail: json!({"owner": "payments"}),
        at: test.plane.clock.now(),
    };
    let sent = test.write(move |tx| {
        let sent = events.notice(tx, &scope, &notice)?;
        events.notice_to(tx, &scope, "picky", &notice)?;
        assert!(events.notice_to(tx, &scope, "none", &notice).is_err());
        Ok(sent)
    });
    assert_eq!(sent.await.unwrap(), 1);
    let server = Server::start(&test.plane);
    emptied(&test).await;
    server.stop().await;
    for sink in ["all", "picky"] {
        let taken = far.taken(sink);
        assert_eq!(taken.len(), 1, "{sink}");
        assert_eq!(
            (&taken[0]["detail-type"], &taken[0]["detail"]["owner"]),
            (&json!(UPGRADE_AVAILABLE), &json!("payments"))
        );
    }
}
