//! CancelServiceInstanceDeployment.

use hadron_model::{CancelServiceInstanceDeploymentInput, CancelServiceInstanceDeploymentOutput};

use super::target_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::service::view;
use crate::control_plane::wire::{Call, ProtonError};

/// Calls off the deployment of an instance.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_CancelServiceInstanceDeployment.html>
pub(crate) async fn cancel_service_instance_deployment(
    plane: &Plane,
    call: &mut Call,
    input: CancelServiceInstanceDeploymentInput,
) -> Result<CancelServiceInstanceDeploymentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let service_instance = plane
        .store
        .write(move |tx| {
            let target = target_of(&input.service_name, &input.service_instance_name);
            match engine.cancel(tx, &target)? {
                TargetRecord::Instance(instance) => Ok(view::instance(&engine.scope, &instance)),
                _ => Err(ProtonError::not_found(format!("{target} doesn't exist"))),
            }
        })
        .await?;
    plane.work.ring();
    Ok(CancelServiceInstanceDeploymentOutput { service_instance })
}
