//! UpdateService: its description, or which instances it has.

use hadron_model::{DeploymentStatus, ServiceStatus, UpdateServiceInput, UpdateServiceOutput};

use super::create::{add_instance, add_pipeline};
use super::{followup, plan, view};
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::refusal;
use crate::control_plane::operations::service_sync::{self, Change};
use crate::control_plane::operations::templates;
use crate::control_plane::records::{Pipeline, Service, ServiceInstance, TemplateKind, TemplateVersion};
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

/// Refuses an instance that its service is about to remove.
///
/// # Errors
/// `ConflictException`.
pub(crate) fn refuse_leaving(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    instance: &ServiceInstance,
) -> Result<(), ProtonError> {
    let Some(service) = tx.get::<Service>(&engine.scope, &instance.service)? else { return Ok(()) };
    if service.status == ServiceStatus::DeleteInProgress || service.pending_removed.contains(&instance.name) {
        return Err(ProtonError::conflict(format!(
            "service {} is {} and removes instance {}",
            service.name, service.status, instance.name
        )));
    }
    Ok(())
}

fn change_instances(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    name: &str,
    given: &str,
) -> Result<(), ProtonError> {
    let mut service = plan::service_of(engine, tx, name)?;
    let present: Vec<Stored<ServiceInstance>> = tx.by_term(&engine.scope, "service", name)?;
    let text = with_pipeline_kept(&ServiceSpec::without_current_val(given, &service.spec).map_err(refusal)?, &service)?;
    let spec = plan::parse_spec(&text)?;
    refuse_alterations(&spec, &plan::parse_spec(&service.spec)?, &present)?;
    let added: Vec<_> = spec.instances.iter().filter(|it| present.iter().all(|old| old.name != it.name)).collect();
    let removed: Vec<_> = present.iter().filter(|old| spec.instance(&old.name).is_none()).collect();
    refuse_removals(&spec, &removed)?;
    plan::refuse_quarantined(engine, tx, name, removed.iter().map(|it| it.name.as_str()))?;
    // Instances that couldn't be deleted still count.
    if present.len() + added.len() > plan::MOST_INSTANCES {
        let most = plan::MOST_INSTANCES;
        return Err(ProtonError::quota(format!(
            "a service has at most {most} instances, those that failed to delete included"
        )));
    }
    let before = lock_pipeline(engine, tx, &service)?;
    service.pipeline_before = before.map(|status| (status, service.pipeline_due));
    service.pending_added = added.iter().map(|it| it.name.clone()).collect();
    service.pending_removed = removed.iter().map(|it| it.name.clone()).collect();
    service.removals_begun.clear();
    service.pending_spec = Some(text.clone());
    service.pipeline_due = true;
    tx.save(&engine.scope, &mut service)?;
    for instance in &added {
        service_sync::block(tx, engine, (name, &instance.name), Change::Created)?;
    }
    for instance in &removed {
        service_sync::block(tx, engine, (name, &instance.name), Change::Deleted)?;
    }
    followup::set_status(engine, tx, name, ServiceStatus::UpdateInProgress, None)?;
    let used = service.template_version.clone();
    let major = used.version.major.to_string();
    if !added.is_empty() {
        let version =
            templates::resolve_version(tx, &engine.scope, TemplateKind::Service, &used.template, Some(&major), None)?;
        plan::check_instances(&spec, &service.pending_added, &version)?;
        for instance in added {
            add_instance(engine, tx, name, instance, &version, &text, (None, None))?;
        }
    }
    followup::settle(engine, tx, name)
}

/// A spec that leaves the pipeline out leaves it as it is.
fn with_pipeline_kept(text: &str, service: &Service) -> Result<String, ProtonError> {
    let (new, old) = (plan::parse_spec(text)?, plan::parse_spec(&service.spec)?);
    if new.pipeline.is_some() || old.pipeline.is_none() {
        return Ok(text.to_owned());
    }
    ServiceSpec::with_pipeline_of(text, &service.spec).map_err(refusal)
}

/// While a service changes nobody else may touch its pipeline. Gives the status that it had; one that a failed deletion
/// took with it comes back.
fn lock_pipeline(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &Service,
) -> Result<Option<DeploymentStatus>, ProtonError> {
    let Some(pipeline) = tx.get::<Pipeline>(&engine.scope, &service.name)? else {
        if service.status == ServiceStatus::DeleteFailed && had_pipeline(engine, tx, service)? {
            add_pipeline(engine, tx, &service.name, service.template_version.clone(), &service.spec)?;
            return Ok(Some(DeploymentStatus::Cancelled));
        }
        return Ok(None);
    };
    let status = pipeline.progress.status;
    if pipeline.progress.in_flight() {
        return Err(ProtonError::conflict(format!("the pipeline of service {} is {status}", service.name)));
    }
    followup::set_pipeline_status(engine, tx, &service.name, DeploymentStatus::InProgress, None)?;
    Ok(Some(status))
}

fn had_pipeline(engine: &Deployments, tx: &mut dyn Transaction, service: &Service) -> Result<bool, ProtonError> {
    let used = &service.template_version;
    let key = TemplateVersion::key_of(TemplateKind::Service, &used.template, used.version);
    Ok(tx.get::<TemplateVersion>(&engine.scope, &key)?.is_some_and(|version| version.has_pipeline))
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
    present.iter().filter(|it| new.instance(&it.name).is_some()).try_for_each(|it| refuse_unfit_survivor(it))
}

/// An instance that stays must stand: UpdateService deploys only what is new.
fn refuse_unfit_survivor(instance: &ServiceInstance) -> Result<(), ProtonError> {
    let (service, name, status) = (&instance.service, &instance.name, instance.progress.status);
    if instance.progress.in_flight() {
        return Err(ProtonError::conflict(format!("service instance {service}/{name} is {status}")));
    }
    if status == DeploymentStatus::DeleteFailed {
        return Err(ProtonError::conflict(format!(
            "service instance {service}/{name} is {status}. Bring it back with UpdateServiceInstance, or leave it out \
             of the spec to remove it"
        )));
    }
    Ok(())
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
