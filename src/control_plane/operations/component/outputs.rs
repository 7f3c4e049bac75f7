//! ListComponentOutputs and ListComponentProvisionedResources: all in one answer, as the model wants it.

use hadron_model::{
    ListComponentOutputsInput, ListComponentOutputsOutput, ListComponentProvisionedResourcesInput,
    ListComponentProvisionedResourcesOutput,
};

use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::{outputs_of, provisioned_by};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// The outputs of a component, or of one of its deployments.
pub(crate) async fn list_component_outputs(
    plane: &Plane,
    call: &mut Call,
    input: ListComponentOutputsInput,
) -> Result<ListComponentOutputsOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = Target::Component { name: input.component_name };
    let id = input.deployment_id;
    let outputs = plane.store.read(move |tx| outputs_of(tx, &engine, &target, id.as_deref())).await?;
    Ok(ListComponentOutputsOutput { next_token: None, outputs })
}

/// What was provisioned for a component.
pub(crate) async fn list_component_provisioned_resources(
    plane: &Plane,
    call: &mut Call,
    input: ListComponentProvisionedResourcesInput,
) -> Result<ListComponentProvisionedResourcesOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = Target::Component { name: input.component_name };
    let provisioned_resources = plane.store.read(move |tx| provisioned_by(tx, &engine, &target)).await?;
    Ok(ListComponentProvisionedResourcesOutput { next_token: None, provisioned_resources })
}
