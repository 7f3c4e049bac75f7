//! UpdateServicePipeline: new inputs, or a newer template version, for the pipeline alone.

use hadron_model::{DeploymentUpdateType, UpdateServicePipelineInput, UpdateServicePipelineOutput};

use super::pipeline_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::{next_version, refusal};
use crate::control_plane::operations::service::{must_be_settled, plan, view};
use crate::control_plane::records::TemplateKind;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::ServiceSpec;

/// Deploys a pipeline anew, with the service's instances as they are.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_UpdateServicePipeline.html>
pub(crate) async fn update_service_pipeline(
    plane: &Plane,
    call: &mut Call,
    input: UpdateServicePipelineInput,
) -> Result<UpdateServicePipelineOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let pipeline = plane
        .store
        .write(move |tx| {
            update(&engine, tx, &input)?;
            Ok::<_, ProtonError>(view::pipeline(&engine.scope, &*pipeline_of(&engine, tx, &input.service_name)?))
        })
        .await?;
    plane.work.ring();
    Ok(UpdateServicePipelineOutput { pipeline })
}

fn update(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    input: &UpdateServicePipelineInput,
) -> Result<(), ProtonError> {
    let mut service = plan::service_of(engine, tx, &input.service_name)?;
    let pipeline = pipeline_of(engine, tx, &input.service_name)?;
    must_be_settled(&service)?;
    let versions = (input.template_major_version.as_deref(), input.template_minor_version.as_deref());
    let version =
        next_version(tx, &engine.scope, TemplateKind::Service, &pipeline.template, input.deployment_type, versions)?;
    if input.deployment_type == DeploymentUpdateType::None {
        return Ok(());
    }
    if !version.has_pipeline {
        return Err(ProtonError::validation(format!(
            "service template {} version {} has no pipeline",
            version.template, version.version
        )));
    }
    let current = ServiceSpec::with_pipeline_of(&service.spec, &pipeline.spec);
    let current = current.unwrap_or_else(|_| pipeline.spec.clone());
    let text = ServiceSpec::without_current_val(&input.spec, &current).map_err(refusal)?;
    // It is given every instance that there is now.
    service.pipeline_due = false;
    tx.save(&engine.scope, &mut service)?;
    plan::begin_pipeline(engine, tx, &service, &version, &text).map(drop)
}
