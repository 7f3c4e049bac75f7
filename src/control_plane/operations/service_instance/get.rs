//! GetServiceInstance.

use hadron_model::{GetServiceInstanceInput, GetServiceInstanceOutput};

use super::instance_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::service::view;
use crate::control_plane::wire::{Call, ProtonError};

/// Shows an instance with the spec it was last deployed with.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_GetServiceInstance.html>
pub(crate) async fn get_service_instance(
    plane: &Plane,
    call: &mut Call,
    input: GetServiceInstanceInput,
) -> Result<GetServiceInstanceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    plane
        .store
        .read(move |tx| {
            let instance = instance_of(&engine, tx, &input.service_name, &input.name)?;
            Ok(GetServiceInstanceOutput { service_instance: view::instance(&engine.scope, &instance) })
        })
        .await
}
