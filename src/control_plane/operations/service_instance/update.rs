//! UpdateServiceInstance: the most used operation of Proton's users: new inputs, or a newer template version.

use hadron_model::{
    DeploymentUpdateType, Operation, ServiceStatus, UpdateServiceInstanceInput, UpdateServiceInstanceOutput,
};

use super::instance_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::deployment::{next_version, refusal};
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::service::{plan, view};
use crate::control_plane::operations::service_sync::{self, Change};
use crate::control_plane::records::{Action, Component, Service, ServiceInstance, TemplateKind};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::ServiceSpec;

/// Deploys an instance anew. Without a spec the current one is used again.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_UpdateServiceInstance.html>
pub(crate) async fn update_service_instance(
    plane: &Plane,
    call: &mut Call,
    input: UpdateServiceInstanceInput,
) -> Result<UpdateServiceInstanceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let once = Once::new(Operation::UpdateServiceInstance, input.client_token.as_deref(), &input)?;
    let service_instance = plane
        .store
        .write(move |tx| {
            let known = once.earlier(tx, &engine.scope, engine.now)?.is_some();
            if !known {
                update(&engine, tx, &input)?;
                if input.deployment_type != DeploymentUpdateType::None {
                    service_sync::block(tx, &engine, (&input.service_name, &input.name), Change::Updated)?;
                }
                let key = ServiceInstance::key_of(&input.service_name, &input.name);
                once.remember(tx, &engine.scope, &key, engine.now)?;
            }
            let instance = instance_of(&engine, tx, &input.service_name, &input.name)?;
            Ok::<_, ProtonError>(view::instance(&engine.scope, &instance))
        })
        .await?;
    plane.work.ring();
    Ok(UpdateServiceInstanceOutput { service_instance })
}

fn update(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    input: &UpdateServiceInstanceInput,
) -> Result<(), ProtonError> {
    let mut instance = instance_of(engine, tx, &input.service_name, &input.name)?;
    let service = plan::service_of(engine, tx, &input.service_name)?;
    refuse_while_busy(engine, tx, &service, &instance)?;
    let versions = (input.template_major_version.as_deref(), input.template_minor_version.as_deref());
    let version =
        next_version(tx, &engine.scope, TemplateKind::Service, &instance.template, input.deployment_type, versions)?;
    instance.last_client_request_token.clone_from(&input.client_token);
    tx.save(&engine.scope, &mut instance)?;
    if input.deployment_type == DeploymentUpdateType::None {
        return match &input.spec {
            Some(_) => Err(ProtonError::validation("deployment type NONE deploys nothing, so it takes no spec")),
            None => Ok(()),
        };
    }
    let text = match &input.spec {
        Some(given) => {
            // Other instances may keep their values as well, and this one's spec may be older than they are.
            let current = ServiceSpec::with_instance_of(&service.spec, &instance.name, &instance.spec);
            let current = current.unwrap_or_else(|_| instance.spec.clone());
            ServiceSpec::without_current_val(given, &current).map_err(refusal)?
        }
        None => instance.spec.clone(),
    };
    refuse_other_environment(&text, &instance)?;
    plan::begin_instance(engine, tx, &instance, &version, &text, Action::Update).map(drop)
}

fn refuse_while_busy(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &Service,
    instance: &ServiceInstance,
) -> Result<(), ProtonError> {
    if matches!(service.status, ServiceStatus::DeleteInProgress | ServiceStatus::UpdateFailedCleanupInProgress)
        || service.pending_removed.contains(&instance.name)
        || service.pending_added.contains(&instance.name)
    {
        return Err(ProtonError::conflict(format!("service {} is {}", service.name, service.status)));
    }
    let Some(name) = &instance.component else { return Ok(()) };
    match tx.get::<Component>(&engine.scope, name)? {
        Some(component) if component.progress.in_flight() => {
            let status = component.progress.status;
            Err(ProtonError::conflict(format!("component {name}, attached to this instance, is {status}")))
        }
        _ => Ok(()),
    }
}

fn refuse_other_environment(text: &str, instance: &ServiceInstance) -> Result<(), ProtonError> {
    let spec = plan::parse_spec(text)?;
    let own = spec.instance(&instance.name).ok_or_else(|| {
        ProtonError::validation(format!(
            "the spec has no instance named {}; it takes the whole ServiceSpec, as get-service returns it",
            instance.name
        ))
    })?;
    if own.environment == instance.environment {
        return Ok(());
    }
    Err(ProtonError::validation(format!(
        "instance {} lies in environment {} and can't move to {}. Create another instance there",
        instance.name, instance.environment, own.environment
    )))
}
