//! ApproveRun and RejectRun.

use hadron_model::hadron::{ApproveRunInput, ApproveRunOutput, Decision, RejectRunInput, RejectRunOutput, Role, Run};

use super::run;
use crate::control_plane::deployments::{Decided, Deployments};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// Lets the agent apply the plan of this digest.
pub(crate) async fn approve_run(
    plane: &Plane,
    call: &mut Call,
    input: ApproveRunInput,
) -> Result<ApproveRunOutput, ProtonError> {
    let ApproveRunInput { deployment_id, plan_digest: digest, comment } = input;
    let (decision, by) = (Decision::Approved, call.caller.clone());
    let run = decide(plane, call, Decided { deployment_id, digest, decision, comment, by }).await?;
    Ok(ApproveRunOutput { run })
}

/// Ends the run without applying the plan of this digest.
pub(crate) async fn reject_run(
    plane: &Plane,
    call: &mut Call,
    input: RejectRunInput,
) -> Result<RejectRunOutput, ProtonError> {
    let RejectRunInput { deployment_id, plan_digest: digest, comment } = input;
    let (decision, by) = (Decision::Rejected, call.caller.clone());
    let run = decide(plane, call, Decided { deployment_id, digest, decision, comment, by }).await?;
    Ok(RejectRunOutput { run })
}

/// The run as it is then. An agent that waits for it learns it at once; one whose question isn't held, from its next one
/// two seconds later.
async fn decide(plane: &Plane, call: &Call, mut decided: Decided) -> Result<Run, ProtonError> {
    if call.caller.role == Role::Agent {
        return Err(ProtonError::AccessDenied(format!(
            "{} is an agent: people decide on plans",
            call.caller.principal
        )));
    }
    decided.comment = decided.comment.filter(|comment| !comment.is_empty());
    let engine = Deployments::of(plane, call);
    let decided = plane.store.write(move |tx| {
        let deployment = engine.decide(tx, &decided)?;
        Ok::<_, ProtonError>(run(tx, &engine, &deployment)?)
    });
    let run = decided.await?;
    plane.work.ring();
    Ok(run)
}
