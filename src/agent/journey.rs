//! One deployment, from the offer to the report. Each step takes the proof of the one before, so that another order
//! doesn't compile:
//!
//! ```text
//! poll      ()                              → Candidate   it may be ours
//! claim     Candidate                       → Claimed     it is ours: lease and epoch
//! fetch     &Claimed                        → Fetched     bundle and inputs, digests proved
//! validate  Fetched                         → Checked     or every problem at once
//! render    Checked                         → Rendered    a work directory on disk
//! run       Rendered                        → Ran         init, perhaps plan and gate, apply or destroy, outputs
//! report    Claimed, Result<Ran, StepError> → Reported    said until heard
//! ```
//!
//! A restarted agent sets out on the same journey again. The claim gives it the same lease, the work directory is there
//! already, and `run` comes back to the Terraform that was left at work.

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::claim::{Claimed, claim};
use super::context::Context;
use super::fetch::fetch_patiently;
use super::heartbeat::{Heartbeat, Pulse};
use super::poll::Candidate;
use super::publish::publish_instead;
use super::render::{Rendered, render};
use super::report::{Reported, report};
use super::run::{Ran, run};
use super::steps::{self, Step, Watch, timed};
use super::validate::validate;
use super::workdir::RunDir;
use super::{Outcome, StepError};
use crate::proton::ProtonError;

/// How a journey ended.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Somebody else has it, or Proton couldn't be asked; nothing was begun.
    NotClaimed(ProtonError),
    /// It was ours, and this is how it ended.
    Ended(Box<Outcome>),
}

/// Takes one deployment all the way. `leaving` keeps it from beginning what its host won't wait for, and bounds how long
/// an unreachable Proton is waited for at the end; Terraform is interrupted by the pulse alone.
pub(super) async fn journey(context: &Context, candidate: Candidate, leaving: &CancellationToken) -> Arrival {
    let span = steps::journey(&candidate);
    let whole = async {
        let claiming = Watch::begin(&context.metrics, Step::Claim);
        let claimed = claim(context, candidate).instrument(claiming.span()).await;
        let outcome = match &claimed {
            Ok(claimed) => {
                steps::claimed(&Span::current(), claimed.lease.attempt);
                "claimed"
            }
            Err(ProtonError::Conflict { .. } | ProtonError::NotFound { .. }) => "taken",
            Err(_) => "failed",
        };
        context.metrics.claims.with_label_values(&[outcome]).inc();
        claiming.end(&claimed);
        match claimed {
            Ok(claimed) => Box::pin(go_on(context, claimed, leaving)).await,
            Err(error) => Arrival::NotClaimed(error),
        }
    };
    whole.instrument(span).await
}

/// The journey of what this agent holds already.
pub(super) async fn claimed_journey(context: &Context, claimed: Claimed, leaving: &CancellationToken) -> Arrival {
    let span = steps::journey(&claimed.candidate);
    steps::claimed(&span, claimed.lease.attempt);
    go_on(context, claimed, leaving).instrument(span).await
}

/// Everything behind the claim.
async fn go_on(context: &Context, claimed: Claimed, leaving: &CancellationToken) -> Arrival {
    let target = claimed.target.clone();
    let outcome = match claimed.lease.requests.is_some() {
        true => Box::pin(publish_instead(context, claimed, leaving)).await,
        false => Box::pin(run_and_tell(context, claimed, leaving)).await,
    };
    context.metrics.ended(&target, outcome.verdict);
    steps::ended(&Span::current(), &outcome);
    Arrival::Ended(Box::new(outcome))
}

async fn run_and_tell(context: &Context, claimed: Claimed, leaving: &CancellationToken) -> Outcome {
    let heartbeat = Heartbeat::start(context, &claimed);
    let result = Box::pin(provision(context, &claimed, heartbeat.pulse(), leaving)).await;
    let telling = Watch::begin(&context.metrics, Step::Notify);
    let cause = heartbeat.pulse().cause();
    let reported: Reported = report(context, claimed, result, &cause, leaving).instrument(telling.span()).await;
    telling.end(&Ok::<_, StepError>(()));
    heartbeat.stop().await;
    reported.outcome
}

/// The steps between claim and report.
async fn provision(
    context: &Context,
    claimed: &Claimed,
    pulse: &Pulse,
    leaving: &CancellationToken,
) -> Result<Ran, StepError> {
    let earlier = RunDir::find(&context.config.data, &claimed.candidate.id, claimed.lease.attempt)?;
    if let Some(run_dir) = earlier {
        return Box::pin(run(context, claimed, Rendered { run_dir, fresh: false }, pulse, leaving)).await;
    }
    let departure = context.config.host.departure;
    let may_go_on = || match leaving.is_cancelled() && !departure.may_still_begin() {
        true => Err(StepError::Left),
        false => pulse.may_begin(),
    };
    may_go_on()?;
    let fetched = timed(&context.metrics, Step::Fetch, Box::pin(fetch_patiently(context, claimed, pulse))).await?;
    may_go_on()?;
    let rendering = async { render(context, claimed, validate(claimed, fetched)?).await };
    let rendered = timed(&context.metrics, Step::Render, Box::pin(rendering)).await?;
    may_go_on()?;
    Box::pin(run(context, claimed, rendered, pulse, leaving)).await
}
