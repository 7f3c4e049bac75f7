//! The agent at an endpoint that knows nothing of Hadron's headers: everything is deployed as with them.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::client::{Client, MANIFEST, Outputs, as_map, ask, environment_bundle, service_bundle};
use crate::proxy::{Asked, Middle, Proxy};
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, agent, free_port};
use crate::support::tools::Tools;

const ENVIRONMENT: &str = r#"
resource "terraform_data" "zone" {
  input = "${var.environment.inputs.word} of ${var.environment.name}"
}

output "Zone" {
  value = terraform_data.zone.output
}

output "List" {
  value = [1, "two", var.environment.name]
}

output "Token" {
  value     = "hush"
  sensitive = true
}
"#;
const INSTANCE: &str = r#"
resource "terraform_data" "instance" {
  input = "${var.service.name}/${var.service_instance.name} in ${var.environment.outputs.Zone}"
}

output "Url" {
  value = terraform_data.instance.output
}
"#;
const PIPELINE: &str = r#"
output "Stages" {
  value = [for instance in var.service_instances : "${instance.name}: ${try(instance.outputs.Url, "new")}"]
}
"#;
const COMPONENT: &str = r#"
resource "terraform_data" "queue" {
  input = "${var.service.name}-${var.service_instance.name}-${var.component.name}"
}

output "Queue" {
  value = terraform_data.queue.output
}
"#;
const SERVICE_SPEC: &str = "proton: ServiceSpec\npipeline:\n  word: p\ninstances:\n  - name: api\n    environment: dev\n    \
    spec:\n      word: a\n  - name: web\n    environment: dev\n    spec:\n      word: w\n";

/// The region and the keys of the emulated AWS.
const MOTOS_KEY: (&str, &str) = ("AKIDOFMOTO", "secret-of-moto");

/// Drops every header that is ours, both ways.
#[derive(Default)]
struct Stripper {
    from_requests: AtomicUsize,
    from_answers: AtomicUsize,
}

fn strip(headers: &mut HeaderMap, count: &AtomicUsize) {
    let ours: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("x-hadron-")).cloned().collect();
    count.fetch_add(ours.len(), Ordering::SeqCst);
    for name in ours {
        headers.remove(name);
    }
}

impl Middle for Stripper {
    fn request(&self, request: &mut Request<Bytes>) -> bool {
        strip(request.headers_mut(), &self.from_requests);
        true
    }

    fn answer(&self, _asked: &Asked, answer: &mut Response<Bytes>) -> bool {
        strip(answer.headers_mut(), &self.from_answers);
        true
    }
}

/// An environment, a service of two instances with its pipeline, a component: created, read, and removed again.
async fn story(user: &Client) -> BTreeMap<&'static str, Outputs> {
    user.environment_template("zone", environment_bundle(&["word"], ENVIRONMENT)).await;
    user.create_environment("dev", "zone", "word: north").await;
    user.deployed("dev").await;
    user.service_template("web", "zone", service_bundle(INSTANCE, PIPELINE)).await;
    let create = user.proton.create_service().name("shop").template_name("web").template_major_version("1");
    let create = create.spec(SERVICE_SPEC).branch_name("main").repository_id("acme/shop");
    ask!(create.repository_connection_arn("arn:aws:codestar-connections:us-east-1:123456789012:connection/0"));
    user.service_active("shop").await;
    let create = user.proton.create_component().name("jobs").service_name("shop").service_instance_name("api");
    ask!(create.template_file(COMPONENT).manifest(MANIFEST.replace("\"*\"", "main.tf")).service_spec(SERVICE_SPEC));
    user.component_deployed("jobs").await;

    let mut told = BTreeMap::from([("environment", user.outputs("dev").await)]);
    let list = user.proton.list_component_outputs().component_name("jobs");
    told.insert("component", as_map(ask!(list).outputs));
    let list = user.proton.list_service_pipeline_outputs().service_name("shop");
    told.insert("pipeline", as_map(ask!(list).outputs));
    for name in ["api", "web"] {
        let list = user.proton.list_service_instance_outputs().service_name("shop").service_instance_name(name);
        told.insert(name, as_map(ask!(list).outputs));
    }
    told
}

async fn with_headers() -> BTreeMap<&'static str, Outputs> {
    let plane = Plane::serve(Start::default());
    let _agent = agent(&plane, "agent", &Start::default());
    story(&Client::of(&plane).await).await
}

fn motos_environment(moto: &Moto) -> BTreeMap<String, String> {
    let mut env = moto.env();
    env.insert("AWS_ACCESS_KEY_ID".into(), MOTOS_KEY.0.into());
    env.insert("AWS_SECRET_ACCESS_KEY".into(), MOTOS_KEY.1.into());
    env
}

async fn work_again_and_again(plane: &Plane, once: &Start) {
    loop {
        let mut agent = agent(plane, "agent", once);
        let ended = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Some(ended) = agent.exited() {
                break ended;
            }
        };
        assert_eq!(ended.code(), Some(0), "{}", agent.stderr());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_endpoint_that_never_sees_a_header_of_ours_gets_the_same_outputs() {
    let moto = tokio::task::block_in_place(|| Moto::start(Tools::get()));
    let port = free_port();
    let stripper = Arc::new(Stripper::default());
    let proxy = Proxy::start(format!("127.0.0.1:{port}"), &stripper).await;
    let settings = format!(
        "objects_endpoint = {0:?}\n[state]\nbackend = \"s3\"\nbucket = \"states\"\nendpoint = {0:?}\n",
        moto.endpoint()
    );
    let start = Start { settings, env: motos_environment(&moto), ..Start::default() };
    let plane = Plane::serve(Start {
        data: Vec::new(),
        settings: start.settings.clone(),
        env: start.env.clone(),
        flags: vec!["--bucket".into(), "s3://bundles".into()],
        port,
    });
    let exported = plane.exported();
    let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
    let motos_key = (MOTOS_KEY.0.to_owned(), MOTOS_KEY.1.to_owned());
    let user = Client::at(plane.endpoint(), &key, (moto.endpoint(), &motos_key)).await;
    ask!(user.s3.create_bucket().bucket("states"));
    let mut behind = start.env.clone();
    behind.insert("HADRON_ENDPOINT".into(), proxy.url());
    // Without our headers an agent asks four times a minute; one that works off what there is asks at once.
    let once = Start { env: behind, flags: vec!["--once".into()], ..start };
    let mut without = tokio::select! {
        told = story(&user) => told,
        () = work_again_and_again(&plane, &once) => unreachable!("it never ends"),
    };

    assert!(stripper.from_requests.load(Ordering::SeqCst) > 10, "the agent offers its headers");
    assert!(stripper.from_answers.load(Ordering::SeqCst) > 10, "and the server still says where a deployment stands");
    let mut with = with_headers().await;
    // What is secret is sealed where that can be, else it stays at the agent.
    let secret = |told: &mut BTreeMap<&str, Outputs>| told.get_mut("environment").unwrap().remove("Token");
    assert_eq!((secret(&mut with).as_deref(), secret(&mut without)), (Some("***"), None));
    assert_eq!(without, with);
    assert_eq!(with["api"]["Url"], "shop/api in north of dev");
    let states = moto.boto3(Tools::get(), LIST_STATES);
    assert_eq!(states.as_array().unwrap().len(), 5, "every state lies in the bucket, and no lock is left: {states}");
}

const LIST_STATES: &str = "
import boto3, json
found = boto3.client('s3').list_objects_v2(Bucket='states').get('Contents', [])
print(json.dumps([it['Key'] for it in found]))
";
