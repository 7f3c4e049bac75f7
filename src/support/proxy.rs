//! The way out: straight to a server, or by the proxy that the environment names, in the words that every program reads:
//! HTTPS_PROXY, HTTP_PROXY, NO_PROXY, in capitals or not.
//!
//! As Go's programs do, and Terraform is one, none of them counts for this machine itself; and none for link-local
//! addresses, where a host tells its own credentials.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use http::{HeaderMap, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// Chosen once for the process, as a proxy is; None and nothing to intercept are the same.
static CHOSEN: OnceLock<Matcher> = OnceLock::new();

/// Takes the proxies that the environment names. Only the first call counts.
pub fn choose(environment: &BTreeMap<String, String>) {
    let of = |name: &str| {
        let small = name.to_lowercase();
        let found = [name, &small].into_iter().filter_map(|name| environment.get(name)).find(|it| !it.is_empty());
        found.cloned().unwrap_or_default()
    };
    let (https, http) = (of("HTTPS_PROXY"), of("HTTP_PROXY"));
    if !(https.is_empty() && http.is_empty()) {
        // A second choice is nobody's.
        drop(CHOSEN.set(Matcher::builder().https(https).http(http).no(of("NO_PROXY")).build()));
    }
}

/// Whether any proxy was chosen.
pub(super) fn is_chosen() -> bool {
    CHOSEN.get().is_some()
}

/// Gives a request that a proxy is to forward what that asks for; a tunnel is asked for it by itself.
pub(super) fn authorize(uri: &Uri, headers: &mut HeaderMap) {
    let forwarded = uri.scheme() == Some(&Scheme::HTTP);
    if let Some(auth) = proxy_of(uri).filter(|_| forwarded).as_ref().and_then(Intercept::basic_auth) {
        headers.insert(PROXY_AUTHORIZATION, auth.clone());
    }
}

fn proxy_of(server: &Uri) -> Option<Intercept> {
    let host = server.host()?;
    let by_itself = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(it)) => it.is_loopback() || it.is_link_local(),
        Ok(IpAddr::V6(it)) => it.is_loopback() || it.is_unicast_link_local(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    CHOSEN.get().filter(|_| !by_itself)?.intercept(server)
}

/// Connects, by a proxy where one is chosen: in a tunnel what is under TLS, else the proxy forwards it.
#[derive(Debug, Clone)]
pub(super) struct Road(pub(super) HttpConnector);

type Broken = Box<dyn Error + Send + Sync>;

impl Service<Uri> for Road {
    type Response = Link;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Link, Broken>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let mut tcp = self.0.clone();
        Box::pin(async move {
            let Some(proxy) = proxy_of(&server) else {
                return Ok(Link { stream: tcp.call(server).await?, forwarded: false });
            };
            if server.scheme() != Some(&Scheme::HTTPS) {
                return Ok(Link { stream: tcp.call(proxy.uri().clone()).await?, forwarded: true });
            }
            let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            Ok(Link { stream: tunnel.call(server).await?, forwarded: false })
        })
    }
}

/// A connection; requests on one that is forwarded name their server in full.
pub(super) struct Link {
    stream: TokioIo<TcpStream>,
    forwarded: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.forwarded)
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
