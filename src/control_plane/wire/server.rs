//! One port for everything: which request goes to whom.
//!
//! | request | goes to |
//! |---|---|
//! | `/_hadron/…` | the handler for what is our own, such as Terraform's state |
//! | `/healthz`, `/readyz`, `/metrics` | here, as [`Outside`] says |
//! | signed for `s3`, `sts`, `proton`, `hadron` | the object server, STS, the API |
//! | `X-Amz-Target` | the API that it names |
//! | a form posted to `/` | STS |
//! | `GET /` without a signature | the page |
//! | any other `POST /` | Proton, which says what is missing |
//! | anything else | the object server |

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use hadron_model::{Action, hadron};
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::answer::{Failure, Told, typed};
use super::api::{self, Operations};
use super::call::{Peer, RequestId};
use super::keys::{Attempt, Key, Keys};
use super::listener::{self, Port};
use super::sigv4::{Claim, SignatureError, scope_service};
use super::{ProtonError, sts};
use crate::support::Clock;

/// The largest body of a Proton or STS request, in bytes: twice what the largest component can need when every letter
/// is escaped.
const LARGEST_BODY: usize = 4 << 20;

/// Of the one operation that takes a whole Terraform state, with the escapes that it needs in JSON, and only from a key
/// that is known: before the signature is checked nobody else may fill the memory.
const LARGEST_STATE: usize = 160 << 20;

/// How long a client may take to send such a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves requests that aren't ours to understand.
pub type Handler = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// The parts that requests are handed to; cheap to clone.
#[derive(Clone)]
pub struct Front {
    /// Who may sign.
    pub keys: Arc<dyn Keys>,
    /// The operations of both APIs.
    pub operations: Arc<dyn Operations>,
    /// The time.
    pub clock: Clock,
    /// The embedded S3, if there is one.
    pub objects: Option<Handler>,
    /// Everything below `/_hadron/`.
    pub hadron: Option<Handler>,
    /// What is seen from outside besides the APIs.
    pub outside: Outside,
}

/// Is told of each request: its operation, the answer's status, the time until it began.
pub type Answered = Arc<dyn Fn(&str, StatusCode, Duration) + Send + Sync>;

/// What is seen from outside besides the APIs; of a front that only serves these, nothing.
#[derive(Clone, Default)]
pub struct Outside {
    /// Whether the server can do its work; without it only whether the record answers.
    pub ready: Option<Handler>,
    /// Numbers.
    pub metrics: Option<Handler>,
    /// Is told of each request.
    pub answered: Option<Answered>,
}

struct Server {
    front: Front,
    /// Changes under way, which outlive their connection.
    changes: TaskTracker,
}

/// Serves until `shutdown`, then finishes what is under way.
pub async fn serve(port: impl Into<Port>, front: Front, shutdown: CancellationToken) {
    let changes = TaskTracker::new();
    let server = Arc::new(Server { front, changes: changes.clone() });
    listener::serve(port.into(), move |request| accept(Arc::clone(&server), request), shutdown).await;
    changes.close();
    changes.wait().await;
}

/// Serves one handler on a port of its own until `shutdown`: what is seen from outside, for those who may not see the rest.
pub async fn serve_only(port: impl Into<Port>, handler: Handler, shutdown: CancellationToken) {
    listener::serve(port.into(), move |request| handler(request), shutdown).await;
}

/// One request: route it, survive its panics, give the answer its id, and log one line.
async fn accept(server: Arc<Server>, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let id = Uuid::new_v4().to_string();
    let routed = AssertUnwindSafe(server.route(request, &id)).catch_unwind().await;
    let mut answer = routed.unwrap_or_else(|_| {
        tracing::error!(request.id = %id, "a request panicked");
        Failure::internal(&id).answer()
    });
    let request_id = HeaderValue::from_str(&id).expect("a UUID is a header value");
    answer.headers_mut().insert("x-amzn-requestid", request_id);
    server.log(&answer, &id, started.elapsed());
    answer
}

impl Server {
    fn log(&self, answer: &Response<Body>, id: &str, took: Duration) {
        let told = answer.extensions().get::<Told>();
        let (operation, account) = told.map_or(("?", ""), |told| (&*told.operation, &*told.account));
        if let Some(answered) = &self.front.outside.answered {
            answered(operation, answer.status(), took);
        }
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let status = answer.status().as_u16();
        // What clients ask is theirs to log; what we failed at is ours. That we aren't ready is told where it is found.
        let failed = answer.status().is_server_error() && answer.status() != StatusCode::NOT_IMPLEMENTED;
        if failed && operation != "readyz" {
            tracing::error!(operation, request.id = id, account, status, duration_ms, "{operation} answered {status}");
        } else {
            tracing::debug!(operation, request.id = id, account, status, duration_ms, "{operation} answered {status}");
        }
    }

    async fn route(self: &Arc<Self>, request: Request<Body>, id: &str) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(RequestId(id.to_owned()));
        match room(&parts) {
            Room::Api => self.api(parts, body, id).await,
            Room::Sts => self.sts(parts, body, id).await,
            Room::Objects => hand(self.front.objects.as_ref(), "s3", parts, body).await,
            Room::Hadron => hand(self.front.hadron.as_ref(), "hadron", parts, body).await,
            Room::Health => told(typed(StatusCode::OK, "text/plain", "ok\n"), "healthz"),
            Room::Readiness => match &self.front.outside.ready {
                Some(ready) => told(ready(Request::from_parts(parts, body)).await, "readyz"),
                None => told(self.readiness().await, "readyz"),
            },
            Room::Metrics => {
                let mut answer = hand(self.front.outside.metrics.as_ref(), "metrics", parts, body).await;
                answer.extensions_mut().insert(Told::of("metrics"));
                answer
            }
            Room::Page => told(typed(StatusCode::OK, "text/html; charset=utf-8", PAGE), "page"),
        }
    }

    async fn api(self: &Arc<Self>, parts: Parts, body: Body, id: &str) -> Response<Body> {
        let body = match read_body(body, self.largest_body(&parts).await).await {
            Ok(body) => body,
            Err(failure) => return told(failure.answer(), "?"),
        };
        let (action, input) = match api::read(&parts, &body) {
            Ok(read) => read,
            Err(failure) => return told(failure.answer(), "?"),
        };
        let now = self.front.clock.now();
        let (claim, key) = match self.authenticate(&parts, &body, action.service(), now).await {
            Ok(known) => known,
            Err(refusal) => {
                self.witness(&parts, (action.service(), action.name()), now, &refusal).await;
                return told(refusal.into_failure(id).answer(), action.name());
            }
        };
        let call = api::call(&parts, &key, claim.region(), id, now);
        let server = Arc::clone(self);
        let performing = async move { api::perform(server.front.operations.as_ref(), call, action, input).await };
        if action.reads() {
            return performing.await;
        }
        match self.changes.spawn(performing).await {
            Ok(answer) => answer,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn sts(&self, parts: Parts, body: Body, id: &str) -> Response<Body> {
        let body = match read_body(body, LARGEST_BODY).await {
            Ok(body) => body,
            Err(failure) => return told(failure.answer(), "sts:?"),
        };
        let now = self.front.clock.now();
        let refusal = match self.authenticate(&parts, &body, sts::SERVICE, now).await {
            Ok((_, key)) => return sts::answer(&body, &key, id),
            Err(refusal) => refusal,
        };
        self.witness(&parts, (sts::SERVICE, "GetCallerIdentity"), now, &refusal).await;
        match refusal {
            Unauthenticated::Signature(refusal) => told(sts::refuse(&refusal, id), "sts:?"),
            internal @ Unauthenticated::Lookup(_) => told(internal.into_failure(id).answer(), "sts:?"),
        }
    }

    async fn largest_body(&self, parts: &Parts) -> usize {
        let large = [hadron::Operation::PushState, hadron::Operation::ImportEstate].map(Action::Hadron);
        let asked = api::target(parts).and_then(Action::targeted);
        let Some(asked) = asked.filter(|asked| large.contains(asked)) else { return LARGEST_BODY };
        let Ok(claim) = Claim::read(parts, asked.service(), self.front.clock.now()) else { return LARGEST_BODY };
        match self.front.keys.find(claim.access_key()).await {
            Ok(Some(_)) => LARGEST_STATE,
            Ok(None) | Err(_) => LARGEST_BODY,
        }
    }

    async fn authenticate(
        &self,
        parts: &Parts,
        body: &[u8],
        service: &str,
        now: i64,
    ) -> Result<(Claim, Key), Unauthenticated> {
        let claim = Claim::read(parts, service, now)?;
        let key = self.front.keys.find(claim.access_key()).await.map_err(Unauthenticated::Lookup)?;
        let key = key.ok_or(SignatureError::UnknownKey)?;
        claim.verify(parts, body, &key.secret)?;
        Ok((claim, key))
    }

    /// Takes note of a signature that is complete and of now, and still isn't accepted.
    async fn witness(
        &self,
        parts: &Parts,
        (service, action): (&'static str, &'static str),
        now: i64,
        refusal: &Unauthenticated,
    ) {
        let Unauthenticated::Signature(SignatureError::UnknownKey | SignatureError::Invalid(_)) = refusal else {
            return;
        };
        // Without a claim nobody is named.
        let Ok(claim) = Claim::read(parts, service, now) else { return };
        let attempt = Attempt {
            access_key: claim.access_key().to_owned(),
            region: claim.region().to_owned(),
            service,
            action,
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            peer: parts.extensions.get::<Peer>().map(|peer| peer.0),
            user_agent: parts.headers.get(USER_AGENT).and_then(|text| text.to_str().ok()).map(str::to_owned),
        };
        self.front.keys.refused(attempt).await;
    }

    /// Ready means that the record answers.
    async fn readiness(&self) -> Response<Body> {
        match self.front.keys.find("readiness").await {
            Ok(_) => typed(StatusCode::OK, "text/plain", "ready\n"),
            Err(error) => {
                tracing::warn!(%error, "not ready: the record doesn't answer");
                typed(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the record doesn't answer\n")
            }
        }
    }
}

/// Why it isn't known who asks.
enum Unauthenticated {
    Signature(SignatureError),
    Lookup(ProtonError),
}

impl From<SignatureError> for Unauthenticated {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl Unauthenticated {
    fn into_failure(self, id: &str) -> Failure {
        match self {
            Self::Signature(error) => error.into(),
            Self::Lookup(error) => {
                tracing::error!(request.id = id, error = %error, "an access key can't be looked up");
                match error {
                    ProtonError::Unavailable(_) => Failure::unavailable(id),
                    _ => Failure::internal(id),
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Api,
    Sts,
    Objects,
    Hadron,
    Health,
    Readiness,
    Metrics,
    Page,
}

fn room(parts: &Parts) -> Room {
    let (path, service) = (parts.uri.path(), scope_service(parts));
    match (path, service.as_deref()) {
        ("/_hadron", _) => Room::Hadron,
        _ if path.starts_with("/_hadron/") => Room::Hadron,
        // The object server knows that these can't be buckets.
        (_, Some("s3")) => Room::Objects,
        ("/healthz", _) => Room::Health,
        ("/readyz", _) => Room::Readiness,
        ("/metrics", _) => Room::Metrics,
        (_, Some(sts::SERVICE)) => Room::Sts,
        (_, Some(hadron_model::SIGNING_NAME | hadron_model::hadron::SIGNING_NAME)) => Room::Api,
        _ if parts.headers.contains_key("x-amz-target") => Room::Api,
        _ if sts::is_query(parts) => Room::Sts,
        ("/", None) if parts.method == Method::GET || parts.method == Method::HEAD => Room::Page,
        ("/", _) if parts.method == Method::POST => Room::Api,
        _ => Room::Objects,
    }
}

async fn hand(handler: Option<&Handler>, name: &'static str, parts: Parts, body: Body) -> Response<Body> {
    let operation = format!("{name}:{}", parts.method);
    let mut answer = match handler {
        Some(handler) => handler(Request::from_parts(parts, body)).await,
        None => typed(StatusCode::NOT_FOUND, "text/plain", "nothing is served here\n"),
    };
    if answer.extensions().get::<Told>().is_none() {
        answer.extensions_mut().insert(Told::of(operation));
    }
    answer
}

async fn read_body(body: Body, limit: usize) -> Result<Bytes, Failure> {
    let broken = |text: String| Failure::client("RequestAbortedException", Some(text));
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_limit(&error) => Err(Failure::too_large(limit)),
        Ok(Err(error)) => Err(broken(format!("The request's body broke off: {error}"))),
        Err(_) => Err(broken(format!("The request's body did not arrive within {BODY_TIMEOUT:?}"))),
    }
}

fn is_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

fn told(mut answer: Response<Body>, operation: &'static str) -> Response<Body> {
    answer.extensions_mut().insert(Told::of(operation));
    answer
}

const PAGE: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hadron</title></head>\
    <body><h1>Hadron</h1><p>Point the AWS CLI here with <code>AWS_ENDPOINT_URL</code>.</p></body></html>\n";
