//! DescribeRun.

use hadron_model::hadron::{DescribeRunInput, DescribeRunOutput};

use super::run;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Deployment;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// One run.
pub(crate) async fn describe_run(
    plane: &Plane,
    call: &mut Call,
    input: DescribeRunInput,
) -> Result<DescribeRunOutput, ProtonError> {
    let (engine, id) = (Deployments::of(plane, call), input.deployment_id);
    let found = plane.store.read(move |tx| {
        let deployment = tx.get::<Deployment>(&engine.scope, &id)?;
        let deployment = deployment.ok_or_else(|| ProtonError::not_found(format!("deployment {id} doesn't exist")))?;
        Ok::<_, ProtonError>(run(tx, &engine, &deployment)?)
    });
    Ok(DescribeRunOutput { run: found.await? })
}
