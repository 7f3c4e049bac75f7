//! DeleteDeployment: takes a deployment out of the history.

use hadron_model::{DeleteDeploymentInput, DeleteDeploymentOutput};

use super::{get::unknown, view};
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::tags::remove_tags;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Deployment;
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// Removes a deployment that has ended. What its target still stands on stays: the last that succeeded, and the last
/// that ran, since that one is rendered again to destroy what it made.
pub(crate) async fn delete_deployment(
    plane: &Plane,
    call: &mut Call,
    input: DeleteDeploymentInput,
) -> Result<DeleteDeploymentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    plane
        .store
        .write(move |tx| {
            let found = tx.get::<Deployment>(&engine.scope, &input.id)?.ok_or_else(|| unknown(&input.id))?;
            if found.in_flight() {
                let message = format!("deployment {} is {}: cancel it, or wait for its end", found.id, found.status);
                return Err(ProtonError::validation(message));
            }
            if let Some(reason) = needed(tx, &engine, &found)? {
                return Err(ProtonError::validation(format!("deployment {} can't be deleted: {reason}", found.id)));
            }
            tx.delete(&engine.scope, &found)?;
            remove_tags(tx, &engine.scope, &engine.arn_of(&found.id))?;
            Ok(DeleteDeploymentOutput { deployment: Some(view::full(&engine.scope, &found)) })
        })
        .await
}

/// Why the target can't do without this deployment.
fn needed(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    deployment: &Deployment,
) -> Result<Option<String>, StoreError> {
    let target = &deployment.target;
    let Some(record) = TargetRecord::load(tx, &engine.scope, target)? else { return Ok(None) };
    if record.progress().last_succeeded_deployment_id.as_ref() == Some(&deployment.id) {
        return Ok(Some(format!("it is the last of {target} that succeeded")));
    }
    let last_run = engine.last_run(tx, target, record.created_at())?;
    if last_run.is_some_and(|last| last.id == deployment.id) {
        return Ok(Some(format!("it is the last of {target} that ran, which deleting {target} needs")));
    }
    Ok(None)
}
