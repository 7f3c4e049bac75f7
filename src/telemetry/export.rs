//! Traces to a collector: OTLP over HTTP, as JSON. Nobody waits for it: what can't be sent is dropped.
//!
//! There is one message with one list in it, and the SDK for it would be larger than the rest of this room together.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::spans::Finished;
use crate::support::Secret;
use crate::support::https::Https;

/// Spans that wait; what comes while so many do is dropped.
const WAITING: usize = 2048;

/// How many go into one request, and how long the first of them waits for the others.
const AT_ONCE: usize = 256;
const GATHER: Duration = Duration::from_secs(2);

/// How long a collector may take, how often it is tried, and the pause between.
const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// How long the end of the process waits for the last spans.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where traces go.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    /// Its address, without `/v1/traces`.
    pub(super) endpoint: String,
    /// What it wants besides, as `name=value,name=value`.
    pub(super) headers: Option<Secret>,
    /// Certificates to trust besides the system's.
    pub(super) ca_bundle: Option<PathBuf>,
}

enum Message {
    Span(Box<Finished>),
    /// Send what there is, then answer.
    Flush(SyncSender<()>),
}

/// A thread that sends spans, started by the first one; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Exporter {
    collector: Arc<Collector>,
    queue: Arc<OnceLock<SyncSender<Message>>>,
}

impl Exporter {
    pub(super) fn to(collector: Collector) -> Self {
        Self { collector: Arc::new(collector), queue: Arc::default() }
    }

    /// Puts a span into the queue, or drops it.
    pub(super) fn send(&self, span: Finished) {
        let queue = self.queue.get_or_init(|| {
            let (queue, spans) = sync_channel(WAITING);
            let collector = Arc::clone(&self.collector);
            let started = std::thread::Builder::new().name("otlp".to_owned()).spawn(move || work(&collector, &spans));
            if let Err(error) = started {
                tracing::warn!(%error, "no thread for traces");
            }
            queue
        });
        queue.try_send(Message::Span(Box::new(span))).ok();
    }

    /// Waits a moment until what there is was sent.
    pub(super) fn flush(&self) {
        let Some(queue) = self.queue.get() else { return };
        let (done, waiting) = sync_channel(1);
        if queue.try_send(Message::Flush(done)).is_ok() {
            waiting.recv_timeout(FAREWELL).ok();
        }
    }
}

fn work(collector: &Collector, spans: &Receiver<Message>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let https = Https::new(collector.ca_bundle.as_deref(), TIMEOUT);
    let (runtime, https) = match (runtime, https) {
        (Ok(runtime), Ok(https)) => (runtime, https),
        (Err(error), _) => return tracing::warn!(%error, "traces can't be sent"),
        (_, Err(error)) => return tracing::warn!(%error, "traces can't be sent"),
    };
    let mut failing = false;
    while let Ok(first) = spans.recv() {
        let (batch, flushed) = gather(first, spans);
        if !batch.is_empty() {
            let sent = runtime.block_on(deliver(collector, &https, &batch, flushed.is_some()));
            match (&sent, failing) {
                (Err(why), false) => tracing::warn!(otlp.endpoint = collector.endpoint, "traces can't be sent: {why}"),
                (Ok(()), true) => tracing::info!(otlp.endpoint = collector.endpoint, "traces are sent again"),
                _ => {}
            }
            failing = sent.is_err();
        }
        if let Some(flushed) = flushed {
            flushed.send(()).ok();
        }
    }
}

/// The spans of one request, and who waits for them.
fn gather(first: Message, spans: &Receiver<Message>) -> (Vec<Finished>, Option<SyncSender<()>>) {
    let (mut batch, until) = (Vec::new(), Instant::now() + GATHER);
    let mut next = Ok(first);
    loop {
        match next {
            Ok(Message::Span(span)) => batch.push(*span),
            Ok(Message::Flush(done)) => return (batch, Some(done)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return (batch, None),
        }
        if batch.len() >= AT_ONCE {
            return (batch, None);
        }
        next = spans.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

async fn deliver(collector: &Collector, https: &Https, batch: &[Finished], in_a_hurry: bool) -> Result<(), String> {
    let body = Bytes::from(message(batch).to_string());
    let mut tries = 0;
    loop {
        tries += 1;
        let why = match https.send(request(collector, body.clone())?).await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            // The specification names these as worth another try.
            Ok(answer) if !worth_another(answer.status()) => return Err(format!("it answers {}", answer.status())),
            Ok(answer) => format!("it answers {}", answer.status()),
            Err(error) => error.to_string(),
        };
        if tries >= TRIES || in_a_hurry {
            return Err(why);
        }
        tokio::time::sleep(PAUSE * tries).await;
    }
}

fn worth_another(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn request(collector: &Collector, body: Bytes) -> Result<Request<Bytes>, String> {
    let endpoint = collector.endpoint.trim_end_matches('/');
    let address = if endpoint.ends_with("/v1/traces") { endpoint.to_owned() } else { format!("{endpoint}/v1/traces") };
    let mut request = Request::post(address).header(CONTENT_TYPE, "application/json");
    let headers = collector.headers.as_ref().map(|headers| headers.reveal().to_owned()).unwrap_or_default();
    for (name, value) in headers.split(',').filter_map(|header| header.split_once('=')) {
        request = request.header(name.trim(), value.trim());
    }
    request.body(body).map_err(|error| format!("`otlp.endpoint` or `otlp.headers` can't be used: {error}"))
}

/// One request's body.
///
/// <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>
fn message(batch: &[Finished]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            attribute("service.name", &"hadron".into()),
            attribute("service.version", &env!("CARGO_PKG_VERSION").into()),
        ] },
        "scopeSpans": [{
            "scope": { "name": "hadron", "version": env!("CARGO_PKG_VERSION") },
            "spans": batch.iter().map(span).collect::<Vec<_>>(),
        }],
    }] })
}

fn span(span: &Finished) -> Value {
    const INTERNAL: u8 = 1;
    const ERROR: u8 = 2;
    let mut told = json!({
        "traceId": hex::encode(span.trace),
        "spanId": hex::encode(span.id),
        "name": span.name,
        "kind": INTERNAL,
        "startTimeUnixNano": span.began.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = hex::encode(parent).into();
    }
    if let Some(error) = span.attributes.get("error").and_then(Value::as_str) {
        told["status"] = json!({ "code": ERROR, "message": error });
    }
    let attributes = span.attributes.iter().filter(|(name, _)| *name != "error");
    told["attributes"] = attributes.map(|(name, value)| attribute(name, value)).collect();
    told
}

fn attribute(name: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": name, "value": value })
}
