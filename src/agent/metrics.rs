//! What an agent counts, and whether it is well.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::steps::Step;
use crate::domain::{Target, Verdict};
use crate::proton::{Poll, ProtonError};
use crate::support::health::{Beat, Check, Report, folder};
use crate::support::metrics::{Histogram, IntCounterVec, IntGauge, IntGaugeVec, Metric, Registry};

/// From a tenth of a second to an hour: a render takes the first, a database the last.
const STEP_SECONDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// From at once to a day.
const DELAY_SECONDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

const POLLS: Metric = Metric::counter(
    "hadron_agent_polls_total",
    &["outcome"],
    "Questions for work: `offered` brought some, `empty` none, `failed` got no answer.",
);
const CLAIMS: Metric = Metric::counter(
    "hadron_agent_claims_total",
    &["outcome"],
    "Claims: `claimed`, `taken` by somebody else or over, `failed` without an answer.",
);
const DEPLOYMENTS: Metric = Metric::counter(
    "hadron_agent_deployments_total",
    &["target", "outcome"],
    "Deployments that ended here, by the kind of their target and how they ended.",
);
const STEPS: Metric = Metric::histogram(
    "hadron_agent_step_duration_seconds",
    &["step"],
    STEP_SECONDS,
    "How long the steps of deployments take.",
);
const DELAY: Metric = Metric::histogram(
    "hadron_agent_start_delay_seconds",
    &[],
    DELAY_SECONDS,
    "How long deployments had existed when this agent took them.",
);
const RUNS: Metric = Metric::gauge(
    "hadron_agent_runs",
    &["state"],
    "Deployments under way: `working`, or `waiting` for people to decide on a plan.",
);
const BACKLOG: Metric = Metric::gauge(
    "hadron_agent_backlog_runs",
    &[],
    "Ended runs whose log and summary the object store hasn't taken yet.",
);
const INITS: Metric = Metric::counter(
    "hadron_agent_inits_total",
    &["providers"],
    "Runs that were initialised: with a `copy` of an earlier init, with providers of the `store`, or `looked_up` anew.",
);
const HEARTBEATS: Metric = Metric::counter(
    "hadron_agent_heartbeats_total",
    &["outcome"],
    "Signs of life for leases: `answered`, `refused` because the lease is lost, `late` without an answer in time.",
);
const LATE: Metric = Metric::gauge(
    "hadron_agent_leases_late",
    &[],
    "Leases whose last sign of life wasn't answered; they run out if none is.",
);

/// Everything that an agent counts.
pub const METRICS: &[Metric] = &[POLLS, CLAIMS, DEPLOYMENTS, STEPS, DELAY, RUNS, BACKLOG, INITS, HEARTBEATS, LATE];

/// A loop that asks for work waits for an answer at most this long.
const SLOWEST_POLL: Duration = Duration::from_mins(3);

/// An answer that is older than this says nothing of now: a poll is held for 20 s, and an endpoint that can't hold one is
/// asked every 15 s.
const STALE: Duration = Duration::from_secs(45);

/// How often the thread of the leases beats, and when it is late.
pub(super) const LEASE_BEAT: Duration = Duration::from_secs(5);
const LATE_LEASE_BEAT: Duration = Duration::from_secs(30);

/// An agent's counts; everything that any agent may count is there from the start, as 0.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) polls: IntCounterVec,
    pub(super) claims: IntCounterVec,
    pub(super) deployments: IntCounterVec,
    steps: [Histogram; Step::ALL.len()],
    pub(super) delay: Histogram,
    runs: IntGaugeVec,
    pub(super) backlog: IntGauge,
    pub(super) inits: IntCounterVec,
    pub(super) heartbeats: IntCounterVec,
    pub(super) late: IntGauge,
    /// Of the loop that asks for work.
    pub(super) polling: Beat,
    /// What became of the last poll; None before there was one.
    last_poll: Mutex<Option<Result<(), String>>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let registry = Registry::default();
        let counter = |metric: &Metric, values: &[&str]| {
            let counter = registry.counter(metric);
            values.iter().for_each(|value| drop(counter.with_label_values(&[value])));
            counter
        };
        let steps = registry.histogram(&STEPS);
        Self {
            polls: counter(&POLLS, &["offered", "empty", "failed"]),
            claims: counter(&CLAIMS, &["claimed", "taken", "failed"]),
            deployments: registry.counter(&DEPLOYMENTS),
            steps: Step::ALL.map(|step| steps.with_label_values(&[step.name()])),
            delay: registry.histogram(&DELAY).with_label_values::<&str>(&[]),
            runs: registry.gauge(&RUNS),
            backlog: registry.gauge(&BACKLOG).with_label_values::<&str>(&[]),
            inits: counter(&INITS, &["copy", "store", "looked_up"]),
            heartbeats: counter(&HEARTBEATS, &["answered", "refused", "late"]),
            late: registry.gauge(&LATE).with_label_values::<&str>(&[]),
            polling: Beat::default(),
            last_poll: Mutex::default(),
            registry,
        }
        .with_ends()
    }

    /// Deployments that never ended are counted, too.
    fn with_ends(self) -> Self {
        for target in ["environment", "service_instance", "service_pipeline", "component"] {
            for verdict in [Verdict::Done, Verdict::PlanFailed, Verdict::ApplyFailed, Verdict::StateAtRisk] {
                drop(self.deployments.with_label_values(&[target, verdict.name()]));
            }
        }
        self
    }

    /// Notes how long a step took.
    pub(super) fn took(&self, step: Step, time: Duration) {
        self.steps[step as usize].observe(time.as_secs_f64());
    }

    /// Notes how a deployment ended.
    pub(super) fn ended(&self, target: &Target, verdict: Verdict) {
        self.deployments.with_label_values(&[target.kind(), verdict.name()]).inc();
    }

    /// Notes what became of a poll.
    pub(super) fn polled(&self, poll: &Result<Poll, ProtonError>) {
        let (outcome, last) = match poll {
            Ok(Poll::Offered { pending: found, .. } | Poll::Everything(found)) if found.is_empty() => ("empty", Ok(())),
            Ok(_) => ("offered", Ok(())),
            Err(error) => ("failed", Err(error.to_string())),
        };
        self.polls.with_label_values(&[outcome]).inc();
        *self.last_poll.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Whether the last poll was answered.
    pub(super) fn is_heard(&self) -> bool {
        matches!(*self.last_poll.lock().unwrap_or_else(PoisonError::into_inner), Some(Ok(())))
    }

    /// Everything as Prometheus reads it, with so many journeys under way, of which so many wait for people.
    pub(super) fn text(&self, under_way: usize, waiting: usize) -> String {
        let count = |state: &str, count: usize| {
            self.runs.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        count("working", under_way.saturating_sub(waiting));
        count("waiting", waiting);
        self.registry.text()
    }

    /// Whether the loops go round.
    pub(super) fn health(&self, leases: &Beat) -> Report {
        Report(vec![self.polling.check("polls", SLOWEST_POLL), leases.check("leases", LATE_LEASE_BEAT)])
    }

    /// Whether work can be taken, and seen through.
    pub(super) fn readiness(&self, data: &Path, terraform: &Path, least_free: u64) -> Report {
        let last = self.last_poll.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let last = last.unwrap_or_else(|| Err("it hasn't answered yet".to_owned()));
        let silence = self.polling.check("proton", STALE).reason;
        let last = last.and_then(|()| silence.map_or(Ok(()), |_| Err(format!("no answer for {} s", STALE.as_secs()))));
        let late = match self.late.get() {
            0 => Ok(()),
            1 => Err("1 lease had no answer to its last sign of life".to_owned()),
            late => Err(format!("{late} leases had no answer to their last sign of life")),
        };
        let binary = std::fs::metadata(terraform).map(drop);
        let binary = binary.map_err(|error| format!("{} can't be found: {error}", terraform.display()));
        let mut checks = vec![Check::of("proton", last), Check::of("leases", late), Check::of("terraform", binary)];
        checks.extend(folder(data, least_free));
        Report(checks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_never_heard_from_proton_is_not_ready_and_says_why() {
        let (metrics, data) = (Metrics::new(), tempfile::tempdir().unwrap());
        let terraform = data.path().join("terraform");
        let report = metrics.readiness(data.path(), &terraform, 1);
        assert!(report.reasons().contains("proton: it hasn't answered yet"), "{}", report.reasons());
        assert!(report.reasons().contains("terraform: ") && report.reasons().contains("can't be found"));
        std::fs::write(&terraform, "").unwrap();
        metrics.polled(&Ok(Poll::Offered { pending: Vec::new(), claimable: 0 }));
        assert_eq!(metrics.readiness(data.path(), &terraform, 1).reasons(), "");
        metrics.late.inc();
        metrics.polled(&Err(ProtonError::Conflict { message: "no".into() }));
        let reasons = metrics.readiness(data.path(), &terraform, 1).reasons();
        assert!(reasons.starts_with("proton: ") && reasons.contains("leases: 1 lease had"), "{reasons}");
    }

    #[test]
    fn what_may_be_counted_stands_there_from_the_start() {
        let text = Metrics::new().text(3, 1);
        for metric in METRICS {
            assert!(text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.word())), "{}", metric.name);
        }
        assert!(text.contains("hadron_agent_runs{state=\"working\"} 2\n"), "{text}");
        assert!(text.contains("hadron_agent_step_duration_seconds_count{step=\"apply\"} 0\n"), "{text}");
    }
}
