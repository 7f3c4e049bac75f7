//! Status changes on their way out of the real binary: to EventBridge and from there through a team's rule into a queue,
//! to a webhook, to Slack, into a file; and through a crash.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::client::{Client, ask, environment_bundle, eventually, service_bundle};
use crate::proxy::{Middle, Proxy};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, binary, free_port, hadron};
use crate::support::process::command;
use crate::support::tools::Tools;

/// The rule of the article that Hadron answers, as it is written there.
const ARTICLES_RULE: &str = r#"{
"source": ["aws.proton"],
"detail-type": ["Proton Service Instance State Change"],
"detail": {
"previousDeploymentStatus": ["IN_PROGRESS"],
"deploymentStatus": ["SUCCEEDED", "FAILED"]
}
}"#;

const SECRET: &str = "a secret of the receiver's";

/// Takes webhooks: checks each signature, takes its time, writes down what came.
#[derive(Clone, Default)]
struct FarEnd {
    address: String,
    pace: Duration,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl FarEnd {
    async fn start(pace: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let far = Self { address, pace, taken: Arc::default() };
        let router = Router::new().route("/{sink}", post(receive)).with_state(far.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        far
    }

    fn taken(&self, sink: &str) -> Vec<Value> {
        self.taken.lock().unwrap().iter().filter(|(to, _)| to == sink).map(|(_, event)| event.clone()).collect()
    }
}

async fn receive(State(far): State<FarEnd>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let sink = uri.path().trim_start_matches('/').to_owned();
    tokio::time::sleep(far.pace).await;
    if sink != "slack" && !genuine(&headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    far.taken.lock().unwrap().push((sink, serde_json::from_slice(&body).unwrap()));
    StatusCode::NO_CONTENT
}

/// What a receiver does with the three headers.
fn genuine(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers[name].to_str().unwrap();
    let timestamp = header("x-hadron-timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    let event: Value = serde_json::from_slice(body).unwrap();
    let fresh = now().abs_diff(timestamp.parse().unwrap()) < 300;
    let signature = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
    fresh && header("x-hadron-signature") == signature && event["id"] == header("x-hadron-event-id")
}

#[expect(clippy::disallowed_methods, reason = "a receiver has a clock of its own")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// In front of moto: refuses what AWS refuses, that somebody else's source begins with `aws.`.
#[derive(Default)]
struct AsAws {
    put: Mutex<Vec<Value>>,
    refused: Mutex<usize>,
}

impl Middle for AsAws {
    fn request(&self, request: &mut Request<Bytes>) -> bool {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let entries = body["Entries"].as_array().cloned().unwrap_or_default();
        let taken = entries.iter().all(|entry| !entry["Source"].as_str().unwrap_or_default().starts_with("aws."));
        if taken {
            self.put.lock().unwrap().extend(entries);
        } else {
            *self.refused.lock().unwrap() += 1;
        }
        taken
    }
}

/// `hadron events …` in a folder of its own.
fn events(folder: &Path, settings: &str, arguments: &[&str], env: &BTreeMap<String, String>) -> (i32, String, String) {
    fs::write(folder.join("hadron.toml"), settings).unwrap();
    let mut run = command(binary(), env);
    run.current_dir(folder).env("HOME", folder).arg("events").args(arguments).stdin(Stdio::null());
    let done = run.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

fn queue_behind(moto: &Moto, pattern: &str) {
    let script = format!(
        r#"
import boto3, json
events, sqs = boto3.client("events"), boto3.client("sqs")
events.create_event_bus(Name="platform")
queue = sqs.create_queue(QueueName="told")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
events.put_rule(Name="team", EventBusName="platform", EventPattern=r'''{pattern}''')
events.put_targets(Rule="team", EventBusName="platform", Targets=[dict(Id="1", Arn=arn)])
print("{{}}")
"#
    );
    moto.boto3(Tools::get(), &script);
}

fn told_to_queue(moto: &Moto) -> Vec<Value> {
    let script = r#"
import boto3, json
sqs = boto3.client("sqs")
queue = sqs.get_queue_url(QueueName="told")["QueueUrl"]
told = []
for _ in range(20):
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    told += [json.loads(message["Body"]) for message in got]
    if told and not got: break
print(json.dumps(told))
"#;
    serde_json::from_value(moto.boto3(Tools::get(), script)).unwrap()
}

const RESOURCE: &str = "resource \"terraform_data\" \"one\" {}\n";

const SPEC: &str = "proton: ServiceSpec\npipeline:\n  word: w\ninstances:\n  - name: api\n    environment: dev\n    spec:\n      word: w\n";

async fn deploy(plane: &Plane) {
    let user = Client::of(plane).await;
    user.environment_template("zone", environment_bundle(&["word"], RESOURCE)).await;
    user.create_environment("dev", "zone", "word: north").await;
    user.deployed("dev").await;
    user.service_template("web", "zone", service_bundle(RESOURCE, RESOURCE)).await;
    let create = user.proton.create_service().name("shop").template_name("web").template_major_version("1");
    let create = create.spec(SPEC).branch_name("main").repository_id("acme/shop");
    ask!(create.repository_connection_arn("arn:aws:codestar-connections:us-east-1:123456789012:connection/0"));
    user.service_active("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deployment_is_told_by_a_teams_rule_a_webhook_slack_and_a_file() {
    let moto = tokio::task::block_in_place(|| Moto::start(Tools::get()));
    let bus = Arc::new(AsAws::default());
    let upstream = moto.endpoint().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let front = Proxy::start(upstream, &bus).await;
    let far = FarEnd::start(Duration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[[events.sink]]\nname = \"bus\"\ntype = \"eventbridge\"\nbus = \"platform\"\nendpoint = \"{}\"\n\n\
         [[events.sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{far}/hook\"\nsecret_env = \"HOOK_SECRET\"\n\
         form = \"article\"\npattern = '''{ARTICLES_RULE}'''\n\n\
         [[events.sink]]\nname = \"slack\"\ntype = \"slack\"\nurl = \"{far}/slack\"\nform = \"article\"\n\
         pattern = {{ detail = {{ deploymentStatus = [\"SUCCEEDED\"] }} }}\n\n\
         [[events.sink]]\nname = \"lines\"\ntype = \"json-lines\"\npath = \"events.jsonl\"\n",
        front.url(),
        far = far.address
    );
    let mut env = moto.env();
    // The bus is found by the sink's own setting.
    env.remove("AWS_ENDPOINT_URL");
    env.insert("HOOK_SECRET".into(), SECRET.into());

    // The team's rule, rewritten for the bus.
    let rule = folder.path().join("rule.json");
    fs::write(&rule, json!({"Name": "team", "EventPattern": ARTICLES_RULE}).to_string()).unwrap();
    let (code, pattern, said) =
        events(folder.path(), &settings, &["translate-rule", "rule.json", "--sink", "bus"], &env);
    assert_eq!((code, said.as_str()), (0, ""));
    tokio::task::block_in_place(|| queue_behind(&moto, &pattern));

    let plane = Plane::up(Start { settings, env, ..Start::default() });
    deploy(&plane).await;

    eventually(async || far.taken("hook").len() == 1 && far.taken("slack").len() == 2).await;
    let told = &far.taken("hook")[0];
    assert_eq!(told["detail-type"], "Proton Service Instance State Change");
    let detail = &told["detail"];
    assert_eq!(
        (&detail["serviceName"], &detail["name"], &detail["deploymentStatus"]),
        (&json!("shop"), &json!("api"), &json!("SUCCEEDED"))
    );
    assert_eq!((&detail["templateName"], &detail["templateMajorVersion"]), (&json!("web"), &json!("1")));
    let message = far.taken("slack")[1].to_string();
    for words in ["Service instance shop/api", "web 1.0", "get-service-instance"] {
        assert!(message.contains(words), "{message}");
    }

    let queued = tokio::task::block_in_place(|| told_to_queue(&moto));
    assert_eq!(queued.len(), 1, "{queued:?}");
    assert_eq!(queued[0]["source"], "hadron.proton");
    assert_eq!(
        queued[0]["detail"],
        json!({"name": "api", "serviceName": "shop", "status": "SUCCEEDED", "previousStatus": "IN_PROGRESS"})
    );
    assert_eq!(*bus.refused.lock().unwrap(), 0, "no event has a source that AWS keeps for itself");

    // Everything that changed, once, in the file; and the bus was told as much.
    let lines = plane.data().parent().unwrap().join("events.jsonl");
    let read = || fs::read_to_string(&lines).unwrap_or_default();
    eventually(async || read().lines().count() == bus.put.lock().unwrap().len() && read().contains("ACTIVE")).await;
    let all: Vec<Value> = read().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<String> = all.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), all.len());
    let types: BTreeSet<&str> = all.iter().map(|event| event["detail-type"].as_str().unwrap()).collect();
    assert_eq!(types.len(), 8, "all but components and account connections: {types:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_change_arrives_in_order_though_the_server_is_killed() {
    const NAMES: usize = 8;
    const TIMES: usize = 6;
    let far = FarEnd::start(Duration::from_millis(100)).await;
    let settings = format!(
        "[[events.sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{}/hook\"\nsecret_env = \"HOOK_SECRET\"\n",
        far.address
    );
    let env = [("HOOK_SECRET".to_owned(), SECRET.to_owned())].into();
    let mut plane = Plane::serve(Start { settings, env, port: free_port(), ..Start::default() });
    let user = Client::of(&plane).await;
    // Faster than the far end takes it, so that much waits in the outbox.
    for _ in 0..TIMES {
        for n in 0..NAMES {
            ask!(user.proton.create_environment_template().name(format!("t-{n}")));
            ask!(user.proton.delete_environment_template().name(format!("t-{n}")));
        }
    }
    let (begun, all) = (far.taken("hook").len(), NAMES * TIMES * 2);
    assert!(begun < all, "the far end is too fast for this test");
    tokio::task::block_in_place(|| plane.crash_and_restart());

    let distinct = || -> BTreeSet<String> { far.taken("hook").iter().map(|event| event["id"].to_string()).collect() };
    eventually(async || distinct().len() == all).await;
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in far.taken("hook") {
        let resource = told.entry(event["resources"][0].to_string()).or_default();
        // What was on its way during the crash comes twice at most, in its place and under its old id.
        let last = resource.last().is_some_and(|last| last["id"] == event["id"]);
        if !last {
            resource.push(event);
        }
    }
    assert_eq!(told.len(), NAMES);
    for (resource, events) in &told {
        let statuses: Vec<_> = events.iter().map(|event| event["detail"]["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["DRAFT", "DELETED"].repeat(TIMES), "{resource}");
    }
}

#[test]
fn mistakes_in_sinks_end_the_start_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[[events.sink]]\nname = \"bus\"\ntype = \"eventbridge\"\nsource = \"aws.proton\"\n\n[[events.sink]]\nname = \"lines\"\ntype = \"json-lines\"\npath = \"e\"\npattern = '{\"detail\": {\"status\": [{\"prefx\": \"F\"}]}}'\n";
    let start = Start { settings: settings.into(), ..Start::default() };
    let done = hadron("serve", &start, folder.path()).args(["--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(3), "{said}");
    for words in [
        "hadron.toml",
        "line 1: sink `bus`",
        "AWS refuses",
        "translate-rule",
        "line 10: sink `lines`",
        "did you mean `prefix`",
    ] {
        assert!(said.contains(words), "{words} is missing in: {said}");
    }
}
