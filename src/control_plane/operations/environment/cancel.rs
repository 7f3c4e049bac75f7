//! CancelEnvironmentDeployment.

use hadron_model::{CancelEnvironmentDeploymentInput, CancelEnvironmentDeploymentOutput};

use super::{get::by_name, view};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Calls off the environment's deployment.
pub(crate) async fn cancel_environment_deployment(
    plane: &Plane,
    call: &mut Call,
    input: CancelEnvironmentDeploymentInput,
) -> Result<CancelEnvironmentDeploymentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let environment = plane
        .store
        .write(move |tx| {
            engine.cancel(tx, &Target::Environment { name: input.environment_name.clone() })?;
            let cancelled = by_name(tx, &engine.scope, &input.environment_name)?;
            Ok::<_, ProtonError>(view::full(tx, &engine.scope, &cancelled)?)
        })
        .await?;
    plane.work.ring();
    Ok(CancelEnvironmentDeploymentOutput { environment })
}
