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

use super::claim::{Claimed, claim};
use super::context::Context;
use super::fetch::fetch_patiently;
use super::heartbeat::{Heartbeat, Pulse};
use super::poll::Candidate;
use super::publish::publish_instead;
use super::render::{Rendered, render};
use super::report::{Reported, report};
use super::run::{Ran, run};
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
    match claim(context, candidate).await {
        Ok(claimed) => Box::pin(claimed_journey(context, claimed, leaving)).await,
        Err(error) => Arrival::NotClaimed(error),
    }
}

/// The journey of what this agent holds already.
pub(super) async fn claimed_journey(context: &Context, claimed: Claimed, leaving: &CancellationToken) -> Arrival {
    if claimed.lease.requests.is_some() {
        return Arrival::Ended(Box::new(Box::pin(publish_instead(context, claimed, leaving)).await));
    }
    let heartbeat = Heartbeat::start(context, &claimed);
    let result = Box::pin(provision(context, &claimed, heartbeat.pulse(), leaving)).await;
    let reported: Reported = report(context, claimed, result, &heartbeat.pulse().cause(), leaving).await;
    heartbeat.stop().await;
    Arrival::Ended(Box::new(reported.outcome))
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
        return run(context, claimed, Rendered { run_dir, fresh: false }, pulse, leaving).await;
    }
    let departure = context.config.host.departure;
    let may_go_on = || match leaving.is_cancelled() && !departure.may_still_begin() {
        true => Err(StepError::Left),
        false => pulse.may_begin(),
    };
    may_go_on()?;
    let fetched = Box::pin(fetch_patiently(context, claimed, pulse)).await?;
    may_go_on()?;
    let checked = validate(claimed, fetched)?;
    let rendered = render(context, claimed, checked).await?;
    may_go_on()?;
    run(context, claimed, rendered, pulse, leaving).await
}
