//! What directories say of each other, and whether the other one is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::text::some;
use crate::domain::{Scope, Target};
use crate::estate::{Estate, Resource, Trouble, TroubleKind};

/// Adds a trouble for everything that refers to what isn't there.
pub(super) fn check(estate: &mut Estate) {
    let known: BTreeMap<(&Scope, &Target), &Resource> =
        estate.resources.iter().map(|resource| ((&resource.scope, &resource.target), resource)).collect();
    let live = estate.resources.iter().filter(|resource| !resource.deleted);
    let troubles: Vec<Trouble> = live.flat_map(|resource| of(resource, &known)).collect();
    estate.troubles.extend(troubles);
}

type Known<'a> = BTreeMap<(&'a Scope, &'a Target), &'a Resource>;

fn of(resource: &Resource, known: &Known<'_>) -> Vec<Trouble> {
    match &resource.target {
        Target::Environment { .. } => Vec::new(),
        Target::ServiceInstance { .. } => surroundings(resource, known).into_iter().collect(),
        Target::Component { .. } => {
            surroundings(resource, known).into_iter().chain(attachment(resource, known)).collect()
        }
        Target::ServicePipeline { service } => pipeline(resource, service, known).into_iter().collect(),
    }
}

fn surroundings(resource: &Resource, known: &Known<'_>) -> Option<Trouble> {
    let name = resource.environment.clone()?;
    let message = match known.get(&(&resource.scope, &Target::Environment { name: name.clone() })) {
        Some(environment) if !environment.deleted => return None,
        Some(_) => {
            format!("lives in environment {name}, which is deleted: restore the environment, or delete this one too")
        }
        None => format!("its environment {name} was not found: name the repository that holds it as well"),
    };
    Some(resource.trouble(TroubleKind::Inconsistent, message))
}

fn attachment(resource: &Resource, known: &Known<'_>) -> Option<Trouble> {
    let facts = resource.component.as_ref()?;
    let (service, name) = (facts.service.clone()?, facts.instance.clone()?);
    let target = Target::ServiceInstance { service, name };
    let instance = known.get(&(&resource.scope, &target)).filter(|instance| !instance.deleted);
    let message = format!(
        "is attached to {target}, which was not found alive; it is taken as detached: name the repository that holds the instance as well, if it lives"
    );
    instance.is_none().then(|| resource.trouble(TroubleKind::Inconsistent, message))
}

/// The instances that a pipeline deploys to, by its values.
fn pipeline(resource: &Resource, service: &str, known: &Known<'_>) -> Option<Trouble> {
    let listed = resource.values["service_instances"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |instance: &Value| instance["name"].as_str().map(str::to_owned);
    let missing: BTreeSet<String> = listed
        .iter()
        .filter_map(name)
        .filter(|name| {
            let target = Target::ServiceInstance { service: service.to_owned(), name: name.clone() };
            !known.contains_key(&(&resource.scope, &target))
        })
        .collect();
    if missing.is_empty() {
        return None;
    }
    let some_of_them = some(&missing.into_iter().collect::<Vec<_>>());
    let message = format!(
        "deploys to instances of which no directory was found: {some_of_them}; name the repository of their environment as well"
    );
    Some(resource.trouble(TroubleKind::Note, message))
}
