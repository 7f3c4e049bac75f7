//! ListServiceInstanceOutputs and ListServiceInstanceProvisionedResources: everything at once, never a token.

use hadron_model::{
    ListServiceInstanceOutputsInput, ListServiceInstanceOutputsOutput, ListServiceInstanceProvisionedResourcesInput,
    ListServiceInstanceProvisionedResourcesOutput,
};

use super::target_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::{outputs_of, provisioned_by};
use crate::control_plane::wire::{Call, ProtonError};

/// Lists an instance's outputs, or those of one of its deployments.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ListServiceInstanceOutputs.html>
pub(crate) async fn list_service_instance_outputs(
    plane: &Plane,
    call: &mut Call,
    input: ListServiceInstanceOutputsInput,
) -> Result<ListServiceInstanceOutputsOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = target_of(&input.service_name, &input.service_instance_name);
    let id = input.deployment_id;
    let outputs = plane.store.read(move |tx| outputs_of(tx, &engine, &target, id.as_deref())).await?;
    Ok(ListServiceInstanceOutputsOutput { outputs, next_token: None })
}

/// Lists what was provisioned for an instance.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ListServiceInstanceProvisionedResources.html>
pub(crate) async fn list_service_instance_provisioned_resources(
    plane: &Plane,
    call: &mut Call,
    input: ListServiceInstanceProvisionedResourcesInput,
) -> Result<ListServiceInstanceProvisionedResourcesOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = target_of(&input.service_name, &input.service_instance_name);
    let provisioned_resources = plane.store.read(move |tx| provisioned_by(tx, &engine, &target)).await?;
    Ok(ListServiceInstanceProvisionedResourcesOutput { provisioned_resources, next_token: None })
}
