//! CancelComponentDeployment.

use hadron_model::{CancelComponentDeploymentInput, CancelComponentDeploymentOutput};

use super::{get::by_name, view};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Calls off the component's deployment.
pub(crate) async fn cancel_component_deployment(
    plane: &Plane,
    call: &mut Call,
    input: CancelComponentDeploymentInput,
) -> Result<CancelComponentDeploymentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let component = plane
        .store
        .write(move |tx| {
            engine.cancel(tx, &Target::Component { name: input.component_name.clone() })?;
            let cancelled = by_name(tx, &engine.scope, &input.component_name)?;
            Ok::<_, ProtonError>(view::full(&engine.scope, &cancelled))
        })
        .await?;
    plane.work.ring();
    Ok(CancelComponentDeploymentOutput { component })
}
