//! What the values of some resources tell of others: outputs and accounts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::inconsistent;
use crate::domain::Target;
use crate::estate::{Resource, Trouble};

/// Who was told what. Which of several deployments was the last isn't known, so the majority of the living counts.
#[derive(Default)]
pub(super) struct Witnesses<'a> {
    /// Outputs of an environment by its name.
    environments: BTreeMap<String, Vec<Statement<'a>>>,
    /// Account of an environment by its name.
    accounts: BTreeMap<String, Vec<Statement<'a>>>,
    /// Outputs of an instance by service and name.
    instances: BTreeMap<(String, String), Vec<Statement<'a>>>,
    /// Outputs of a component by its name.
    components: BTreeMap<String, Vec<Statement<'a>>>,
}

struct Statement<'a> {
    value: Value,
    by: &'a Resource,
}

impl<'a> Witnesses<'a> {
    /// Hears everything of one group.
    pub(super) fn of(resources: &[&'a Resource]) -> Self {
        let mut witnesses = Self::default();
        for &resource in resources {
            witnesses.hear_environment(&resource.values["environment"], resource);
            match &resource.target {
                Target::ServiceInstance { .. } => witnesses.hear_components(resource),
                Target::ServicePipeline { service } => witnesses.hear_pipeline(service, resource),
                _ => {}
            }
        }
        witnesses
    }

    /// The environment as services and components see it; an environment's own values have neither of the two.
    fn hear_environment(&mut self, environment: &Value, by: &'a Resource) {
        let Some(name) = environment["name"].as_str() else { return };
        if environment["outputs"].is_object() {
            let value = environment["outputs"].clone();
            self.environments.entry(name.to_owned()).or_default().push(Statement { value, by });
        }
        if environment["account_id"].as_str().is_some_and(|account| !account.is_empty()) {
            let value = environment["account_id"].clone();
            self.accounts.entry(name.to_owned()).or_default().push(Statement { value, by });
        }
    }

    fn hear_components(&mut self, by: &'a Resource) {
        let component = &by.values["service_instance"]["components"]["default"];
        if let (Some(name), true) = (component["name"].as_str(), component["outputs"].is_object()) {
            let value = component["outputs"].clone();
            self.components.entry(name.to_owned()).or_default().push(Statement { value, by });
        }
    }

    fn hear_pipeline(&mut self, service: &str, by: &'a Resource) {
        for instance in by.values["service_instances"].as_array().into_iter().flatten() {
            self.hear_environment(&instance["environment"], by);
            if let (Some(name), true) = (instance["name"].as_str(), instance["outputs"].is_object()) {
                let value = instance["outputs"].clone();
                self.instances.entry((service.into(), name.into())).or_default().push(Statement { value, by });
            }
        }
    }

    pub(super) fn environment(&self, name: &str, troubles: &mut Vec<Trouble>) -> Option<Map<String, Value>> {
        map(majority(self.environments.get(name)?, &format!("the outputs of environment {name}"), troubles))
    }

    pub(super) fn account(&self, name: &str, troubles: &mut Vec<Trouble>) -> Option<String> {
        let account = majority(self.accounts.get(name)?, &format!("the account of environment {name}"), troubles)?;
        account.as_str().map(str::to_owned)
    }

    pub(super) fn instance(
        &self,
        service: &str,
        name: &str,
        troubles: &mut Vec<Trouble>,
    ) -> Option<Map<String, Value>> {
        let told = self.instances.get(&(service.to_owned(), name.to_owned()))?;
        map(majority(told, &format!("the outputs of instance {service}/{name}"), troubles))
    }

    pub(super) fn component(&self, name: &str, troubles: &mut Vec<Trouble>) -> Option<Map<String, Value>> {
        map(majority(self.components.get(name)?, &format!("the outputs of component {name}"), troubles))
    }
}

fn map(value: Option<Value>) -> Option<Map<String, Value>> {
    if let Some(Value::Object(map)) = value { Some(map) } else { None }
}

/// What most say; of equals what says more, then what stands first. The others are told.
fn majority(statements: &[Statement<'_>], what: &str, troubles: &mut Vec<Trouble>) -> Option<Value> {
    let living = statements.iter().any(|statement| !statement.by.deleted);
    let mut votes: BTreeMap<String, Vec<&Statement<'_>>> = BTreeMap::new();
    for statement in statements.iter().filter(|statement| statement.by.deleted != living) {
        votes.entry(canonical(&statement.value)).or_default().push(statement);
    }
    let all: usize = votes.values().map(Vec::len).sum();
    let size = |value: &Value| value.as_object().map_or(0, Map::len);
    let mut ranked: Vec<Vec<&Statement<'_>>> = votes.into_values().collect();
    let rank = |votes: &Vec<&Statement<'_>>| {
        let first = votes.iter().map(|statement| &statement.by.place).min();
        (std::cmp::Reverse(votes.len()), std::cmp::Reverse(size(&votes[0].value)), first.cloned())
    };
    ranked.sort_by_key(rank);
    let taken = &ranked.first()?[0].value;
    for others in &ranked[1..] {
        let message = format!(
            "{what} are other here ({}) than most say ({} of {all}), which was taken; a new deployment brings them up to date",
            differences(&others[0].value, taken),
            ranked[0].len(),
        );
        others.iter().for_each(|statement| troubles.push(inconsistent(&statement.by.place, message.clone())));
    }
    Some(taken.clone())
}

/// The same text for equal values, whatever the order of their keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            format!("{sorted:?}")
        }
        other => other.to_string(),
    }
}

/// The names at which two sets of outputs differ, without the values, which may be secrets.
fn differences(one: &Value, other: &Value) -> String {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return format!("{one}, not {other}") };
    let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
    let differing: Vec<&str> = names.filter(|name| one.get(*name) != other.get(*name)).map(String::as_str).collect();
    let shown = differing.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    if differing.len() > 5 { format!("{shown} and {} more", differing.len() - 5) } else { shown }
}
