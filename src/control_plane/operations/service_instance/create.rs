//! CreateServiceInstance: one more instance for a service that is there.

use hadron_model::{CreateServiceInstanceInput, CreateServiceInstanceOutput, Operation, ServiceStatus};

use super::instance_of;
use crate::control_plane::Plane;
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::deployment::refusal;
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::service::{create::add_instance, must_be_settled, plan, refuse_leaving, view};
use crate::control_plane::operations::service_sync::{self, Change};
use crate::control_plane::operations::templates;
use crate::control_plane::records::{ServiceInstance, TemplateKind};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{ServiceSpec, Target};

/// Creates an instance from a ServiceSpec that holds it. Once it is deployed the pipeline is provisioned anew, since it
/// lists the instances.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_CreateServiceInstance.html>
pub(crate) async fn create_service_instance(
    plane: &Plane,
    call: &mut Call,
    input: CreateServiceInstanceInput,
) -> Result<CreateServiceInstanceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let once = Once::new(Operation::CreateServiceInstance, input.client_token.as_deref(), &input)?;
    let service_instance = plane
        .store
        .write(move |tx| {
            let key = ServiceInstance::key_of(&input.service_name, &input.name);
            let earlier = once.earlier(tx, &engine.scope, engine.now)?.is_some();
            match tx.get::<ServiceInstance>(&engine.scope, &key)? {
                Some(known) if earlier => must_stay(&engine, tx, known)?,
                // What an earlier request made may be gone again; then this is a new one.
                _ => {
                    create(&engine, tx, &input)?;
                    service_sync::block(tx, &engine, (&input.service_name, &input.name), Change::Created)?;
                    once.remember(tx, &engine.scope, &key, engine.now)?;
                }
            }
            let instance = instance_of(&engine, tx, &input.service_name, &input.name)?;
            Ok::<_, ProtonError>(view::instance(&engine.scope, &instance))
        })
        .await?;
    plane.work.ring();
    Ok(CreateServiceInstanceOutput { service_instance })
}

/// A repeat isn't answered with an instance that is about to vanish.
fn must_stay(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    known: Stored<ServiceInstance>,
) -> Result<(), ProtonError> {
    refuse_leaving(tx, engine, &known)?;
    let target = Target::ServiceInstance { service: known.service.clone(), name: known.name.clone() };
    engine.must_not_be_leaving(tx, &TargetRecord::Instance(known), &target)
}

fn create(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    input: &CreateServiceInstanceInput,
) -> Result<(), ProtonError> {
    let mut service = plan::service_of(engine, tx, &input.service_name)?;
    must_be_settled(&service)?;
    plan::refuse_quarantined(engine, tx, &service.name, [])?;
    let present = tx.by_term::<ServiceInstance>(&engine.scope, "service", &service.name)?;
    if present.len() >= plan::MOST_INSTANCES {
        // The operation declares no ServiceQuotaExceededException.
        return Err(ProtonError::validation(format!("a service has at most {} instances", plan::MOST_INSTANCES)));
    }
    if service.status == ServiceStatus::DeleteFailed {
        return Err(ProtonError::conflict(format!(
            "service {} is {}. Bring it back with UpdateService, or delete it",
            service.name, service.status
        )));
    }
    let text = ServiceSpec::without_current_val(&input.spec, &service.spec).map_err(refusal)?;
    let spec = plan::parse_spec(&text)?;
    let instance = spec.instance(&input.name).ok_or_else(|| {
        ProtonError::validation(format!("the spec has no instance named {}; add it under `instances`", input.name))
    })?;
    let (major, minor) = (input.template_major_version.as_deref(), input.template_minor_version.as_deref());
    let version =
        templates::resolve_version(tx, &engine.scope, TemplateKind::Service, &service.template, major, minor)?;
    service.last_modified_at = engine.now;
    tx.save(&engine.scope, &mut service)?;
    let extras = (input.client_token.clone(), input.tags.as_deref());
    add_instance(engine, tx, &service.name, instance, &version, &text, extras)
}
