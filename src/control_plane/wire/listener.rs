//! The port: connections, how many and how long.
//!
//! Nobody is trusted to be quick or kind: a place is one of a fixed number, a handshake and a request's head must come
//! soon, a body must move, an answer must be taken, and a connection that rests gives its place up for another.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call::Peer;
use super::guarded::{Answer, Guarded, Phase, Watch};
use super::pace::Paced;
use super::tls::Tls;

/// How often the same complaint is logged at most.
const SILENCE: Duration = Duration::from_mins(1);

/// How long a rest is waited for when every place is taken, before the next connection is asked to go.
const SHED_AFTER: Duration = Duration::from_millis(250);

/// How long nothing is accepted after the system refused: it has no file descriptor left, and others must end first.
const BREATHER: Duration = Duration::from_millis(500);

/// What a client may take, in number, size and time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time. Beyond it new ones wait in the system's queue, and the oldest are closed as soon as they
    /// have their answer.
    pub connections: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For a request's head, from its first byte; and for that first byte on a new connection.
    pub head: Duration,
    /// A request's head, in bytes.
    pub head_bytes: usize,
    /// A request's headers, in number.
    pub headers: usize,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// While a body or an answer makes no progress.
    pub stall: Duration,
    /// For what is under way at the end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            head_bytes: 64 << 10,
            headers: 100,
            // Longer than the 90 s after which Go's and Rust's clients, Terraform among them, close it themselves.
            idle: Duration::from_mins(2),
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// A bound port and how it is served.
#[derive(Debug)]
pub struct Port {
    /// Where connections come from.
    pub listener: TcpListener,
    /// The certificate, if TLS is spoken.
    pub tls: Option<Tls>,
    /// What clients may take.
    pub limits: Limits,
}

impl From<TcpListener> for Port {
    /// Plain HTTP with the default limits.
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None, limits: Limits::default() }
    }
}

/// Serves until `shutdown`, then waits for the requests under way, within the grace.
pub(super) async fn serve<F, A>(port: Port, answer: F, shutdown: CancellationToken)
where
    F: Fn(Request<Body>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let Port { listener, tls, limits } = port;
    let (places, crowd) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Notify::new()));
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    let limits = Arc::new(limits);
    let mut complaint = Complaint::default();
    loop {
        let came = async {
            let place = place(&places, &crowd, &mut complaint, limits.connections).await;
            (place, accept(&listener, &mut complaint).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            came = came => came,
            () = shutdown.cancelled() => break,
        };
        let connection = Connection {
            peer,
            limits: Arc::clone(&limits),
            crowd: Arc::clone(&crowd),
            shutdown: shutdown.clone(),
            answer: answer.clone(),
        };
        let (tls, cut) = (tls.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection.serve(stream, tls) => {}
                () = cut.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if timeout(limits.grace, connections.wait()).await.is_err() {
        tracing::warn!("some clients did not hang up within {:?} and were cut off", limits.grace);
        cut.cancel();
        connections.wait().await;
    }
}

/// One of the places; while all are taken, the connections are asked to give theirs up, the oldest first.
async fn place(
    places: &Arc<Semaphore>,
    crowd: &Notify,
    complaint: &mut Complaint,
    limit: usize,
) -> OwnedSemaphorePermit {
    loop {
        let place = Arc::clone(places).acquire_owned();
        if let Ok(place) = timeout(SHED_AFTER, place).await {
            return place.expect("nobody closes the semaphore");
        }
        crowd.notify_one();
        complaint.say(|| tracing::warn!("all {limit} connections are taken; new ones wait"));
    }
}

async fn accept(listener: &TcpListener, complaint: &mut Complaint) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip().to_canonical()),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                complaint.say(|| tracing::error!(%error, "a connection can't be accepted: {error}"));
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Something that is said once a minute, however often it happens.
#[derive(Debug, Default)]
struct Complaint(Option<Instant>);

impl Complaint {
    fn say(&mut self, words: impl FnOnce()) {
        if self.0.is_none_or(|last| last.elapsed() >= SILENCE) {
            words();
            self.0 = Some(Instant::now());
        }
    }
}

/// What one connection needs.
struct Connection<F> {
    peer: IpAddr,
    limits: Arc<Limits>,
    crowd: Arc<Notify>,
    shutdown: CancellationToken,
    answer: F,
}

impl<F, A> Connection<F>
where
    F: Fn(Request<Body>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    async fn serve(self, stream: TcpStream, tls: Option<Tls>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
        let Some(tls) = tls else { return self.http(stream).await };
        match timeout(self.limits.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream).await,
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!(peer = %self.peer, "a TLS handshake took too long"),
        }
    }

    async fn http<S: AsyncRead + AsyncWrite + Unpin + Send>(self, stream: S) {
        let Self { peer, limits, crowd, shutdown, answer } = self;
        let watch = Watch::begin();
        let stream = Guarded::new(stream, watch.clone(), limits.stall);
        let (seen, stall) = (watch.clone(), limits.stall);
        let service = service_fn(move |request: Request<Incoming>| {
            seen.enter(Phase::Busy);
            let closes = expects_in_vain(&request);
            let answering = answer(prepare(request, peer, stall));
            let seen = seen.clone();
            async move {
                let mut answer = answering.await;
                if closes {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(answer.map(|body| Answer::new(body, seen)))
            }
        });
        let mut builder = http1::Builder::new();
        // Times are the guard's.
        builder.header_read_timeout(None).max_headers(limits.headers).max_header_size(limits.head_bytes);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = &mut serving => ended,
            () = watch.overdue(limits.head, limits.idle) => return tracing::debug!(%peer, "no request came"),
            () = asked_to_go(&crowd, &shutdown) => {
                // A request that hasn't begun isn't waited for.
                if matches!(watch.phase(), Phase::Fresh | Phase::Idle) {
                    return;
                }
                serving.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = &mut serving => ended,
                    () = watch.overdue(limits.head, limits.idle) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error = &error as &dyn std::error::Error, "a connection broke: {error}");
        }
    }
}

async fn asked_to_go(crowd: &Notify, shutdown: &CancellationToken) {
    tokio::select! {
        () = crowd.notified() => {}
        () = shutdown.cancelled() => {}
    }
}

/// Whether a client wants to be told to go on, and there is nothing to go on with: it gets its answer at once, as it may.
/// botocore (up to 1.43 at least, with an empty object) then misreads what comes next on the connection, and waits until
/// its time is up.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1>
fn expects_in_vain(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(EXPECT) && request.body().is_end_stream()
}

fn prepare(request: Request<Incoming>, peer: IpAddr, stall: Duration) -> Request<Body> {
    let mut request = request.map(|body| match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(Paced::new(body, stall)),
    });
    request.extensions_mut().insert(Peer(peer));
    request
}
