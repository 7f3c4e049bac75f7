//! Components that Proton had deployed.

use hadron_model::hadron::ImportedComponent;

use super::create::{reserve, tag};
use super::plan::Plan;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::deployment::given_outputs;
use crate::control_plane::records::{Action, Component, Progress, ServiceInstance};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;

/// Puts a component into the record, at the instance that it is attached to; [`finish_component`] gives it its deployment.
///
/// # Errors
/// `ResourceNotFoundException` for an instance that isn't here, `ConflictException` for one that has another component.
pub(crate) fn put_imported_component(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    name: &str,
    given: &ImportedComponent,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let arn = arn_of_new(scope, format_args!("component/{name}"))?;
    let instance = instance(tx, engine, given)?;
    if let Some(mut instance) = instance {
        if let Some(other) = &instance.component {
            return Err(ProtonError::conflict(format!(
                "service instance {}/{} has component {other} already, so {name} can't be attached to it",
                instance.service, instance.name
            )));
        }
        reserve(tx, engine, &mut instance, name)?;
    }
    let component = Component {
        name: name.to_owned(),
        environment: given.environment_name.clone(),
        attached_to: place(given),
        created_at: engine.now,
        last_modified_at: engine.now,
        description: given.description.clone(),
        manifest: given.manifest.clone(),
        template_file: given.template_file.clone(),
        service_spec: given.service_spec.clone(),
        progress: Progress::starting(engine.now),
        last_client_request_token: None,
    };
    tx.add(scope, &component)?;
    tag(tx, scope, (&arn, &component.environment), None)
}

/// Gives a component the deployment that it had finished last.
///
/// # Errors
/// As a deployment of it would be refused.
pub(crate) fn finish_component(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    name: &str,
    given: &ImportedComponent,
    deployment_id: &str,
) -> Result<(), ProtonError> {
    let component = super::get::by_name(tx, &engine.scope, name)?;
    let instance = instance(tx, engine, given)?;
    let plan = Plan {
        template_file: given.template_file.clone(),
        service_spec: given.service_spec.clone(),
        instance: instance.as_deref(),
    };
    let deployment = plan.deployment(tx, engine, &component, Action::Create)?;
    engine.record_finished(tx, deployment, deployment_id, given_outputs(given.outputs.as_deref()))
}

fn place(given: &ImportedComponent) -> Option<(String, String)> {
    Some((given.service_name.clone()?, given.service_instance_name.clone()?))
}

fn instance(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    given: &ImportedComponent,
) -> Result<Option<Stored<ServiceInstance>>, ProtonError> {
    let Some((service, name)) = place(given) else { return Ok(None) };
    let found = tx.get::<ServiceInstance>(&engine.scope, &ServiceInstance::key_of(&service, &name))?;
    let missing = || ProtonError::not_found(format!("service instance {service}/{name} isn't here"));
    found.map(Some).ok_or_else(missing)
}
