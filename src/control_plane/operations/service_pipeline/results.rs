//! ListServicePipelineOutputs and ListServicePipelineProvisionedResources: everything at once, never a token.

use hadron_model::{
    ListServicePipelineOutputsInput, ListServicePipelineOutputsOutput, ListServicePipelineProvisionedResourcesInput,
    ListServicePipelineProvisionedResourcesOutput,
};

use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::{outputs_of, provisioned_by};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Lists a pipeline's outputs, or those of one of its deployments.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ListServicePipelineOutputs.html>
pub(crate) async fn list_service_pipeline_outputs(
    plane: &Plane,
    call: &mut Call,
    input: ListServicePipelineOutputsInput,
) -> Result<ListServicePipelineOutputsOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = Target::ServicePipeline { service: input.service_name };
    let id = input.deployment_id;
    let outputs = plane.store.read(move |tx| outputs_of(tx, &engine, &target, id.as_deref())).await?;
    Ok(ListServicePipelineOutputsOutput { outputs, next_token: None })
}

/// Lists what was provisioned for a pipeline.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ListServicePipelineProvisionedResources.html>
pub(crate) async fn list_service_pipeline_provisioned_resources(
    plane: &Plane,
    call: &mut Call,
    input: ListServicePipelineProvisionedResourcesInput,
) -> Result<ListServicePipelineProvisionedResourcesOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let target = Target::ServicePipeline { service: input.service_name };
    let provisioned_resources = plane.store.read(move |tx| provisioned_by(tx, &engine, &target)).await?;
    Ok(ListServicePipelineProvisionedResourcesOutput { provisioned_resources, next_token: None })
}
