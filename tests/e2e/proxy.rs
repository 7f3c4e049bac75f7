//! A proxy in front of a server: it shows a test what passes, changes it, and cuts connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::{block_in_place, spawn};
use tokio_util::task::AbortOnDropHandle;

/// What a test does with what passes. Both may block; false cuts the client's connection without an answer.
pub(crate) trait Middle: Send + Sync + 'static {
    /// A request on its way to the server.
    fn request(&self, _request: &mut Request<Bytes>) -> bool {
        true
    }

    /// An answer on its way back.
    fn answer(&self, _asked: &Asked, _answer: &mut Response<Bytes>) -> bool {
        true
    }
}

/// What an answer answers.
pub(crate) struct Asked {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    /// The operation that `X-Amz-Target` names.
    pub(crate) target: Option<String>,
}

/// A proxy on a port of its own, until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

/// The connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

struct Road<M> {
    upstreams: Vec<String>,
    /// Whose turn it is.
    turn: AtomicUsize,
    client: Client<HttpConnector, Full<Bytes>>,
    middle: Arc<M>,
}

impl Proxy {
    /// Passes everything on to `upstream` (`host:port`), which need not be there yet.
    pub(crate) async fn start<M: Middle>(upstream: impl Into<String>, middle: &Arc<M>) -> Self {
        Self::balance(vec![upstream.into()], middle).await
    }

    /// Passes each request on to the next of several servers, and past those that take no connection.
    pub(crate) async fn balance<M: Middle>(upstreams: Vec<String>, middle: &Arc<M>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // No connection is kept: one that a restart has broken would fail the request after it.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let road = Arc::new(Road { upstreams, turn: AtomicUsize::new(0), client, middle: Arc::clone(middle) });
        let accepting = AbortOnDropHandle::new(spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let road = Arc::clone(&road);
                let pass = service_fn(move |request| pass(Arc::clone(&road), request));
                spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), pass));
            }
        }));
        Self { address, _accepting: accepting }
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn pass<M: Middle>(road: Arc<Road<M>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).map(str::to_owned);
    let asked = Asked { method: parts.method.clone(), path: path.clone(), target };
    // The body has been collected, so its length is known.
    parts.headers.remove(header::TRANSFER_ENCODING);
    let mut request = Request::from_parts(parts, body);
    if !block_in_place(|| road.middle.request(&mut request)) {
        return Err(Cut);
    }
    let answer = forward(&road, &request.map(Full::new), &path).await?;
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    parts.headers.remove(header::TRANSFER_ENCODING);
    let mut answer = Response::from_parts(parts, body);
    if block_in_place(|| road.middle.answer(&asked, &mut answer)) { Ok(answer.map(Full::new)) } else { Err(Cut) }
}

/// What a connection couldn't be had for was never sent, so another server may have it.
async fn forward<M>(road: &Road<M>, request: &Request<Full<Bytes>>, path: &str) -> Result<Response<Incoming>, Cut> {
    let first = road.turn.fetch_add(1, Ordering::Relaxed);
    for n in 0..road.upstreams.len() {
        let upstream = &road.upstreams[(first + n) % road.upstreams.len()];
        let mut request = request.clone();
        *request.uri_mut() = format!("http://{upstream}{path}").parse::<Uri>().map_err(|_| Cut)?;
        match road.client.request(request).await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_connect() => {}
            Err(_) => return Err(Cut),
        }
    }
    Err(Cut)
}
