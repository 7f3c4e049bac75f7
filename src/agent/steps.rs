//! The steps of a deployment as they are seen from outside: each is timed, and is a span of the deployment's trace. The
//! spans also give every line of the log the deployment that it is about.
//!
//! ```text
//! deployment                      its id, its target, how it ended
//! ├ claim  fetch  render
//! ├ init   plan   approval  apply
//! └ notify
//! ```
//!
//! They are at the level of errors, so that no choice of `log.level` takes the id from a line.

use std::fmt::Display;
use std::time::Instant;

use tracing::field::Empty;
use tracing::{Instrument, Span, error_span};

use super::Outcome;
use super::metrics::Metrics;
use super::poll::Candidate;
use crate::domain::Verdict;

/// A step that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Claim,
    Fetch,
    Render,
    Init,
    Plan,
    Approval,
    Apply,
    Notify,
}

impl Step {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 8] =
        [Self::Claim, Self::Fetch, Self::Render, Self::Init, Self::Plan, Self::Approval, Self::Apply, Self::Notify];

    /// As a label's value and a span's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Fetch => "fetch",
            Self::Render => "render",
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Approval => "approval",
            Self::Apply => "apply",
            Self::Notify => "notify",
        }
    }
}

/// The span of a whole deployment. `attempt` is recorded when it is claimed: without it nobody is told of the journey.
pub(super) fn journey(candidate: &Candidate) -> Span {
    let (target, kind) = candidate
        .target()
        .map_or_else(|_| (candidate.target_arn.clone(), "unknown"), |(_, target)| (target.to_string(), target.kind()));
    error_span!(
        "deployment",
        deployment.id = %candidate.id,
        target = %target,
        target.kind = kind,
        environment = %candidate.environment,
        attempt = Empty,
        outcome = Empty,
        error = Empty,
    )
}

/// Notes on the deployment's span that it was claimed.
pub(super) fn claimed(span: &Span, attempt: u64) {
    span.record("attempt", attempt);
}

/// Notes on the deployment's span how it ended.
pub(super) fn ended(span: &Span, ended: &Outcome) {
    span.record("outcome", ended.verdict.name());
    if let Some(message) = ended.message.as_ref().filter(|_| ended.verdict != Verdict::Done) {
        span.record("error", message.as_str());
    }
}

/// A step that is under way. One that is dropped is a span all the same, but its time isn't counted.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    step: Step,
    began: Instant,
    span: Span,
    metrics: &'a Metrics,
}

impl<'a> Watch<'a> {
    /// Begins a step.
    pub(super) fn begin(metrics: &'a Metrics, step: Step) -> Self {
        let span = error_span!("step", step = step.name(), error = Empty);
        Self { step, began: Instant::now(), span, metrics }
    }

    /// For what belongs to the step.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Ends the step, as that says.
    pub(super) fn end<T, E: Display>(self, result: &Result<T, E>) {
        if let Err(error) = result {
            self.span.record("error", error.to_string());
        }
        self.metrics.took(self.step, self.began.elapsed());
    }
}

/// Does a step.
pub(super) async fn timed<T, E: Display>(
    metrics: &Metrics,
    step: Step,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let watch = Watch::begin(metrics, step);
    let done = work.instrument(watch.span()).await;
    watch.end(&done);
    done
}
