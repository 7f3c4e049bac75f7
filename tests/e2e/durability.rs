//! What `hadron serve` has acknowledged survives kill -9: templates, tags, reports, objects and states, byte for byte.
//!
//! Sixteen writers work over the wire while the process is killed; after each restart everything that was acknowledged
//! in the round is read back, and at the end everything that ever was. A write whose answer never came may be there or
//! not, but never in part.
//!
//! `HADRON_TEST_ROUNDS` says how often the process is killed: 50 unless set, which takes half a minute; 200 before a
//! release.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_proton::config::Region;
use aws_sdk_proton::error::SdkError;
use aws_sdk_proton::operation::get_environment_template::GetEnvironmentTemplateError;
use aws_sdk_proton::types::{ResourceDeploymentStatus, Tag};
use aws_sdk_s3::operation::get_object::GetObjectError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use hadron::proton::Proton;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::client::{Client, access, ask, environment_bundle, spec};
use crate::support::plane::{Plane, Start, free_port};

const ROUNDS: usize = 50;
const WRITERS: usize = 16;
const BUCKET: &str = "durable";

/// A place that is written. What is written there follows from a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Template(String),
    Tag(String),
    Message(String),
    Object(String),
    State(String),
}

/// What may be read at a place.
#[derive(Debug, Clone, Default)]
struct Expected {
    acknowledged: Option<u64>,
    /// Writes since then whose answer never came.
    tried: Vec<u64>,
    /// The round of the last acknowledgement.
    round: usize,
}

#[derive(Default)]
struct Ledger {
    places: Mutex<BTreeMap<Place, Expected>>,
    numbers: AtomicU64,
    round: AtomicU64,
    /// Whether the process is being killed, so that a request may fail.
    dying: AtomicBool,
}

impl Ledger {
    fn next(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn try_at(&self, place: &Place, number: u64) {
        self.places.lock().unwrap().entry(place.clone()).or_default().tried.push(number);
    }

    fn acknowledge(&self, place: &Place, number: u64) {
        let round = usize::try_from(self.round.load(Ordering::SeqCst)).unwrap();
        *self.places.lock().unwrap().get_mut(place).unwrap() =
            Expected { acknowledged: Some(number), tried: Vec::new(), round };
    }

    /// Everything, or what was acknowledged or tried in this round.
    fn to_read(&self, round: Option<usize>) -> Vec<(Place, Expected)> {
        let places = self.places.lock().unwrap();
        let due = |expected: &Expected| round.is_none_or(|round| expected.round == round || !expected.tried.is_empty());
        places.iter().filter(|(_, expected)| due(expected)).map(|(p, e)| (p.clone(), e.clone())).collect()
    }

    fn settle(&self, place: &Place, found: Option<u64>) {
        let mut places = self.places.lock().unwrap();
        let expected = places.get_mut(place).unwrap();
        *expected = Expected { acknowledged: found, tried: Vec::new(), round: expected.round };
    }
}

/// Some bytes that follow from a number: between 100 B and 40 kB, no two alike.
fn content(number: u64) -> Vec<u8> {
    let mut bytes = format!("{number}:").into_bytes();
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let length = 100 + usize::try_from(number * 7919 % 40_000).unwrap();
    while bytes.len() < length {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    bytes
}

fn words(number: u64) -> String {
    let mut text = format!("{number}-");
    content(number).iter().take(40).for_each(|byte| write!(text, "{byte:02x}").unwrap());
    text
}

fn state(number: u64) -> Vec<u8> {
    let content = STANDARD.encode(content(number));
    format!(r#"{{"version":4,"serial":{number},"lineage":"durable","outputs":{{}},"content":"{content}"}}"#)
        .into_bytes()
}

/// A target whose deployment is held for the whole test, and its state's address.
#[derive(Clone)]
struct Held {
    environment: String,
    arn: String,
    deployment: String,
    state: String,
    authorization: String,
}

/// The clients of one life of the server: a connection that a crash has broken is no use to the next.
struct Far {
    user: Client,
    http: Http<HttpConnector, Full<Bytes>>,
    held: Arc<Vec<Held>>,
}

/// A write that wasn't acknowledged.
#[derive(Debug)]
enum Refused {
    /// The connection broke.
    Broken,
    /// The server said no.
    Answered(String),
}

impl<E: std::fmt::Debug, R: std::fmt::Debug> From<SdkError<E, R>> for Refused {
    fn from(error: SdkError<E, R>) -> Self {
        match error {
            SdkError::ServiceError(error) => Self::Answered(format!("{error:?}")),
            _ => Self::Broken,
        }
    }
}

impl Far {
    async fn of(plane: &Plane, held: Arc<Vec<Held>>) -> Self {
        let exported = plane.exported();
        let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
        let config = access(plane.endpoint(), &key).sdk_config().await;
        // One try each: what is repeated by the client would blur what was acknowledged.
        let never = aws_config::retry::RetryConfig::disabled();
        let proton = aws_sdk_proton::config::Builder::from(&config).retry_config(never.clone()).build();
        let s3 = aws_sdk_s3::config::Builder::from(&config).retry_config(never).force_path_style(true).build();
        let user = Client { proton: aws_sdk_proton::Client::from_conf(proton), s3: aws_sdk_s3::Client::from_conf(s3) };
        Self { user, http: Http::builder(TokioExecutor::new()).build_http(), held }
    }

    fn held(&self, environment: &str) -> &Held {
        self.held.iter().find(|held| held.environment == environment).unwrap()
    }

    async fn write(&self, place: &Place, number: u64) -> Result<(), Refused> {
        match place {
            Place::Template(name) => {
                let create = self.user.proton.create_environment_template().name(name).display_name(words(number));
                create.customize().config_override(region_of(name)).send().await?;
            }
            Place::Tag(arn) => {
                let tag = Tag::builder().key("number").value(words(number)).build().unwrap();
                let request = self.user.proton.tag_resource().resource_arn(arn).tags(tag);
                request.customize().config_override(region_of(arn)).send().await?;
            }
            Place::Message(environment) => {
                let held = self.held(environment);
                let notify = self.user.proton.notify_resource_deployment_status_change();
                let notify = notify.resource_arn(&held.arn).deployment_id(&held.deployment);
                let notify = notify.status(ResourceDeploymentStatus::InProgress).status_message(words(number));
                notify.send().await?;
            }
            Place::Object(key) => {
                let put = self.user.s3.put_object().bucket(BUCKET).key(key).body(content(number).into());
                put.send().await?;
            }
            Place::State(environment) => {
                let status = self.ask_state(environment, "POST", "?ID=durable", state(number)).await?.0;
                if status != 200 {
                    return Err(Refused::Answered(format!("the state server answers {status}")));
                }
            }
        }
        Ok(())
    }

    /// What is there, as bytes; None of what doesn't exist.
    async fn read(&self, place: &Place) -> Option<Vec<u8>> {
        match place {
            Place::Template(name) => {
                let get = self.user.proton.get_environment_template().name(name).customize();
                match get.config_override(region_of(name)).send().await {
                    Ok(got) => got.environment_template.unwrap().display_name.map(String::into_bytes),
                    Err(error)
                        if error
                            .as_service_error()
                            .is_some_and(GetEnvironmentTemplateError::is_resource_not_found_exception) =>
                    {
                        None
                    }
                    Err(error) => panic!("{place:?}: {error:?}"),
                }
            }
            Place::Tag(arn) => {
                let list = self.user.proton.list_tags_for_resource().resource_arn(arn).customize();
                let tags = ask!(list.config_override(region_of(arn))).tags;
                tags.into_iter().find(|tag| tag.key == "number").map(|tag| tag.value.into_bytes())
            }
            Place::Message(environment) => {
                let get = self.user.proton.get_deployment().id(&self.held(environment).deployment);
                ask!(get).deployment.unwrap().deployment_status_message.map(String::into_bytes)
            }
            Place::Object(key) => match self.user.s3.get_object().bucket(BUCKET).key(key).send().await {
                Ok(got) => Some(got.body.collect().await.unwrap().to_vec()),
                Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => None,
                Err(error) => panic!("{place:?}: {error:?}"),
            },
            Place::State(environment) => {
                let (status, body) = self.ask_state(environment, "GET", "", Vec::new()).await.unwrap();
                assert!(matches!(status, 200 | 204), "{status}");
                (status == 200).then_some(body)
            }
        }
    }

    async fn ask_state(
        &self,
        environment: &str,
        method: &str,
        query: &str,
        body: Vec<u8>,
    ) -> Result<(u16, Vec<u8>), Refused> {
        let held = self.held(environment);
        let request = Request::builder().method(method).uri(format!("{}{query}", held.state));
        let request = request.header("authorization", &held.authorization).body(Full::from(body)).unwrap();
        let answer = self.http.request(request).await.map_err(|_| Refused::Broken)?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|_| Refused::Broken)?;
        Ok((status, body.to_bytes().to_vec()))
    }
}

impl Place {
    fn bytes(&self, number: u64) -> Vec<u8> {
        match self {
            Self::Template(_) | Self::Tag(_) | Self::Message(_) => words(number).into_bytes(),
            Self::Object(_) => content(number),
            Self::State(_) => state(number),
        }
    }
}

/// The region in which a template of this name is: one holds no more than a thousand.
fn region(template: &str) -> String {
    format!("us-east-{}", template.bytes().last().unwrap_or_default() % 10)
}

/// To ask in the region of a template or of its ARN.
fn region_of(template: &str) -> aws_sdk_proton::config::Builder {
    aws_sdk_proton::Config::builder().region(Region::new(region(template)))
}

/// Where a writer writes next: a fourth of them each creates templates and tags them, reports, puts, writes states.
fn next_place(writer: usize, number: u64, tagged: &mut Option<String>, held: &[Held]) -> Place {
    let mine = &held[writer % held.len()].environment;
    match writer % 4 {
        0 => match tagged.take() {
            Some(arn) => Place::Tag(arn),
            None => Place::Template(format!("t-{number}")),
        },
        1 => Place::Message(mine.clone()),
        // Every other one replaces the one before.
        2 if number.is_multiple_of(2) => Place::Object(format!("replaced/{writer}")),
        2 => Place::Object(format!("kept/{number}")),
        _ => Place::State(mine.clone()),
    }
}

async fn keep_writing(writer: usize, far: Arc<Far>, ledger: Arc<Ledger>) -> usize {
    let (mut tagged, mut acknowledged) = (None, 0);
    loop {
        let number = ledger.next();
        let place = next_place(writer, number, &mut tagged, &far.held);
        ledger.try_at(&place, number);
        match far.write(&place, number).await {
            Ok(()) => {
                ledger.acknowledge(&place, number);
                acknowledged += 1;
                if let Place::Template(name) = place {
                    tagged = Some(format!("arn:aws:proton:{}:123456789012:environment-template/{name}", region(&name)));
                }
            }
            Err(Refused::Broken) if ledger.dying.load(Ordering::SeqCst) => return acknowledged,
            Err(Refused::Broken) => panic!("{place:?}: the connection broke, though the server lives"),
            Err(Refused::Answered(said)) => panic!("{place:?}: {said}"),
        }
    }
}

/// Reads places back; the number of those that are as acknowledged.
async fn check(far: &Far, ledger: &Ledger, places: Vec<(Place, Expected)>) -> usize {
    let checked = stream::iter(places).map(|(place, expected)| async move {
        let found = far.read(&place).await;
        let candidates = expected.acknowledged.iter().chain(&expected.tried);
        let number = match &found {
            None => None,
            Some(bytes) => {
                let number = candidates.copied().find(|number| place.bytes(*number) == *bytes);
                let head = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
                assert!(number.is_some(), "{place:?} holds what nobody wrote: {head} ({expected:?})");
                number
            }
        };
        assert!(number.is_some() || expected.acknowledged.is_none(), "{place:?} is lost: {expected:?}");
        ledger.settle(&place, number);
    });
    checked.buffer_unordered(WRITERS).count().await
}

/// Four environments that nobody deploys: two whose deployments are reported on, two whose states are written.
async fn hold(plane: &Plane) -> Vec<Held> {
    let user = Client::of(plane).await;
    ask!(user.s3.create_bucket().bucket(BUCKET));
    user.environment_template("held", environment_bundle(&["word"], "")).await;
    let exported = plane.exported();
    let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
    let proton = Proton::new(&access(plane.endpoint(), &key)).await;
    let mut held = Vec::new();
    for n in 0..WRITERS {
        let environment = format!("held-{n}");
        let create = user.proton.create_environment().name(&environment).template_name("held");
        let created = ask!(create.template_major_version("1").spec(spec(""))).environment.unwrap();
        let deployment = created.last_attempted_deployment_id.unwrap();
        let (mut state, mut authorization) = (String::new(), String::new());
        // A claim keeps reports without its epoch away, so only those whose state is written are claimed.
        if n % 4 == 3 {
            crate::client::eventually(async || proton.claim("writer", &deployment, &created.arn).await.is_ok()).await;
            let (lease, _) = proton.claim("writer", &deployment, &created.arn).await.unwrap();
            state = lease.state.clone().unwrap();
            let password = proton.password(&state, &lease.username()).await.unwrap();
            authorization = format!("Basic {}", STANDARD.encode(format!("{}:{}", lease.username(), password.reveal())));
        }
        held.push(Held { environment, arn: created.arn, deployment, state, authorization });
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let chosen = std::env::var_os("HADRON_TEST_ROUNDS").map(|text| text.into_string().unwrap());
    let rounds = chosen.map_or(ROUNDS, |text| text.parse().unwrap());
    let start = Start { settings: "lease_seconds = 1000000\n".into(), port: free_port(), ..Start::default() };
    let mut plane = Plane::serve(start);
    let held = Arc::new(hold(&plane).await);
    let ledger = Arc::new(Ledger::default());
    let mut far = Arc::new(Far::of(&plane, Arc::clone(&held)).await);
    for held in held.iter().filter(|held| !held.state.is_empty()) {
        let locked = far.ask_state(&held.environment, "LOCK", "", br#"{"ID":"durable"}"#.to_vec()).await;
        assert_eq!(locked.unwrap().0, 200);
    }
    let began = Instant::now();
    let (mut acknowledged, mut unanswered) = (0, 0);
    for round in 1..=rounds {
        ledger.round.store(round as u64, Ordering::SeqCst);
        ledger.dying.store(false, Ordering::SeqCst);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(keep_writing(writer, Arc::clone(&far), Arc::clone(&ledger))))
            .collect();
        tokio::time::sleep(Duration::from_millis(100 + (round as u64 * 37) % 200)).await;
        ledger.dying.store(true, Ordering::SeqCst);
        tokio::task::block_in_place(|| plane.process().kill());
        for writer in writers {
            acknowledged += writer.await.unwrap();
        }
        tokio::task::block_in_place(|| plane.restart());
        far = Arc::new(Far::of(&plane, Arc::clone(&held)).await);
        let due = ledger.to_read(Some(round));
        unanswered += due.iter().map(|(_, expected)| expected.tried.len()).sum::<usize>();
        check(&far, &ledger, due).await;
    }
    let all = ledger.to_read(None);
    for kind in ["Template", "Tag", "Message", "Object", "State"] {
        let acknowledged = |(place, expected): &&(Place, Expected)| {
            format!("{place:?}").starts_with(kind) && expected.acknowledged.is_some()
        };
        assert!(all.iter().filter(acknowledged).count() >= 4, "{kind}: too little was written");
    }
    let places = check(&far, &ledger, all).await;
    tell(&format!(
        "{rounds} rounds of kill -9 in {:.0?}: {acknowledged} acknowledged writes at {places} places read back, \
         {unanswered} without an answer there whole or not at all",
        began.elapsed()
    ));
}

#[expect(clippy::print_stdout, reason = "the numbers are what a release is proved by")]
fn tell(text: &str) {
    println!("{text}");
}
