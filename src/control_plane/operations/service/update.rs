//! UpdateService: its description, or which instances it has.

use hadron_model::{DeploymentStatus, ServiceStatus, UpdateServiceInput, UpdateServiceOutput};

use super::create::add_instance;
use super::{followup, plan, view};
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::refusal;
use crate::control_plane::operations::templates;
use crate::control_plane::records::{Pipeline, Service, ServiceInstance, TemplateKind};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::ServiceSpec;

/// Updates a service. With a spec, instances that are new in it are created and those missing from it removed; neither
/// the pipeline's inputs nor those of an instance that stays can be changed here.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-svc-update.html>
pub(crate) async fn update_service(
    plane: &Plane,
    call: &mut Call,
    input: UpdateServiceInput,
) -> Result<UpdateServiceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let updated = plane
        .store
        .write(move |tx| {
            let mut service = plan::service_of(&engine, tx, &input.name)?;
            must_be_settled(&service)?;
            if let Some(description) = &input.description {
                service.description = Some(description.clone());
            }
            service.last_modified_at = engine.now;
            tx.save(&engine.scope, &mut service)?;
            if let Some(spec) = &input.spec {
                change_instances(&engine, tx, &input.name, spec)?;
            }
            let service = plan::service_of(&engine, tx, &input.name)?;
            let pipeline = tx.get::<Pipeline>(&engine.scope, &input.name)?;
            Ok::<_, ProtonError>(view::service(&engine.scope, &service, pipeline.as_deref()))
        })
        .await?;
    plane.work.ring();
    Ok(UpdateServiceOutput { service: updated })
}

/// Refuses a second change of a service at a time.
///
/// # Errors
/// `ConflictException`.
pub(crate) fn must_be_settled(service: &Service) -> Result<(), ProtonError> {
    use ServiceStatus as S;
    match service.status {
        S::CreateInProgress
        | S::UpdateInProgress
        | S::DeleteInProgress
        | S::CreateFailedCleanupInProgress
        | S::UpdateFailedCleanupInProgress => Err(ProtonError::conflict(format!(
            "service {} is {}; wait until that has ended",
            service.name, service.status
        ))),
        _ => Ok(()),
    }
}

fn change_instances(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    name: &str,
    given: &str,
) -> Result<(), ProtonError> {
    let mut service = plan::service_of(engine, tx, name)?;
    let present: Vec<Stored<ServiceInstance>> = tx.by_term(&engine.scope, "service", name)?;
    let text = ServiceSpec::without_current_val(given, &service.spec).map_err(refusal)?;
    let spec = plan::parse_spec(&text)?;
    refuse_alterations(&spec, &plan::parse_spec(&service.spec)?, &present)?;
    let added: Vec<_> = spec.instances.iter().filter(|it| present.iter().all(|old| old.name != it.name)).collect();
    let removed: Vec<_> = present.iter().filter(|old| spec.instance(&old.name).is_none()).collect();
    refuse_removals(&spec, &removed)?;
    // Instances that couldn't be deleted still count.
    if present.len() + added.len() > plan::MOST_INSTANCES {
        let most = plan::MOST_INSTANCES;
        return Err(ProtonError::quota(format!(
            "a service has at most {most} instances, those that failed to delete included"
        )));
    }
    lock_pipeline(engine, tx, name)?;
    service.pending_added = added.iter().map(|it| it.name.clone()).collect();
    service.pending_removed = removed.iter().map(|it| it.name.clone()).collect();
    service.pending_spec = Some(text.clone());
    service.pipeline_due = true;
    tx.save(&engine.scope, &mut service)?;
    followup::set_status(engine, tx, name, ServiceStatus::UpdateInProgress, None)?;
    let used = service.template_version.clone();
    let major = used.version.major.to_string();
    if !added.is_empty() {
        let version =
            templates::resolve_version(tx, &engine.scope, TemplateKind::Service, &used.template, Some(&major), None)?;
        plan::check_spec(&spec, &version)?;
        for instance in added {
            add_instance(engine, tx, name, instance, &version, &text, (None, None))?;
        }
    }
    followup::settle(engine, tx, name)
}

/// While a service changes nobody else may touch its pipeline.
fn lock_pipeline(engine: &Deployments, tx: &mut dyn Transaction, service: &str) -> Result<(), ProtonError> {
    let Some(mut pipeline) = tx.get::<Pipeline>(&engine.scope, service)? else { return Ok(()) };
    if pipeline.progress.in_flight() {
        return Err(ProtonError::conflict(format!(
            "the pipeline of service {service} is {}",
            pipeline.progress.status
        )));
    }
    pipeline.progress.status = DeploymentStatus::InProgress;
    Ok(tx.save(&engine.scope, &mut pipeline)?)
}

/// What stays must stay as it is: UpdateServicePipeline and UpdateServiceInstance are there for the rest.
fn refuse_alterations(
    new: &ServiceSpec,
    old: &ServiceSpec,
    present: &[Stored<ServiceInstance>],
) -> Result<(), ProtonError> {
    if new.pipeline.is_some() && new.pipeline != old.pipeline {
        return Err(ProtonError::validation(
            "UpdateService can't change the pipeline's inputs. Use UpdateServicePipeline, or write ${Proton::CURRENT_VAL}",
        ));
    }
    for instance in &new.instances {
        let Some(was) = old.instance(&instance.name) else { continue };
        if was.spec != instance.spec || was.environment != instance.environment {
            return Err(ProtonError::validation(format!(
                "UpdateService can't change the inputs or the environment of instance {}, which exists. Use \
                 UpdateServiceInstance, or write ${{Proton::CURRENT_VAL}}",
                instance.name
            )));
        }
    }
    match present.iter().find(|it| new.instance(&it.name).is_some() && it.progress.in_flight()) {
        Some(busy) => Err(ProtonError::conflict(format!(
            "service instance {}/{} is {}",
            busy.service, busy.name, busy.progress.status
        ))),
        None => Ok(()),
    }
}

fn refuse_removals(spec: &ServiceSpec, removed: &[&Stored<ServiceInstance>]) -> Result<(), ProtonError> {
    if spec.instances.is_empty() {
        return Err(ProtonError::validation("A service keeps at least one instance. Use DeleteService to remove all"));
    }
    for instance in removed {
        refuse_attached(instance)?;
        if instance.progress.in_flight() {
            let status = instance.progress.status;
            return Err(ProtonError::conflict(format!(
                "service instance {}/{} is {status}",
                instance.service, instance.name
            )));
        }
    }
    Ok(())
}

/// An instance with a component can't go: the component would lose what it hangs on.
///
/// # Errors
/// `ConflictException` with the way out.
pub(super) fn refuse_attached(instance: &ServiceInstance) -> Result<(), ProtonError> {
    let Some(component) = &instance.component else { return Ok(()) };
    Err(ProtonError::conflict(format!(
        "component {component} is attached to service instance {}/{}. Detach it first: update-component --name {component} \
         --deployment-type CURRENT_VERSION --service-name \"\" --service-instance-name \"\"",
        instance.service, instance.name
    )))
}
