//! ListEnvironmentOutputs and ListEnvironmentProvisionedResources: all in one answer, as the model wants it.

use hadron_model::{
    ListEnvironmentOutputsInput, ListEnvironmentOutputsOutput, ListEnvironmentProvisionedResourcesInput,
    ListEnvironmentProvisionedResourcesOutput,
};

use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::{outputs_of, provisioned_by};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// The outputs of an environment, or of one of its deployments.
pub(crate) async fn list_environment_outputs(
    plane: &Plane,
    call: &mut Call,
    input: ListEnvironmentOutputsInput,
) -> Result<ListEnvironmentOutputsOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = Target::Environment { name: input.environment_name };
    let id = input.deployment_id;
    let outputs = plane.store.read(move |tx| outputs_of(tx, &engine, &target, id.as_deref())).await?;
    Ok(ListEnvironmentOutputsOutput { next_token: None, outputs })
}

/// What was provisioned for an environment.
pub(crate) async fn list_environment_provisioned_resources(
    plane: &Plane,
    call: &mut Call,
    input: ListEnvironmentProvisionedResourcesInput,
) -> Result<ListEnvironmentProvisionedResourcesOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = Target::Environment { name: input.environment_name };
    let provisioned_resources = plane.store.read(move |tx| provisioned_by(tx, &engine, &target)).await?;
    Ok(ListEnvironmentProvisionedResourcesOutput { next_token: None, provisioned_resources })
}
