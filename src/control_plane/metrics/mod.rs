//! What a control plane counts, and what its record shows when somebody looks.

mod ends;
mod standing;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hadron_model::Action;
use http::StatusCode;

use ends::Ends;
use standing::Standing;

use super::plane::Plane;
use super::store::{Access, Stopwatch, Store};
use crate::support::metrics::{Histogram, IntCounter, IntCounterVec, Metric, Registry};

/// From a millisecond to the longest that a poll is held.
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// From a tenth of a millisecond to where something is wrong.
const TRANSACTION_SECONDS: &[f64] = &[0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

const REQUESTS: Metric = Metric::counter(
    "hadron_requests_total",
    &["operation", "outcome"],
    "Requests by their operation: `ok`, `refused` for the client's fault, `failed` for the server's.",
);
const DURATION: Metric = Metric::histogram(
    "hadron_request_duration_seconds",
    &["api"],
    REQUEST_SECONDS,
    "How long requests take until their answer begins; a poll may be held for 50 s.",
);
const TRANSACTION: Metric = Metric::histogram(
    "hadron_store_transaction_duration_seconds",
    &["access"],
    TRANSACTION_SECONDS,
    "How long transactions take, until what they wrote is durable.",
);
const TROUBLE: Metric =
    Metric::counter("hadron_store_transaction_failures_total", &["access"], "Transactions that the database refused.");
const ENDED: Metric = Metric::counter(
    "hadron_deployments_ended_total",
    &["target", "status"],
    "Deployments that this server saw end, by the kind of their target and its status then.",
);

/// Everything that a control plane counts and shows.
pub const METRICS: &[Metric] = &[
    REQUESTS,
    DURATION,
    TRANSACTION,
    TROUBLE,
    ENDED,
    standing::DEPLOYMENTS,
    standing::QUEUE,
    standing::OLDEST,
    standing::LEASES,
    standing::BLOCKED,
    standing::AUDIT,
    standing::READ,
];

const OUTCOMES: [&str; 3] = ["ok", "refused", "failed"];
const APIS: [&str; 6] = ["proton", "hadron", "sts", "s3", "state", "other"];

/// Which of [`APIS`] everything is that isn't one of the APIs.
const OTHER: usize = 5;

/// What a control plane counts; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: IntCounterVec,
    /// The counters of each operation, taken out of the vector when they are first needed: that has a lock.
    known: HashMap<String, (usize, [OnceLock<IntCounter>; 3])>,
    durations: [Histogram; APIS.len()],
    reads: (Histogram, IntCounter),
    writes: (Histogram, IntCounter),
    ended: IntCounterVec,
    standing: Standing,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let registry = Registry::default();
        let (durations, transactions) = (registry.histogram(&DURATION), registry.histogram(&TRANSACTION));
        let trouble = registry.counter(&TROUBLE);
        let transactions =
            |access: &str| (transactions.with_label_values(&[access]), trouble.with_label_values(&[access]));
        let requests = registry.counter(&REQUESTS);
        for outcome in OUTCOMES {
            drop(requests.with_label_values(&["ListDeployments", outcome]));
        }
        let ended = registry.counter(&ENDED);
        for (target, status) in ends::EXPECTED {
            drop(ended.with_label_values(&[target, status]));
        }
        Self(Arc::new(Inner {
            requests,
            known: operations().map(|(name, api)| (name, (api, Default::default()))).collect(),
            durations: APIS.map(|api| durations.with_label_values(&[api])),
            reads: transactions("read"),
            writes: transactions("write"),
            ended,
            standing: Standing::new(&registry),
            registry,
        }))
    }

    /// Counts a request, under the name that the log gives its operation.
    pub fn answered(&self, operation: &str, status: StatusCode, took: Duration) {
        let inner = &*self.0;
        let outcome = match status.as_u16() {
            ..400 => 0,
            400..500 => 1,
            _ => 2,
        };
        let Some((api, counters)) = inner.known.get(operation) else {
            inner.requests.with_label_values(&["unknown", OUTCOMES[outcome]]).inc();
            return inner.durations[OTHER].observe(took.as_secs_f64());
        };
        let counter =
            counters[outcome].get_or_init(|| inner.requests.with_label_values(&[operation, OUTCOMES[outcome]]));
        counter.inc();
        inner.durations[*api].observe(took.as_secs_f64());
    }

    /// What the store tells of its transactions.
    pub fn stopwatch(&self) -> Stopwatch {
        let inner = Arc::clone(&self.0);
        Arc::new(move |access, took, well| {
            let (times, trouble) = match access {
                Access::Read => &inner.reads,
                Access::Write => &inner.writes,
            };
            times.observe(took.as_secs_f64());
            if !well {
                trouble.inc();
            }
        })
    }

    /// The same store, through a layer that counts how deployments end.
    #[must_use]
    pub fn watch(&self, store: &Store) -> Store {
        store.through(Ends(self.0.ended.clone()))
    }

    /// Everything as Prometheus reads it; what stands in the record is looked up, at most every few seconds.
    pub async fn text(&self, plane: &Plane) -> String {
        self.0.standing.look(plane).await;
        self.0.registry.text()
    }
}

/// The operations as the log names them, each with its API.
fn operations() -> impl Iterator<Item = (String, usize)> {
    let actions = Action::all().map(|action| match action {
        Action::Proton(operation) => (operation.name().to_owned(), 0),
        Action::Hadron(operation) => (format!("hadron:{}", operation.name()), 1),
    });
    let methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "LOCK", "UNLOCK"];
    let objects = methods.map(|method| (format!("s3:{method}"), 3));
    let state = methods.map(|method| (format!("hadron:{method}"), 4));
    let rest = ["healthz", "readyz", "metrics", "page"].map(|name| (name.to_owned(), OTHER));
    let sts = [("sts:GetCallerIdentity".to_owned(), 2), ("sts:?".to_owned(), 2)];
    actions.chain(objects).chain(state).chain(sts).chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_and_nobody_can_invent_one() {
        let metrics = Metrics::new();
        let ms = Duration::from_millis(2);
        metrics.answered("GetEnvironment", StatusCode::OK, ms);
        metrics.answered("GetEnvironment", StatusCode::OK, ms);
        metrics.answered("GetEnvironment", StatusCode::NOT_FOUND, ms);
        metrics.answered("hadron:LOCK", StatusCode::INTERNAL_SERVER_ERROR, ms);
        metrics.answered("s3:BREW", StatusCode::BAD_REQUEST, ms);
        let text = metrics.0.registry.text();
        for line in [
            "hadron_requests_total{operation=\"GetEnvironment\",outcome=\"ok\"} 2",
            "hadron_requests_total{operation=\"GetEnvironment\",outcome=\"refused\"} 1",
            "hadron_requests_total{operation=\"hadron:LOCK\",outcome=\"failed\"} 1",
            "hadron_requests_total{operation=\"unknown\",outcome=\"refused\"} 1",
            "hadron_request_duration_seconds_count{api=\"proton\"} 3",
            "hadron_request_duration_seconds_count{api=\"state\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} isn't in\n{text}");
        }
    }
}
