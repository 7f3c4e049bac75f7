//! UpdateComponent.

use hadron_model::{ComponentDeploymentUpdateType, Operation, UpdateComponentInput, UpdateComponentOutput};

use super::attachment::{Place, Wish, instance_for};
use super::create::reserve;
use super::{get::by_name, plan::Plan, view};
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Action, Component};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Changes a component's description; with CURRENT_VERSION also its file, its service spec or its place, and deploys it.
pub(crate) async fn update_component(
    plane: &Plane,
    call: &mut Call,
    input: UpdateComponentInput,
) -> Result<UpdateComponentOutput, ProtonError> {
    let once = Once::new(Operation::UpdateComponent, input.client_token.as_deref(), &input)?;
    let engine = Deployments::of(plane, call);
    let component = plane
        .store
        .write(move |tx| {
            let component = by_name(tx, &engine.scope, &input.name)?;
            if once.earlier(tx, &engine.scope, engine.now)?.is_none() {
                update(tx, &engine, component, &input)?;
                once.remember(tx, &engine.scope, &input.name, engine.now)?;
            }
            let updated = by_name(tx, &engine.scope, &input.name)?;
            Ok::<_, ProtonError>(view::full(&engine.scope, &updated))
        })
        .await?;
    plane.work.ring();
    Ok(UpdateComponentOutput { component })
}

fn update(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    mut component: Stored<Component>,
    input: &UpdateComponentInput,
) -> Result<(), ProtonError> {
    let target = Target::Component { name: component.name.clone() };
    engine.must_be_idle(tx, &TargetRecord::Component(component.clone()), &target)?;
    component.last_modified_at = engine.now;
    component.last_client_request_token.clone_from(&input.client_token);
    if input.description.is_some() {
        component.description.clone_from(&input.description);
    }
    tx.save(&engine.scope, &mut component)?;
    let wish = Wish::of(input.service_name.as_deref(), input.service_instance_name.as_deref())?;
    match input.deployment_type {
        ComponentDeploymentUpdateType::None => describes_only(input, &wish),
        ComponentDeploymentUpdateType::CurrentVersion => deploy(tx, engine, &component, wish, input),
    }
}

fn describes_only(input: &UpdateComponentInput, wish: &Wish) -> Result<(), ProtonError> {
    if input.template_file.is_none() && input.service_spec.is_none() && *wish == Wish::Keep {
        return Ok(());
    }
    Err(ProtonError::validation("deployment type NONE deploys nothing, so only the description can be changed"))
}

fn deploy(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    component: &Component,
    wish: Wish,
    input: &UpdateComponentInput,
) -> Result<(), ProtonError> {
    let stays = wish == Wish::Keep;
    let place = next_place(component, wish)?;
    idle_at_present_place(tx, engine, component)?;
    let mut instance = match &place {
        Some(place) => Some(instance_for(tx, engine, &component.name, place)?),
        None => None,
    };
    if let Some(instance) = &mut instance {
        if instance.environment != component.environment {
            return Err(ProtonError::validation(format!(
                "component {} lies in environment {} and can't be attached to an instance in {}",
                component.name, component.environment, instance.environment
            )));
        }
        reserve(tx, engine, instance, &component.name)?;
    }
    // A spec that was written for another place is of no use at this one.
    let kept = component.service_spec.clone().filter(|_| stays);
    let plan = Plan {
        template_file: input.template_file.clone().unwrap_or_else(|| component.template_file.clone()),
        service_spec: input.service_spec.clone().or(kept),
        instance: instance.as_deref(),
    };
    plan.begin(tx, engine, component, Action::Update)
}

/// Where the component is to be; from one instance to another it must be detached in between.
fn next_place(component: &Component, wish: Wish) -> Result<Option<Place>, ProtonError> {
    match (wish, &component.attached_to) {
        (Wish::Keep, place) => Ok(place.clone()),
        (Wish::Detach, _) => Ok(None),
        (Wish::Attach(wanted), Some(place)) if wanted != *place => Err(ProtonError::conflict(format!(
            "component {} is attached to {}/{}: detach it first",
            component.name, place.0, place.1
        ))),
        (Wish::Attach(wanted), _) => Ok(Some(wanted)),
    }
}

/// The instance that a component is leaving, or stays at, must not be under way.
fn idle_at_present_place(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    component: &Component,
) -> Result<(), ProtonError> {
    let Some((service, name)) = component.attached_to.clone() else { return Ok(()) };
    let target = Target::ServiceInstance { service, name };
    match TargetRecord::load(tx, &engine.scope, &target)? {
        Some(record) => engine.must_be_idle(tx, &record, &target),
        None => Ok(()),
    }
}
