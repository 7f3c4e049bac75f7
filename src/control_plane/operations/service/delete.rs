//! DeleteService: the pipeline first, then the instances, then the service itself.

use hadron_model::{DeleteServiceInput, DeleteServiceOutput, ServiceStatus};

use super::update::{must_be_settled, refuse_attached};
use super::{followup, plan, view};
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::{Pipeline, ServiceInstance};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// Deletes a service with everything in it.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_DeleteService.html>
pub(crate) async fn delete_service(
    plane: &Plane,
    call: &mut Call,
    input: DeleteServiceInput,
) -> Result<DeleteServiceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let deleted = plane.store.write(move |tx| delete(&engine, tx, &input.name)).await?;
    plane.work.ring();
    Ok(DeleteServiceOutput { service: Some(deleted) })
}

fn delete(engine: &Deployments, tx: &mut dyn Transaction, name: &str) -> Result<hadron_model::Service, ProtonError> {
    let mut service = plan::service_of(engine, tx, name)?;
    must_be_settled(&service)?;
    let pipeline = tx.get::<Pipeline>(&engine.scope, name)?;
    let instances = tx.by_term::<ServiceInstance>(&engine.scope, "service", name)?;
    plan::refuse_quarantined(engine, tx, name, instances.iter().map(|it| it.name.as_str()))?;
    for instance in instances {
        refuse_attached(&instance)?;
        if instance.progress.in_flight() {
            let status = instance.progress.status;
            return Err(ProtonError::conflict(format!("service instance {name}/{} is {status}", instance.name)));
        }
    }
    if let Some(busy) = pipeline.as_ref().filter(|it| it.progress.in_flight()) {
        return Err(ProtonError::conflict(format!("the pipeline of service {name} is {}", busy.progress.status)));
    }
    service.last_modified_at = engine.now;
    service.removals_begun.clear();
    tx.save(&engine.scope, &mut service)?;
    followup::set_status(engine, tx, name, ServiceStatus::DeleteInProgress, None)?;
    let shown = plan::service_of(engine, tx, name)?;
    let shown = view::service(&engine.scope, &shown, pipeline.as_deref());
    // Where nothing ever ran, the service is gone when this returns.
    followup::settle(engine, tx, name)?;
    Ok(shown)
}
