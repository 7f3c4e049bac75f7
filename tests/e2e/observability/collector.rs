//! An OTLP collector: the far end of traces. What it takes is judged by OpenTelemetry's own types.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1 as wire;
use tokio::net::TcpListener;

use crate::client::eventually;

/// A span as it came.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) failed: bool,
    attributes: Vec<(String, String)>,
}

impl Span {
    pub(super) fn attribute(&self, name: &str) -> String {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

impl From<wire::Span> for Span {
    fn from(span: wire::Span) -> Self {
        let text = |value: Value| match value {
            Value::StringValue(text) => text,
            other => format!("{other:?}"),
        };
        let attributes = span.attributes.into_iter();
        Self {
            trace: hex::encode(span.trace_id),
            id: hex::encode(span.span_id),
            parent: hex::encode(span.parent_span_id),
            name: span.name,
            began: span.start_time_unix_nano,
            ended: span.end_time_unix_nano,
            failed: span.status.is_some_and(|status| status.code() == wire::status::StatusCode::Error),
            attributes: attributes
                .map(|it| (it.key, it.value.and_then(|it| it.value).map(text).unwrap_or_default()))
                .collect(),
        }
    }
}

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    tenants: BTreeSet<String>,
    refused: Option<String>,
}

pub(super) struct Collector {
    pub(super) endpoint: String,
    taken: Arc<Mutex<Taken>>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let into = Arc::clone(&taken);
        let take = post(async move |headers: HeaderMap, body: Bytes| accept(&into, &headers, &body));
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", take)).await });
        Self { endpoint, taken }
    }

    /// All spans of a trace, once there are so many.
    pub(super) async fn trace(&self, trace: &str, count: usize) -> Vec<Span> {
        let found = || {
            let taken = self.taken.lock().unwrap();
            assert_eq!(taken.refused, None);
            taken.spans.iter().filter(|span| span.trace == trace).cloned().collect::<Vec<_>>()
        };
        eventually(async || found().len() >= count).await;
        found()
    }

    /// What the requests carried as `x-tenant`.
    pub(super) fn tenants(&self) -> BTreeSet<String> {
        self.taken.lock().unwrap().tenants.clone()
    }
}

fn accept(taken: &Mutex<Taken>, headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let mut taken = taken.lock().unwrap();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    taken.tenants.insert(header("x-tenant"));
    let request = match serde_json::from_slice::<ExportTraceServiceRequest>(body) {
        Ok(request) if header("content-type") == "application/json" => request,
        other => {
            taken.refused = Some(format!("{other:?}: {}", String::from_utf8_lossy(body)));
            return StatusCode::BAD_REQUEST;
        }
    };
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    taken.spans.extend(scopes.flat_map(|scope| scope.spans).map(Span::from));
    StatusCode::OK
}
