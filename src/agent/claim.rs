//! The second step: from here on the deployment is ours alone, for as long as we give signs of life.

use hadron_model::DeploymentStatus;

use super::context::Context;
use super::poll::Candidate;
use super::progress::Stage;
use crate::domain::{Scope, Target};
use crate::proton::{Lease, ProtonError};

/// A deployment that this agent holds.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) candidate: Candidate,
    pub(super) scope: Scope,
    pub(super) target: Target,
    pub(super) lease: Lease,
    /// Where it stood when it was claimed.
    pub(super) status: DeploymentStatus,
}

/// Claims a candidate, or the same one again.
///
/// # Errors
/// [`ProtonError::Conflict`] when somebody else has it, or nobody needs it any more.
pub(super) async fn claim(context: &Context, candidate: Candidate) -> Result<Claimed, ProtonError> {
    let agent = context.identity.id();
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
    Ok(Claimed { candidate, scope, target, lease, status })
}
