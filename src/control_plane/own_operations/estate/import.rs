//! ImportEstate.

use hadron_model::hadron::{
    ImportEstateInput, ImportEstateOutput, ImportResult, ImportedComponent, ImportedEnvironment,
};

use super::known::{self, Standing, conflict, deployment_id, note, parts, standing};
use super::service::{self, Waiting};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::component::{finish_component, put_imported_component};
use crate::control_plane::operations::environment::import_environment;
use crate::control_plane::operations::templates::version::Sound;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Component, Environment, Imported, TemplateVersion};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// Registers a part of what Proton left under its original names, versions, ids and ARNs; nothing is deployed, and no event
/// is sent. All of a request is one transaction: template versions first, then environments, services, components.
///
/// What is here already stays: as UNCHANGED if it was imported as the same, else as CONFLICT. A component that is attached
/// comes in one request with its service, or after it.
pub(crate) async fn import_estate(
    plane: &Plane,
    call: &mut Call,
    input: ImportEstateInput,
) -> Result<ImportEstateOutput, ProtonError> {
    for arn in arns(&input) {
        must_be_of(&call.scope, arn)?;
    }
    let mut versions = Vec::new();
    for given in input.template_versions.iter().flatten() {
        versions.push(Sound::of(plane, given).await?);
    }
    let engine = Deployments::of(plane, call);
    let results = plane.store.write(move |tx| import(tx, &engine, &versions, &input)).await?;
    plane.work.ring();
    Ok(ImportEstateOutput { results })
}

fn import(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    versions: &[Sound],
    input: &ImportEstateInput,
) -> Result<Vec<ImportResult>, ProtonError> {
    let mut results = Vec::new();
    for version in versions {
        results.push(template_version(tx, engine, version)?);
    }
    for given in input.environments.iter().flatten() {
        results.push(environment(tx, engine, given)?);
    }
    let mut waiting = Vec::new();
    for given in input.services.iter().flatten() {
        waiting.push(service::put(tx, engine, given, &mut results)?);
    }
    let mut components = Vec::new();
    for given in input.components.iter().flatten() {
        let (result, new) = put_component(tx, engine, given)?;
        results.push(result);
        components.extend(new.map(|name| (name, given)));
    }
    // An instance is given what its component put out, and a pipeline what the instances did.
    for (name, given) in components {
        let id = deployment_id(&given.arn, given.deployment_id.as_deref());
        finish_component(tx, engine, &name, given, &id).map_err(|error| about(&given.arn, error))?;
    }
    for Waiting { service, instances, pipeline } in waiting {
        service::finish(tx, engine, &service, &instances, pipeline)?;
    }
    Ok(results)
}

fn template_version(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    version: &Sound,
) -> Result<ImportResult, ProtonError> {
    let scope = &engine.scope;
    let arn = scope.arn(version.key());
    let parts = [("bundle".to_owned(), version.contents.clone())].into();
    let there = tx.get::<TemplateVersion>(scope, &version.key())?;
    if let Some(there) = &there
        && there.bundle.as_ref().is_some_and(|bundle| bundle.digest == version.digest())
    {
        return Ok(known::unchanged(&arn));
    }
    let there =
        there.map(|it| format!("version {} of template {}, with another bundle,", it.value.version, it.template));
    if let Standing::Here(result) = standing(tx, engine, &arn, &parts, there)? {
        return Ok(result);
    }
    note(tx, engine, &arn, parts, None)?;
    version.import(tx, scope, engine.now).map_err(|error| about(&arn, error))?;
    Ok(known::imported(&arn))
}

fn environment(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    given: &ImportedEnvironment,
) -> Result<ImportResult, ProtonError> {
    let Ok((_, Target::Environment { name })) = Target::parse(&given.arn) else {
        return Err(ProtonError::validation(format!("{} is no environment's ARN", given.arn)));
    };
    let there = tx.get::<Environment>(&engine.scope, &name)?.map(|it| format!("environment {}", it.name));
    let parts = parts(given)?;
    if let Standing::Here(result) = standing(tx, engine, &given.arn, &parts, there)? {
        return Ok(result);
    }
    let id = deployment_id(&given.arn, given.deployment_id.as_deref());
    note(tx, engine, &given.arn, parts, Some((&id, given.state.as_ref())))?;
    import_environment(tx, engine, (&name, &id), given).map_err(|error| about(&given.arn, error))?;
    Ok(known::imported(&given.arn))
}

/// Puts a component into the record; its name, if it is new there.
fn put_component(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    given: &ImportedComponent,
) -> Result<(ImportResult, Option<String>), ProtonError> {
    let Ok((_, Target::Component { name })) = Target::parse(&given.arn) else {
        return Err(ProtonError::validation(format!("{} is no component's ARN", given.arn)));
    };
    let scope = &engine.scope;
    let there = tx.get::<Component>(scope, &name)?.map(|it| format!("component {}", it.name));
    let parts = parts(given)?;
    if let Standing::Here(result) = standing(tx, engine, &given.arn, &parts, there)? {
        return Ok((result, None));
    }
    let mut needed = vec![Target::Environment { name: given.environment_name.clone() }];
    if let (Some(service), Some(name)) = (&given.service_name, &given.service_instance_name) {
        needed.push(Target::ServiceInstance { service: service.clone(), name: name.clone() });
    }
    for target in needed {
        if let Some(why) = not_of_this_estate(tx, scope, &target)? {
            return Ok((conflict(&given.arn, &why), None));
        }
    }
    let id = deployment_id(&given.arn, given.deployment_id.as_deref());
    note(tx, engine, &given.arn, parts, Some((&id, given.state.as_ref())))?;
    put_imported_component(tx, engine, &name, given).map_err(|error| about(&given.arn, error))?;
    Ok((known::imported(&given.arn), Some(name)))
}

/// Why something can't be imported that belongs to this target: it must have been imported itself.
pub(super) fn not_of_this_estate(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target: &Target,
) -> Result<Option<String>, ProtonError> {
    let here = tx.get::<Imported>(scope, &target.arn(scope))?.is_some();
    Ok((!here).then(|| format!("{target}, which it belongs to, wasn't imported")))
}

/// The ARNs of a request.
fn arns(input: &ImportEstateInput) -> Vec<&String> {
    let environments = input.environments.iter().flatten().map(|it| &it.arn);
    let services = input.services.iter().flatten().flat_map(|it| {
        [&it.arn].into_iter().chain(it.instances.iter().map(|it| &it.arn)).chain(it.pipeline.iter().map(|it| &it.arn))
    });
    environments.chain(services).chain(input.components.iter().flatten().map(|it| &it.arn)).collect()
}

/// An ARN keeps its account and region, so the caller's key must be of that account and sign for that region.
fn must_be_of(own: &Scope, arn: &str) -> Result<(), ProtonError> {
    if arn.starts_with(&own.arn("")) {
        return Ok(());
    }
    Err(ProtonError::validation(format!(
        "{arn} isn't of account {} and region {}, which this request is signed for. Sign with a key of its account, for its \
         region; the account of a server's first key is the setting `account` at its first start",
        own.account, own.region
    )))
}

/// A refusal, with what it is about.
pub(super) fn about(arn: &str, error: ProtonError) -> ProtonError {
    match error {
        ProtonError::Validation(text) => ProtonError::Validation(format!("{arn}: {text}")),
        ProtonError::Conflict(text) => ProtonError::Conflict(format!("{arn}: {text}")),
        ProtonError::ResourceNotFound(text) => ProtonError::ResourceNotFound(format!("{arn}: {text}")),
        other => other,
    }
}
