//! The second step: from here on the deployment is ours alone, for as long as we give signs of life.

use hadron_model::DeploymentStatus;

use super::context::Context;
use super::poll::Candidate;
use super::progress::Stage;
use super::workdir::RunRecord;
use crate::domain::{Scope, Target};
use crate::proton::{Lease, ProtonError};
use crate::support::Moment;

/// A deployment that this agent holds.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) candidate: Candidate,
    pub(super) scope: Scope,
    pub(super) target: Target,
    pub(super) lease: Lease,
    /// Where it stood when it was claimed.
    pub(super) status: DeploymentStatus,
    /// When the request was sent that the lease counts from, at the earliest; if nobody knows, the machine's start.
    pub(super) heard: Moment,
    /// Whether the lease was taken over from an earlier life of this agent, without asking.
    pub(super) adopted: bool,
}

/// Claims a candidate, or the same one again.
///
/// # Errors
/// [`ProtonError::Conflict`] when somebody else has it, or nobody needs it any more.
pub(super) async fn claim(context: &Context, candidate: Candidate) -> Result<Claimed, ProtonError> {
    let (agent, heard) = (context.identity.id(), Moment::now());
    let (lease, status) = context.proton.claim(agent, &candidate.id, &candidate.target_arn).await?;
    let unfinished = matches!(
        status,
        DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress | DeploymentStatus::Cancelling
    );
    // A stock endpoint takes a notify for what has long ended.
    if !unfinished {
        return Err(ProtonError::Conflict { message: format!("deployment {} is {status}", candidate.id) });
    }
    let (scope, target) = candidate.target().map_err(|error| ProtonError::Nonsense { what: error.to_string() })?;
    tracing::info!(deployment.id = %candidate.id, target = %target, attempt = lease.attempt, "claimed the {target}");
    context.tell(&lease, &target, Stage::Claimed);
    Ok(Claimed { candidate, scope, target, lease, status, heard, adopted: false })
}

/// Takes over a run that an earlier life of this agent began, with the lease of that life and without a word to Proton:
/// Terraform is followed at once, however slowly Proton answers. The first heartbeat tells whether the lease still counts.
/// None where the run doesn't hold its lease.
pub(super) fn adopt(context: &Context, record: &RunRecord) -> Option<Claimed> {
    let (candidate, lease) = (record.candidate.clone(), record.lease.clone()?);
    // A renamed agent is another one.
    let (scope, target) = candidate.target().ok().filter(|_| lease.agent == context.identity.id())?;
    let status = if record.destroys { DeploymentStatus::DeleteInProgress } else { DeploymentStatus::InProgress };
    tracing::info!(
        deployment.id = %candidate.id, target = %target, attempt = lease.attempt, "came back to the run of the {target}"
    );
    context.tell(&lease, &target, Stage::Claimed);
    Some(Claimed { candidate, scope, target, lease, status, heard: Moment::default(), adopted: true })
}
