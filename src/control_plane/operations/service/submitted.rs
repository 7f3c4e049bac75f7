//! The service's spec after its parts were deployed one by one: whoever takes it, edits it and sends it back must not undo
//! what others deployed meanwhile.

use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::{Pipeline, Service, ServiceInstance};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{Problems, ServiceSpec};

/// Takes over what an instance was deployed with. One that is new to the service makes its pipeline due.
///
/// # Errors
/// The store's.
pub(super) fn take_instance(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    key: &str,
    first: bool,
) -> Result<(), ProtonError> {
    let Some(instance) = tx.get::<ServiceInstance>(&engine.scope, key)? else { return Ok(()) };
    let Some(mut service) = tx.get::<Service>(&engine.scope, &instance.service)? else { return Ok(()) };
    let name = &instance.name;
    let merged = |text: &str| ServiceSpec::with_instance_of(text, name, &instance.spec);
    let listed = lists(&service.spec, name);
    // Whether a change under way adds it, the end of that change tells.
    if listed || service.pending_spec.is_none() {
        take(&mut service.spec, merged);
    }
    if let Some(pending) = service.pending_spec.as_mut().filter(|pending| lists(pending, name)) {
        take(pending, merged);
    }
    if (first || !listed) && !service.pending_added.contains(name) {
        service.pipeline_due = true;
        service.pipeline_before = service.pipeline_before.map(|(status, _)| (status, true));
    }
    Ok(tx.save(&engine.scope, &mut service)?)
}

/// Takes over what the pipeline was deployed with.
///
/// # Errors
/// The store's.
pub(super) fn take_pipeline(engine: &Deployments, tx: &mut dyn Transaction, service: &str) -> Result<(), ProtonError> {
    let Some(pipeline) = tx.get::<Pipeline>(&engine.scope, service)? else { return Ok(()) };
    let Some(mut service) = tx.get::<Service>(&engine.scope, service)? else { return Ok(()) };
    take(&mut service.spec, |text| ServiceSpec::with_pipeline_of(text, &pipeline.spec));
    Ok(tx.save(&engine.scope, &mut service)?)
}

fn lists(text: &str, instance: &str) -> bool {
    ServiceSpec::parse(text).is_ok_and(|spec| spec.instance(instance).is_some())
}

/// A stored spec that can't be read any more stays as it is: it must not keep a deployment from ending.
fn take(text: &mut String, merged: impl Fn(&str) -> Result<String, Problems>) {
    match merged(text) {
        Ok(merged) => *text = merged,
        Err(problems) => tracing::warn!("a service's spec can't take over what was deployed: {problems}"),
    }
}
