//! CreateComponent.

use hadron_model::{CreateComponentInput, CreateComponentOutput, Operation, Tag};

use super::attachment::{Place, Wish, instance_for};
use super::{get::by_name, plan::Plan, view};
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::tags::create_tags;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Action, Component, Progress, ServiceInstance};
use crate::control_plane::store::{ALL, Document, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// The most components of an account and region.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
const MOST: usize = 1000;

/// Creates a component and begins its first deployment.
pub(crate) async fn create_component(
    plane: &Plane,
    call: &mut Call,
    input: CreateComponentInput,
) -> Result<CreateComponentOutput, ProtonError> {
    let once = Once::new(Operation::CreateComponent, input.client_token.as_deref(), &input)?;
    let engine = Deployments::of(plane, call);
    let component = plane
        .store
        .write(move |tx| {
            let earlier = once.earlier(tx, &engine.scope, engine.now)?;
            let known = tx.get::<Component>(&engine.scope, &input.name)?;
            match (earlier, known) {
                (Some(name), Some(known)) if name == known.name => {
                    let target = Target::Component { name };
                    engine.must_not_be_leaving(tx, &TargetRecord::Component(known), &target)?;
                }
                (_, Some(known)) => {
                    return Err(ProtonError::conflict(format!("component {} exists already", known.name)));
                }
                (_, None) => {
                    create(tx, &engine, &input)?;
                    once.remember(tx, &engine.scope, &input.name, engine.now)?;
                }
            }
            Ok(view::full(&engine.scope, &*by_name(tx, &engine.scope, &input.name)?))
        })
        .await?;
    plane.work.ring();
    Ok(CreateComponentOutput { component })
}

fn create(tx: &mut dyn Transaction, engine: &Deployments, input: &CreateComponentInput) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let arn = arn_of_new(scope, format_args!("component/{}", input.name))?;
    let mut instance = match Wish::of(input.service_name.as_deref(), input.service_instance_name.as_deref())? {
        Wish::Attach(place) => Some(instance_for(tx, engine, &input.name, &place)?),
        Wish::Keep | Wish::Detach => None,
    };
    let environment = environment(input, instance.as_deref())?;
    if tx.count(scope, Component::KIND, (ALL, ""), MOST)? >= MOST {
        return Err(ProtonError::quota(format!("there are {MOST} components already")));
    }
    let component = drafted(engine, input, environment, instance.as_deref());
    tx.add(scope, &component)?;
    if let Some(instance) = &mut instance {
        reserve(tx, engine, instance, &input.name)?;
    }
    tag(tx, scope, (&arn, &component.environment), input.tags.as_deref())?;
    let plan = Plan {
        template_file: input.template_file.clone(),
        service_spec: input.service_spec.clone(),
        instance: instance.as_deref(),
    };
    plan.begin(tx, engine, &component, Action::Create)
}

/// Gives a new component its tags.
pub(super) fn tag(
    tx: &mut dyn Transaction,
    scope: &Scope,
    (arn, environment): (&str, &str),
    tags: Option<&[Tag]>,
) -> Result<(), ProtonError> {
    let environment = scope.arn(format_args!("environment/{environment}"));
    let managed = [
        ("aws:proton:account", scope.account.as_str()),
        ("aws:proton:environment", &environment),
        ("aws:proton:component", arn),
    ];
    create_tags(tx, scope, arn, tags, &managed)
}

/// The environment that the component lies in: the instance's if it is attached, else the one that is named.
fn environment(input: &CreateComponentInput, instance: Option<&ServiceInstance>) -> Result<String, ProtonError> {
    match (instance, &input.environment_name) {
        (Some(instance), None) => Ok(instance.environment.clone()),
        (Some(instance), Some(named)) if *named == instance.environment => Ok(named.clone()),
        (Some(instance), Some(named)) => Err(ProtonError::validation(format!(
            "the service instance lies in environment {}, not in {named}",
            instance.environment
        ))),
        (None, Some(named)) => Ok(named.clone()),
        (None, None) => Err(ProtonError::validation(
            "a component needs an environmentName, or a serviceName and serviceInstanceName to be attached to",
        )),
    }
}

fn drafted(
    engine: &Deployments,
    input: &CreateComponentInput,
    environment: String,
    instance: Option<&ServiceInstance>,
) -> Component {
    let place = |it: &ServiceInstance| -> Place { (it.service.clone(), it.name.clone()) };
    Component {
        name: input.name.clone(),
        environment,
        attached_to: instance.map(place),
        created_at: engine.now,
        last_modified_at: engine.now,
        description: input.description.clone(),
        manifest: input.manifest.clone(),
        template_file: input.template_file.clone(),
        service_spec: input.service_spec.clone(),
        progress: Progress::starting(engine.now),
        last_client_request_token: input.client_token.clone(),
    }
}

/// Keeps the instance's only place for this component, from before its deployment until it is detached or gone.
pub(super) fn reserve(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    instance: &mut Stored<ServiceInstance>,
    component: &str,
) -> Result<(), ProtonError> {
    instance.component = Some(component.to_owned());
    Ok(tx.save(&engine.scope, instance)?)
}
