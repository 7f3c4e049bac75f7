//! A service of an import, with its instances and its pipeline.

use hadron_model::hadron::{ImportResult, ImportedInstance, ImportedPipeline, ImportedService};

use super::import::{about, not_of_this_estate};
use super::known::{self, Standing, conflict, deployment_id, note, parts, standing};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::service::{
    finish_instance, finish_pipeline, import_service, put_imported_instance,
};
use crate::control_plane::records::{Pipeline, Service, ServiceInstance};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// What is in the record and waits for its deployments.
pub(super) struct Waiting<'g> {
    pub(super) service: String,
    pub(super) instances: Vec<(String, &'g ImportedInstance)>,
    pub(super) pipeline: Option<&'g ImportedPipeline>,
}

/// Puts a service and its new instances into the record, and says of each of them what became of it.
pub(super) fn put<'g>(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    given: &'g ImportedService,
    results: &mut Vec<ImportResult>,
) -> Result<Waiting<'g>, ProtonError> {
    let name = given.arn.strip_prefix(&engine.scope.arn("service/")).filter(|name| !name.contains('/'));
    let name = name.ok_or_else(|| ProtonError::validation(format!("{} is no service's ARN", given.arn)))?;
    let mut waiting = Waiting { service: name.to_owned(), instances: Vec::new(), pipeline: None };
    let there = tx.get::<Service>(&engine.scope, name)?.map(|it| format!("service {}", it.name));
    let own = parts(given)?;
    match standing(tx, engine, &given.arn, &own, there)? {
        Standing::Here(result) if result.message.is_some() => {
            let members = given.instances.iter().map(|it| &it.arn).chain(given.pipeline.iter().map(|it| &it.arn));
            let why = format!("the service {name} that is here isn't the one that it belongs to");
            let refused: Vec<ImportResult> = members.map(|arn| conflict(arn, &why)).collect();
            results.push(result);
            results.extend(refused);
            return Ok(waiting);
        }
        Standing::Here(result) => results.push(result),
        Standing::New => {
            note(tx, engine, &given.arn, own, None)?;
            import_service(tx, engine, name, given).map_err(|error| about(&given.arn, error))?;
            results.push(known::imported(&given.arn));
        }
    }
    for instance in &given.instances {
        let (result, new) = put_instance(tx, engine, name, instance)?;
        results.push(result);
        waiting.instances.extend(new.map(|name| (name, instance)));
    }
    if let Some(pipeline) = &given.pipeline {
        let (result, new) = note_pipeline(tx, engine, name, pipeline)?;
        results.push(result);
        waiting.pipeline = new.then_some(pipeline);
    }
    Ok(waiting)
}

fn put_instance(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    service: &str,
    given: &ImportedInstance,
) -> Result<(ImportResult, Option<String>), ProtonError> {
    let name = match Target::parse(&given.arn) {
        Ok((_, Target::ServiceInstance { service: of, name })) if of == service => name,
        _ => return Err(ProtonError::validation(format!("{} is no instance of service {service}", given.arn))),
    };
    let there = tx.get::<ServiceInstance>(&engine.scope, &ServiceInstance::key_of(service, &name))?;
    let there = there.map(|it| format!("instance {service}/{}", it.name));
    let own = parts(given)?;
    if let Standing::Here(result) = standing(tx, engine, &given.arn, &own, there)? {
        return Ok((result, None));
    }
    let environment = Target::Environment { name: given.environment_name.clone() };
    if let Some(why) = not_of_this_estate(tx, &engine.scope, &environment)? {
        return Ok((conflict(&given.arn, &why), None));
    }
    let id = deployment_id(&given.arn, given.deployment_id.as_deref());
    note(tx, engine, &given.arn, own, Some((&id, given.state.as_ref())))?;
    put_imported_instance(tx, engine, (service, &name), given).map_err(|error| about(&given.arn, error))?;
    Ok((known::imported(&given.arn), Some(name)))
}

/// Notes a pipeline, whose document comes with its deployment; whether it is new.
fn note_pipeline(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    service: &str,
    given: &ImportedPipeline,
) -> Result<(ImportResult, bool), ProtonError> {
    if given.arn != (Target::ServicePipeline { service: service.to_owned() }).arn(&engine.scope) {
        return Err(ProtonError::validation(format!("{} is no pipeline of service {service}", given.arn)));
    }
    let there = tx.get::<Pipeline>(&engine.scope, service)?.map(|_| format!("the pipeline of service {service}"));
    let own = parts(given)?;
    if let Standing::Here(result) = standing(tx, engine, &given.arn, &own, there)? {
        return Ok((result, false));
    }
    let id = deployment_id(&given.arn, given.deployment_id.as_deref());
    note(tx, engine, &given.arn, own, Some((&id, given.state.as_ref())))?;
    Ok((known::imported(&given.arn), true))
}

/// Gives new instances, and a new pipeline, the deployments that they had finished last.
pub(super) fn finish(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    service: &str,
    instances: &[(String, &ImportedInstance)],
    pipeline: Option<&ImportedPipeline>,
) -> Result<(), ProtonError> {
    for (name, given) in instances {
        let id = deployment_id(&given.arn, given.deployment_id.as_deref());
        finish_instance(tx, engine, (service, name), given, &id).map_err(|error| about(&given.arn, error))?;
    }
    let Some(given) = pipeline else { return Ok(()) };
    let id = deployment_id(&given.arn, given.deployment_id.as_deref());
    finish_pipeline(tx, engine, service, given, &id).map_err(|error| about(&given.arn, error))
}
