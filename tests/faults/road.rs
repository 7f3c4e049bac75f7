//! A road to a server on which a round lays its traps: it holds calls, answers in the server's place, loses answers.
//!
//! Unlike the proxy of the other tests it also streams nothing and knows what kind of call passes, so that a fault can
//! be laid at exactly the third state write, or between the creation of a queue and the provider's hearing of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::spawn;
use tokio_util::task::AbortOnDropHandle;

/// What passes, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Call {
    Poll,
    Claim,
    Beat,
    FinalReport,
    OtherProton,
    GetObject,
    PutObject,
    StateGet,
    Lock,
    StateWrite,
    Unlock,
    Blocks,
    /// Of the emulated AWS.
    Create,
    /// Of the emulated AWS.
    Delete,
    Other,
}

impl Call {
    /// Whether it is about Terraform's state or its lock.
    pub(crate) fn is_of_the_state(self) -> bool {
        matches!(self, Self::StateGet | Self::Lock | Self::StateWrite | Self::Unlock)
    }
}

/// On which side of the server's work a trap lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The server hasn't heard of the call.
    Before,
    /// The server has done it, the caller doesn't know.
    After,
}

/// What a trap does.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// The connection ends without an answer.
    Cut,
    /// An answer in the server's place.
    Answer(u16),
    /// It takes that much longer.
    Slow(Duration),
    /// It waits until the round lets it go.
    Hold(Gate),
}

/// Where a held call waits and a round waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    reached: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), released: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until a call is held.
    pub(crate) async fn reached(&self) {
        drop(self.reached.acquire().await);
    }

    /// Lets go whatever is held, now and later.
    pub(crate) fn release(&self) {
        self.released.close();
    }

    async fn pass(&self) {
        self.reached.add_permits(1);
        drop(self.released.acquire().await);
    }
}

/// A trap for one kind of call.
#[derive(Debug, Clone)]
pub(crate) struct Trap {
    pub(crate) call: Call,
    pub(crate) side: Side,
    /// So many calls of the kind pass before.
    pub(crate) skip: usize,
    /// So many are caught then.
    pub(crate) times: usize,
    /// And only until then.
    pub(crate) until: Option<Instant>,
    pub(crate) deed: Deed,
}

impl Trap {
    /// Catches one call, the first of its kind.
    pub(crate) fn new(call: Call, side: Side, deed: Deed) -> Self {
        Self { call, side, skip: 0, times: 1, until: None, deed }
    }
}

/// Something that has passed: on the road to the emulated AWS, the names of what was created and deleted.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) call: Call,
    pub(crate) name: String,
    pub(crate) status: u16,
}

/// The traps and the record of a road.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    traps: Mutex<Vec<Trap>>,
    passed: Mutex<Vec<Passed>>,
    caught: Mutex<usize>,
}

impl Traffic {
    pub(crate) fn lay(&self, trap: Trap) {
        self.traps.lock().unwrap().push(trap);
    }

    /// Takes all traps away; what is held goes on.
    pub(crate) fn clear(&self) {
        for trap in self.traps.lock().unwrap().drain(..) {
            if let Deed::Hold(gate) = trap.deed {
                gate.release();
            }
        }
    }

    /// Begins a new record.
    pub(crate) fn forget(&self) {
        self.passed.lock().unwrap().clear();
        *self.caught.lock().unwrap() = 0;
    }

    /// How many calls were caught since then.
    pub(crate) fn caught(&self) -> usize {
        *self.caught.lock().unwrap()
    }

    pub(crate) fn passed(&self) -> Vec<Passed> {
        self.passed.lock().unwrap().clone()
    }

    fn deed(&self, call: Call, side: Side) -> Option<Deed> {
        let mut traps = self.traps.lock().unwrap();
        let now = Instant::now();
        for trap in traps.iter_mut().filter(|trap| trap.call == call && trap.side == side) {
            if trap.skip > 0 {
                trap.skip -= 1;
            } else if trap.times > 0 && trap.until.is_none_or(|until| now < until) {
                trap.times -= 1;
                *self.caught.lock().unwrap() += 1;
                return Some(trap.deed.clone());
            }
        }
        None
    }
}

/// A road, until it is dropped.
pub(crate) struct Road {
    address: SocketAddr,
    pub(crate) traffic: Arc<Traffic>,
    _accepting: AbortOnDropHandle<()>,
}

const NO: &[u8] = b"the test says no";

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html>
const AWS_ERROR: &[u8] = b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>the test says \
    no</Message></Error><RequestId>0</RequestId></ErrorResponse>";

/// The connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

struct Server {
    upstream: String,
    aws: bool,
    client: Client<HttpConnector, Full<Bytes>>,
    traffic: Arc<Traffic>,
}

impl Road {
    /// Leads to `upstream` (`host:port`); `aws` says that AWS is emulated there.
    pub(crate) async fn to(upstream: String, aws: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let traffic = Arc::new(Traffic::default());
        let server = Arc::new(Server { upstream, aws, client, traffic: Arc::clone(&traffic) });
        let accepting = AbortOnDropHandle::new(spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                let pass = service_fn(move |request| {
                    let server = Arc::clone(&server);
                    // On a task of its own: what the server was asked, it does, even if the caller is killed meanwhile.
                    async move { spawn(async move { server.pass(request).await }).await.unwrap_or(Err(Cut)) }
                });
                spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), pass));
            }
        }));
        Self { address, traffic, _accepting: accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Server {
    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let (call, name) = if self.aws { aws_call(&parts, &body) } else { (hadron_call(&parts, &body), String::new()) };
        parts.headers.remove(header::TRANSFER_ENCODING);
        if let Some(answer) = self.meet(call, Side::Before).await? {
            return Ok(answer);
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        parts.uri = format!("http://{}{path}", self.upstream).parse::<Uri>().map_err(|_| Cut)?;
        let answer = self.client.request(Request::from_parts(parts, Full::new(body))).await.map_err(|_| Cut)?;
        let (mut parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        parts.headers.remove(header::TRANSFER_ENCODING);
        self.traffic.passed.lock().unwrap().push(Passed { call, name, status: parts.status.as_u16() });
        if let Some(answer) = self.meet(call, Side::After).await? {
            return Ok(answer);
        }
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    async fn meet(&self, call: Call, side: Side) -> Result<Option<Response<Full<Bytes>>>, Cut> {
        match self.traffic.deed(call, side) {
            None => {}
            Some(Deed::Cut) => return Err(Cut),
            Some(Deed::Slow(time)) => tokio::time::sleep(time).await,
            Some(Deed::Hold(gate)) => gate.pass().await,
            Some(Deed::Answer(status)) => {
                let mut answer = Response::new(Full::new(Bytes::from_static(if self.aws { AWS_ERROR } else { NO })));
                *answer.status_mut() = StatusCode::from_u16(status).map_err(|_| Cut)?;
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}

fn hadron_call(parts: &http::request::Parts, body: &Bytes) -> Call {
    let path = parts.uri.path();
    if path.starts_with("/_hadron/state/") {
        return match parts.method.as_str() {
            "LOCK" => Call::Lock,
            "UNLOCK" => Call::Unlock,
            "POST" => Call::StateWrite,
            _ => Call::StateGet,
        };
    }
    if path.starts_with("/_hadron/") {
        return Call::Blocks;
    }
    let Some(target) = parts.headers.get("x-amz-target").and_then(|it| it.to_str().ok()) else {
        return if parts.method == Method::GET { Call::GetObject } else { Call::PutObject };
    };
    if target.ends_with("ListDeployments") {
        return Call::Poll;
    }
    if !target.ends_with("NotifyResourceDeploymentStatusChange") {
        return Call::OtherProton;
    }
    let text = String::from_utf8_lossy(body);
    match parts.headers.contains_key("x-hadron-epoch") {
        false => Call::Claim,
        true if text.contains("\"IN_PROGRESS\"") => Call::Beat,
        true => Call::FinalReport,
    }
}

/// Of a state in a bucket, by the methods of Terraform's S3 backend.
fn bucket_call(parts: &http::request::Parts) -> Call {
    let locks = parts.uri.path().ends_with("/terraform.tfstate.tflock");
    let keeps = parts.uri.path().ends_with("/terraform.tfstate");
    match parts.method.as_str() {
        "PUT" if locks => Call::Lock,
        "DELETE" if locks => Call::Unlock,
        "PUT" if keeps => Call::StateWrite,
        "GET" | "HEAD" if keeps => Call::StateGet,
        _ => Call::Other,
    }
}

/// The call, and the name of what it is about.
fn aws_call(parts: &http::request::Parts, body: &Bytes) -> (Call, String) {
    if parts.uri.path().starts_with("/states/") {
        return (bucket_call(parts), String::new());
    }
    if let Some(target) = parts.headers.get("x-amz-target").and_then(|it| it.to_str().ok()) {
        let action = target.rsplit('.').next().unwrap_or_default();
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        return (kind(action), json["logGroupName"].as_str().unwrap_or_default().to_owned());
    }
    let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let of = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let queue = if of("QueueName").is_empty() { of("QueueUrl") } else { of("QueueName") };
    (kind(&of("Action")), queue.rsplit('/').next().unwrap_or_default().to_owned())
}

fn kind(action: &str) -> Call {
    match action {
        "CreateQueue" | "CreateLogGroup" => Call::Create,
        "DeleteQueue" | "DeleteLogGroup" => Call::Delete,
        _ => Call::Other,
    }
}
