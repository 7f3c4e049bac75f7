//! What is seen from outside: health, readiness and numbers, on the server's own port or on another one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use axum::body::Body;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use super::{Exit, Failure};
use crate::agent::Agent;
use crate::control_plane::wire::{Handler, Limits, Port, serve_only};
use crate::lifecycle::Lifecycle;
use crate::settings::Resolved;
use crate::support::health::{Check, Probe, Report};
use crate::support::metrics::ProcessMetrics;
use crate::support::{Clock, Secret};

/// The text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// More than anybody needs who looks from outside.
const CONNECTIONS: usize = 64;

/// The numbers of one part of the process.
pub(super) type Part = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// The numbers of all its parts; cheap to clone.
#[derive(Clone)]
pub(super) struct Numbers {
    parts: Arc<Mutex<Vec<Part>>>,
    token: Option<Arc<Secret>>,
}

/// Who may read the numbers without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Public {
    /// Everybody who reaches the port.
    Yes,
    /// Nobody: other people reach the port as well.
    No,
}

impl Numbers {
    /// Those of the process itself.
    pub(super) fn new(settings: &Resolved) -> Self {
        let process = ProcessMetrics::new(Clock::system().now());
        let numbers =
            Self { parts: Arc::default(), token: settings.text("metrics.token").map(Secret::new).map(Arc::new) };
        numbers.add(Arc::new(move || Box::pin(std::future::ready(process.text()))));
        numbers
    }

    /// Adds those of a part.
    pub(super) fn add(&self, part: Part) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    /// Adds those of an agent.
    pub(super) fn add_agent(&self, agent: &Agent) {
        let agent = agent.clone();
        self.add(Arc::new(move || Box::pin(std::future::ready(agent.metrics()))));
    }

    /// Serves them.
    pub(super) fn handler(&self, public: Public) -> Handler {
        let numbers = self.clone();
        Arc::new(move |request| {
            let (numbers, headers) = (numbers.clone(), request.into_parts().0.headers);
            Box::pin(async move { numbers.answer(&headers, public).await })
        })
    }

    async fn answer(&self, headers: &HeaderMap, public: Public) -> Response<Body> {
        match &self.token {
            Some(token) if !shows(headers, token) => {
                let mut answer = text(StatusCode::UNAUTHORIZED, "text/plain", "the numbers need metrics.token\n");
                answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                return answer;
            }
            None if public == Public::No => {
                let words =
                    "the numbers aren't served here: set metrics.token, or metrics.listen for a port of their own\n";
                return text(StatusCode::FORBIDDEN, "text/plain", words);
            }
            _ => {}
        }
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all = String::new();
        for part in parts {
            all.push_str(&part().await);
        }
        text(StatusCode::OK, TEXT_FORMAT, all)
    }
}

fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    shown.trim().as_bytes().ct_eq(token.reveal().as_bytes()).into()
}

/// A server that answers is well. It doesn't ask the record: a restart mends nothing when that is away.
pub(super) fn well() -> Handler {
    Arc::new(|_| Box::pin(std::future::ready(text(StatusCode::OK, "text/plain", "ok\n"))))
}

/// Serves a probe: 200 if all is well, else 503, with the checks in JSON.
pub(super) fn probe(probe: Probe) -> Handler {
    Arc::new(move |_| {
        let probe = Arc::clone(&probe);
        Box::pin(async move { report(&probe().await) })
    })
}

fn report(report: &Report) -> Response<Body> {
    let status = if report.is_well() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, "application/json", format!("{}\n", report.json()))
}

fn text(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// What a port of its own serves.
pub(super) struct Routes {
    pub(super) health: Handler,
    pub(super) ready: Handler,
    pub(super) numbers: Handler,
}

impl Routes {
    /// Takes the port that a setting names, if it does, and serves until the process ends.
    ///
    /// # Errors
    /// The port can't be had, with the remedy.
    pub(super) async fn listen(self, settings: &Resolved, name: &str, lifecycle: &Lifecycle) -> Result<(), Failure> {
        let Some(wanted) = settings.text(name).filter(|wanted| !wanted.is_empty()) else { return Ok(()) };
        let listener = TcpListener::bind(&wanted).await.map_err(|error| {
            let (_, source) = settings.lookup(name);
            let what = format!("listening on {wanted} (`{name}`, {source})");
            Failure::new(Exit::Settings, anyhow::Error::from(error).context(what))
                .hint("it takes ADDRESS:PORT, another one than `listen`; port 0 means any")
        })?;
        let address: SocketAddr = listener.local_addr()?;
        tracing::info!("health, readiness and numbers are at http://{address}");
        let limits = Limits { connections: CONNECTIONS, ..Limits::default() };
        let port = Port { listener, tls: None, limits };
        lifecycle.spawn("outside", serve_only(port, self.handler(), lifecycle.serving.clone()));
        Ok(())
    }

    fn handler(self) -> Handler {
        Arc::new(move |request: Request<Body>| {
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            match request.uri().path() {
                "/healthz" if reads => (self.health)(request),
                "/readyz" if reads => (self.ready)(request),
                "/metrics" if reads => (self.numbers)(request),
                _ => {
                    Box::pin(std::future::ready(text(StatusCode::NOT_FOUND, "text/plain", "nothing is served here\n")))
                }
            }
        })
    }
}

/// Takes the port of `agent.listen` for an agent, if there is one.
///
/// # Errors
/// The port can't be had, or a setting isn't a number.
pub(super) async fn of_agent(
    settings: &Resolved,
    agent: &Agent,
    numbers: &Numbers,
    lifecycle: &Lifecycle,
) -> Result<(), Failure> {
    let (beating, ready, leaving) = (agent.clone(), agent.clone(), lifecycle.soft.clone());
    let least = least_free(settings)?;
    let health: Probe = Arc::new(move || Box::pin(std::future::ready(beating.health())));
    let ready: Probe = Arc::new(move || {
        let (ready, leaving) = (ready.clone(), leaving.is_cancelled());
        Box::pin(async move {
            let report = tokio::task::spawn_blocking(move || ready.readiness(least)).await;
            let mut report = report.unwrap_or_else(|error| Report(vec![Check::of("agent", Err(error.to_string()))]));
            if leaving {
                report
                    .0
                    .push(Check::of("leaving", Err("the agent was asked to leave and takes no more work".to_owned())));
            }
            report
        })
    });
    let routes = Routes { health: probe(health), ready: probe(ready), numbers: numbers.handler(Public::Yes) };
    routes.listen(settings, "agent.listen", lifecycle).await
}

/// How many bytes the disk of the data folder should have left.
///
/// # Errors
/// The setting isn't a number.
pub(super) fn least_free(settings: &Resolved) -> Result<u64, Failure> {
    let mib: u64 = settings.value("limits.free_disk_mib")?;
    mib.checked_mul(1 << 20).ok_or_else(|| Failure::new(Exit::Settings, anyhow!("`limits.free_disk_mib` is too large")))
}
