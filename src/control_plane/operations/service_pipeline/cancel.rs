//! CancelServicePipelineDeployment.

use hadron_model::{CancelServicePipelineDeploymentInput, CancelServicePipelineDeploymentOutput};

use super::pipeline_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::service::view;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Calls off the deployment of a pipeline.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_CancelServicePipelineDeployment.html>
pub(crate) async fn cancel_service_pipeline_deployment(
    plane: &Plane,
    call: &mut Call,
    input: CancelServicePipelineDeploymentInput,
) -> Result<CancelServicePipelineDeploymentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let pipeline = plane
        .store
        .write(move |tx| {
            engine.cancel(tx, &Target::ServicePipeline { service: input.service_name.clone() })?;
            Ok::<_, ProtonError>(view::pipeline(&engine.scope, &*pipeline_of(&engine, tx, &input.service_name)?))
        })
        .await?;
    plane.work.ring();
    Ok(CancelServicePipelineDeploymentOutput { pipeline })
}
