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
use super::render::{Rendered, render};
use super::report::{Reported, report};
use super::run::{Ran, run};
use super::validate::validate;
use super::workdir::RunDir;
use super::{StepError, Verdict};
use crate::proton::ProtonError;

/// How a journey ended.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Somebody else has it, or Proton couldn't be asked; nothing was begun.
    NotClaimed(ProtonError),
    /// It was ours, and this is how it ended.
    Ended(Verdict),
}

/// Takes one deployment all the way. `leaving` only bounds how long an unreachable Proton is waited for at the end:
/// Terraform is never hurried because the agent is asked to go.
pub(super) async fn journey(context: &Context, candidate: Candidate, leaving: &CancellationToken) -> Arrival {
    let claimed = match claim(context, candidate).await {
        Ok(claimed) => claimed,
        Err(error) => return Arrival::NotClaimed(error),
    };
    let heartbeat = Heartbeat::start(context, &claimed);
    let result = Box::pin(provision(context, &claimed, heartbeat.pulse(), leaving)).await;
    if let Err(StepError::StillAwaiting) = result {
        heartbeat.stop().await;
        return Arrival::Ended(Verdict::AwaitingApproval);
    }
    let reported: Reported = report(context, claimed, result, leaving).await;
    heartbeat.stop().await;
    Arrival::Ended(reported.verdict)
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
    pulse.may_begin()?;
    let fetched = Box::pin(fetch_patiently(context, claimed, pulse)).await?;
    let checked = validate(claimed, fetched)?;
    let rendered = render(context, claimed, checked).await?;
    run(context, claimed, rendered, pulse, leaving).await
}
