//! What a service does next when one of its deployments has ended.
//!
//! A change of a service is a chain: instances first, side by side; then, at an update, the removal of old ones; the
//! pipeline last, since it is given the outputs of all. [`settle`] looks at what there is and takes the next step, so
//! that the chain goes on from wherever it stands, whoever ended a deployment and however often it is asked.
//!
//! ```text
//! create   instances ─▶ pipeline ─▶ ACTIVE            any failure: CREATE_FAILED
//! update   added ─▶ removed ─▶ pipeline ─▶ ACTIVE     added fail: they are removed again, UPDATE_FAILED_CLEANUP_…
//!                                                     removed fail: UPDATE_COMPLETE_CLEANUP_FAILED
//! delete   pipeline ─▶ instances ─▶ gone              any failure: DELETE_FAILED
//! ```

use hadron_model::{DeploymentStatus, ServiceStatus};
use serde_json::json;

use super::family::Family;
use super::{plan, submitted, view};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::history;
use crate::control_plane::records::{Deployment, Pipeline, Service, ServiceInstance};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// Called in the transaction that ended an instance's deployment, after the instance took over its outcome (or is gone,
/// at DELETE_COMPLETE). What it begins through the engine becomes work once that transaction commits.
///
/// # Errors
/// An error rolls back the end of the deployment as well; a follow-up that can't begin is therefore written into the
/// service's status instead.
pub(crate) fn after_instance_finished(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    deployment: &Deployment,
) -> Result<(), ProtonError> {
    let Target::ServiceInstance { service, name } = &deployment.target else { return Ok(()) };
    if deployment.status == DeploymentStatus::Succeeded {
        let first = deployment.last_succeeded_deployment_id.is_none();
        submitted::take_instance(engine, tx, &ServiceInstance::key_of(service, name), first)?;
    }
    settle(engine, tx, service)
}

/// Called in the transaction that ended a pipeline's deployment, after the pipeline took over its outcome.
///
/// # Errors
/// As for [`after_instance_finished`].
pub(crate) fn after_pipeline_finished(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    deployment: &Deployment,
) -> Result<(), ProtonError> {
    let Target::ServicePipeline { service } = &deployment.target else { return Ok(()) };
    if deployment.status == DeploymentStatus::Succeeded {
        submitted::take_pipeline(engine, tx, service)?;
    }
    settle(engine, tx, service)
}

/// Takes every next step that the service's state allows. Each step reads afresh, since beginning or ending a deployment
/// may come back here.
///
/// # Errors
/// The store's.
pub(crate) fn settle(engine: &Deployments, tx: &mut dyn Transaction, name: &str) -> Result<(), ProtonError> {
    use ServiceStatus as S;
    while let Some(service) = tx.get::<Service>(&engine.scope, name)? {
        let status = service.status;
        let family = Family::load(engine, tx, service)?;
        let went_on = match status {
            S::CreateInProgress => family.create(engine, tx)?,
            S::UpdateInProgress => family.update(engine, tx)?,
            S::UpdateFailedCleanupInProgress => family.clean_up(engine, tx)?,
            S::DeleteInProgress => family.delete(engine, tx)?,
            S::Active | S::UpdateFailedCleanupComplete => family.keep_up(engine, tx)?,
            S::CreateFailed | S::UpdateFailed | S::UpdateFailedCleanupFailed | S::UpdateCompleteCleanupFailed => {
                family.recover(engine, tx)?
            }
            _ => false,
        };
        if !went_on {
            break;
        }
    }
    Ok(())
}

/// Moves a service's status and writes its history.
///
/// # Errors
/// `ResourceNotFoundException` if there is no such service.
pub(super) fn set_status(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    name: &str,
    status: ServiceStatus,
    message: Option<String>,
) -> Result<(), ProtonError> {
    let mut service = plan::service_of(engine, tx, name)?;
    let previous = service.status;
    service.status = status;
    service.status_message = message;
    tx.save(&engine.scope, &mut service)?;
    if previous == status {
        return Ok(());
    }
    let arn = view::arn(&engine.scope, name);
    let detail = json!({ "name": name });
    Ok(history::append(tx, &engine.scope, &arn, Some(previous.as_str()), status.as_str(), &detail, engine.now)?)
}

/// Moves the status of a service's pipeline, if it has one, where no deployment does: it waits, or is called off.
///
/// # Errors
/// The store's.
pub(super) fn set_pipeline_status(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &str,
    status: DeploymentStatus,
    message: Option<String>,
) -> Result<(), ProtonError> {
    let Some(mut pipeline) = tx.get::<Pipeline>(&engine.scope, service)? else { return Ok(()) };
    let previous = pipeline.progress.status;
    pipeline.progress.status = status;
    if message.is_some() {
        pipeline.progress.message = message;
    }
    tx.save(&engine.scope, &mut pipeline)?;
    let target = Target::ServicePipeline { service: service.to_owned() };
    Ok(engine.note_change(tx, &target, Some(previous), Some(status))?)
}
