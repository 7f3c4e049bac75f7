//! What stands in the record at the moment: read when somebody looks, not kept up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hadron_model::DeploymentStatus;
use tokio::sync::Mutex;

use crate::control_plane::plane::Plane;
use crate::control_plane::records::{AuditEntry, AuditHead, Deployment, Executor, StateLock};
use crate::control_plane::store::{Document, StoreError, Transaction, Typed};
use crate::support::metrics::{GaugeVec, IntGauge, IntGaugeVec, Metric, Registry};

pub(super) const DEPLOYMENTS: Metric = Metric::gauge(
    "hadron_deployments",
    &["target", "state"],
    "Deployments in flight, by the kind of their target: `queued` for an agent, `working`, `awaiting_approval`, \
     `cancelling`, `blocked`, or `elsewhere` in a pipeline.",
);
pub(super) const QUEUE: Metric = Metric::gauge("hadron_queue_depth", &[], "Deployments that wait for an agent.");
pub(super) const OLDEST: Metric = Metric::gauge(
    "hadron_queue_oldest_age_seconds",
    &[],
    "How long the oldest deployment that waits for an agent has waited; 0 if none does.",
);
pub(super) const LEASES: Metric =
    Metric::gauge("hadron_leases", &[], "Deployments that an agent holds by a live lease.");
pub(super) const BLOCKED: Metric = Metric::gauge(
    "hadron_targets_blocked",
    &[],
    "Targets that nobody may change until somebody has looked at what an unclean end left.",
);
pub(super) const AUDIT: Metric =
    Metric::gauge("hadron_audit_entries", &[], "Entries of the audit log that are linked into its chain.");
pub(super) const READ: Metric = Metric::gauge(
    "hadron_record_readable",
    &[],
    "Whether the numbers of deployments, leases, blocks and audit entries could be read just now: 1 or 0.",
);

/// How old the numbers may be.
const FRESH: Duration = Duration::from_secs(5);

/// How long the record is waited for: whoever scrapes gives up after ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(5);

const TARGETS: [&str; 4] = ["environment", "service_instance", "service_pipeline", "component"];
const STATES: [&str; 6] = ["queued", "working", "awaiting_approval", "cancelling", "blocked", "elsewhere"];

/// The numbers, and when they were read.
pub(super) struct Standing {
    deployments: IntGaugeVec,
    queue: IntGauge,
    oldest: GaugeVec,
    leases: IntGauge,
    blocked: IntGauge,
    audit: IntGauge,
    readable: IntGauge,
    read: Mutex<Option<Instant>>,
}

/// What one look finds.
#[derive(Default)]
struct Found {
    deployments: HashMap<(&'static str, &'static str), i64>,
    queue: i64,
    /// When the oldest began to wait, in milliseconds since the epoch.
    oldest: Option<i64>,
    leases: i64,
    blocked: i64,
    audit: i64,
}

impl Standing {
    pub(super) fn new(registry: &Registry) -> Self {
        let one = |metric: &Metric| registry.gauge(metric).with_label_values::<&str>(&[]);
        let standing = Self {
            deployments: registry.gauge(&DEPLOYMENTS),
            queue: one(&QUEUE),
            oldest: registry.fraction(&OLDEST),
            leases: one(&LEASES),
            blocked: one(&BLOCKED),
            audit: one(&AUDIT),
            readable: one(&READ),
            read: Mutex::default(),
        };
        standing.show(&Found::default(), 0);
        standing
    }

    /// Brings the numbers up to date.
    pub(super) async fn look(&self, plane: &Plane) {
        let mut read = self.read.lock().await;
        if read.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let now = plane.clock.now();
        let finding = plane.store.read(move |tx| find(tx, now));
        let found = tokio::time::timeout(PATIENCE, finding).await;
        self.readable.set(i64::from(matches!(found, Ok(Ok(_)))));
        match found {
            Ok(Ok(found)) => self.show(&found, now),
            Ok(Err(error)) => tracing::warn!(%error, "the record's numbers can't be read"),
            Err(_) => tracing::warn!("the record's numbers can't be read: no answer within {PATIENCE:?}"),
        }
        *read = Some(Instant::now());
    }

    fn show(&self, found: &Found, now: i64) {
        for target in TARGETS {
            for state in STATES {
                let count = found.deployments.get(&(target, state)).copied().unwrap_or_default();
                self.deployments.with_label_values(&[target, state]).set(count);
            }
        }
        self.queue.set(found.queue);
        let age = found.oldest.map_or(0, |since| u64::try_from(now - since).unwrap_or_default());
        self.oldest.with_label_values::<&str>(&[]).set(Duration::from_millis(age).as_secs_f64());
        self.leases.set(found.leases);
        self.blocked.set(found.blocked);
        self.audit.set(found.audit);
    }
}

/// One look at all accounts and regions: what is in flight is read, what has ended isn't touched.
fn find(tx: &mut dyn Transaction, now: i64) -> Result<Found, StoreError> {
    let mut found = Found::default();
    for scope in tx.scopes(StateLock::KIND)? {
        let blocked = tx.count(&scope, StateLock::KIND, (StateLock::BLOCKED, ""), usize::MAX >> 1)?;
        found.blocked += i64::try_from(blocked).unwrap_or(i64::MAX);
    }
    for scope in tx.scopes(Deployment::KIND)? {
        for deployment in tx.by_term::<Deployment>(&scope, "in_flight", "")? {
            let state = state(tx, &deployment, &scope, now)?;
            *found.deployments.entry((deployment.target.kind(), state)).or_default() += 1;
            found.leases += i64::from(deployment.live_lease(now).is_some());
            if state == "queued" {
                found.queue += 1;
                let since = deployment.created_at;
                found.oldest = Some(found.oldest.map_or(since, |oldest| oldest.min(since)));
            }
        }
    }
    let head = tx.get::<AuditHead>(&AuditEntry::scope(), AuditHead::KEY)?;
    found.audit = head.map_or(0, |head| head.sequence);
    Ok(found)
}

fn state(
    tx: &mut dyn Transaction,
    deployment: &Deployment,
    scope: &crate::domain::Scope,
    now: i64,
) -> Result<&'static str, StoreError> {
    if deployment.status == DeploymentStatus::Cancelling {
        return Ok("cancelling");
    }
    if deployment.awaits().is_some() {
        return Ok("awaiting_approval");
    }
    if deployment.live_lease(now).is_some() {
        return Ok("working");
    }
    if deployment.executor != Executor::Agent && (deployment.executor == Executor::Ci || deployment.ever_claimed) {
        return Ok("elsewhere");
    }
    let blocked = tx.get::<StateLock>(scope, &deployment.target_arn)?.is_some_and(|lock| lock.blocked.is_some());
    Ok(if blocked { "blocked" } else { "queued" })
}
