//! ListDeployments: the history, or, for an agent, what is to be done.

use hadron_model::hadron::Role;
use hadron_model::{ListDeploymentsInput, ListDeploymentsOutput, Operation};

use super::{poll, view};
use crate::control_plane::deployments::{Deployments, Selection};
use crate::control_plane::operations::listing::{Listing, Page};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Component, Environment, ListedDeployment, Service, ServiceInstance};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// The deployments of what is named, newest first; with the header `x-hadron-agent` only those that this agent may
/// claim now, see [`poll`].
pub(crate) async fn list_deployments(
    plane: &Plane,
    call: &mut Call,
    input: ListDeploymentsInput,
) -> Result<ListDeploymentsOutput, ProtonError> {
    if input.service_instance_name.is_some() && input.service_name.is_none() {
        return Err(ProtonError::validation("a service instance is named without its service"));
    }
    let selection = Selection {
        environment: input.environment_name,
        service: input.service_name,
        instance: input.service_instance_name,
        component: input.component_name,
    };
    if let Some(agent) = call.header(poll::AGENT).map(str::to_owned) {
        return poll::poll(plane, call, agent, selection, input.max_results).await;
    }
    let listing = Listing::new(call, Operation::ListDeployments, &selection, input.max_results, input.next_token)?;
    let engine = Deployments::of(plane, call);
    let bound_to = if call.caller.role == Role::Agent { call.caller.environments.clone() } else { Vec::new() };
    let page = plane.store.read(move |tx| history(tx, &engine, &listing, &selection, &bound_to)).await?;
    let page = page.map(|found| view::summary(&call.scope, found.value));
    Ok(ListDeploymentsOutput { deployments: page.items, next_token: page.next_token })
}

fn history(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    listing: &Listing,
    selection: &Selection,
    bound_to: &[String],
) -> Result<Page<Stored<ListedDeployment>>, ProtonError> {
    let (term, value) = selection.term(&engine.scope);
    // A bound agent sees the history of its environments; pipelines have none of their own, and are only polled for.
    let shown = |found: &ListedDeployment| bound_to.is_empty() || bound_to.contains(&found.environment);
    let page = listing.page(tx, (term, &value), true, |found: &ListedDeployment| {
        selection.holds(&found.target, &found.environment) && shown(found)
    })?;
    if page.items.is_empty()
        && let Some(missing) = missing(tx, engine, selection)?
    {
        return Err(ProtonError::not_found(format!("{missing} doesn't exist")));
    }
    Ok(page)
}

/// Whatever is named and isn't there, nor left any deployment.
fn missing(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    selection: &Selection,
) -> Result<Option<String>, StoreError> {
    let scope = &engine.scope;
    if let Some(name) = &selection.environment
        && tx.get::<Environment>(scope, name)?.is_none()
    {
        return Ok(Some(format!("environment {name}")));
    }
    if let Some(name) = &selection.component
        && tx.get::<Component>(scope, name)?.is_none()
    {
        return Ok(Some(format!("component {name}")));
    }
    let Some(service) = &selection.service else { return Ok(None) };
    if tx.get::<Service>(scope, service)?.is_none() {
        return Ok(Some(format!("service {service}")));
    }
    let Some(instance) = &selection.instance else { return Ok(None) };
    let found = tx.get::<ServiceInstance>(scope, &ServiceInstance::key_of(service, instance))?;
    Ok(found.is_none().then(|| format!("service instance {service}/{instance}")))
}
