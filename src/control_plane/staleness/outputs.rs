//! Whether what a deployment was given has changed since: it pins the deployments whose outputs it consumed.

use crate::control_plane::records::{Component, Deployment, Environment, Output, Pipeline, Progress, ServiceInstance};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// The resources whose outputs an instance was deployed with and that have others now, as `environment/dev`.
pub(super) fn changed_since(
    tx: &mut dyn Transaction,
    scope: &Scope,
    instance: &ServiceInstance,
) -> Result<Vec<String>, StoreError> {
    let Some(deployment) = succeeded(tx, scope, &instance.progress)? else { return Ok(Vec::new()) };
    let pinned = &deployment.target_state;
    let mut changed = Vec::new();
    let environment = tx.get::<Environment>(scope, &instance.environment)?.map(|it| it.value.progress);
    if differ(tx, scope, pinned.environment_deployment_id.as_deref(), environment.as_ref())? {
        changed.push(format!("environment/{}", instance.environment));
    }
    let pipeline = tx.get::<Pipeline>(scope, &instance.service)?.map(|it| it.value.progress);
    if pinned.pipeline_deployment_id.is_some()
        && differ(tx, scope, pinned.pipeline_deployment_id.as_deref(), pipeline.as_ref())?
    {
        changed.push(format!("service/{}/pipeline", instance.service));
    }
    let place = format!("{}/{}", instance.service, instance.name);
    for component in tx.by_term::<Component>(scope, "instance", &place)? {
        let now = &component.progress;
        let current = now.last_succeeded_deployment_id.as_ref();
        let known = current.is_none_or(|id| pinned.component_deployment_ids.contains(id));
        let before = pinned.component_deployment_ids.first().map(String::as_str);
        if !known && differ(tx, scope, before, Some(now))? {
            changed.push(format!("component/{}", component.name));
        }
    }
    Ok(changed)
}

/// The deployment that made a resource what it is; it may have been deleted from the history.
fn succeeded(tx: &mut dyn Transaction, scope: &Scope, progress: &Progress) -> Result<Option<Deployment>, StoreError> {
    let Some(id) = &progress.last_succeeded_deployment_id else { return Ok(None) };
    Ok(tx.get::<Deployment>(scope, id)?.map(|stored| stored.value))
}

/// Whether a resource has other outputs than the pinned deployment of it left. A redeployment that gave the same outputs
/// changes nothing for those who consume them; one whose record is gone can't be compared, and counts as a change.
fn differ(
    tx: &mut dyn Transaction,
    scope: &Scope,
    pinned: Option<&str>,
    now: Option<&Progress>,
) -> Result<bool, StoreError> {
    let current = now.and_then(|progress| progress.last_succeeded_deployment_id.as_deref());
    if current == pinned {
        return Ok(false);
    }
    let Some(now) = now else { return Ok(false) };
    let Some(pinned) = pinned else { return Ok(!now.outputs.is_empty()) };
    Ok(match tx.get::<Deployment>(scope, pinned)? {
        Some(before) => !same(&before.outputs, &now.outputs),
        None => true,
    })
}

/// Sealed values are compared by their names alone: each sealing gives another ciphertext.
fn same(before: &[Output], now: &[Output]) -> bool {
    let shown = |outputs: &[Output]| {
        let mut shown: Vec<_> = outputs
            .iter()
            .map(|output| match output {
                Output::Plain { key, value } => (key.clone(), Some(value.clone())),
                Output::Sealed { key, .. } => (key.clone(), None),
            })
            .collect();
        shown.sort();
        shown
    };
    shown(before) == shown(now)
}
