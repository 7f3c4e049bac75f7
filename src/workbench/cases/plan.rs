//! What a plan says, held against what a case expects of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::PlanRule;
use super::expect::lacks;

/// A resource of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `module.net.aws_vpc.main`.
    pub address: String,
    /// `create`, `update`, `replace`, `delete`, `read` or `no-op`.
    pub action: String,
    /// Its attributes after the apply, as far as they are known.
    pub after: Value,
}

/// What Terraform planned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanSeen {
    /// Every resource.
    pub changes: Vec<Change>,
    /// Outputs that are known before the apply.
    pub outputs: Map<String, Value>,
}

impl PlanSeen {
    /// Reads `terraform show -json` of a plan.
    ///
    /// <https://developer.hashicorp.com/terraform/internals/json-format#plan-representation>
    pub fn of(document: &Value) -> Self {
        let resources = document["resource_changes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let outputs = document["planned_values"]["outputs"].as_object().cloned().unwrap_or_default();
        Self {
            changes: resources.iter().filter_map(change).collect(),
            outputs: outputs.into_iter().filter_map(|(name, it)| Some((name, it.get("value")?.clone()))).collect(),
        }
    }

    /// How many resources are changed in this way.
    pub(super) fn count(&self, action: &str) -> u64 {
        self.changes.iter().map(|change| u64::from(change.action == action)).sum()
    }
}

fn change(resource: &Value) -> Option<Change> {
    let actions: Vec<&str> = resource["change"]["actions"].as_array()?.iter().filter_map(Value::as_str).collect();
    let action = match actions[..] {
        ["create", "delete"] | ["delete", "create"] => "replace",
        [one] => one,
        _ => return None,
    };
    Some(Change {
        address: resource["address"].as_str()?.to_owned(),
        action: action.to_owned(),
        after: resource["change"]["after"].clone(),
    })
}

impl PlanRule {
    /// What a plan misses.
    pub fn misses(&self, plan: &PlanSeen) -> Vec<String> {
        let mut misses = Vec::new();
        if let Some(fails) = &self.fails {
            misses.push(format!("Terraform made a plan, and was expected to refuse with “{fails}”"));
        }
        for (action, expected) in self.counts.iter().filter(|(action, expected)| plan.count(action) != **expected) {
            let changed = plan.changes.iter().filter(|change| change.action == *action);
            let names: Vec<&str> = changed.map(|change| change.address.as_str()).collect();
            let which = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            misses.push(format!("plan: {} to {action}, {expected} expected{which}", plan.count(action)));
        }
        misses.extend(self.addresses.iter().flat_map(|addresses| misses_in_addresses(addresses, plan)));
        for (address, rule) in &self.resources {
            let Some(change) = plan.changes.iter().find(|change| change.address == *address) else {
                misses.push(format!("plan: {address} isn't in it"));
                continue;
            };
            if let Some(action) = rule.action.as_ref().filter(|action| **action != change.action) {
                misses.push(format!("plan: {address} is to {}, {action} was expected", change.action));
            }
            let expected = Value::Object(rule.values.clone());
            misses.extend(lacks(&expected, &change.after, "").map(|why| format!("plan: {address}: {why}")));
        }
        for (name, expected) in &self.outputs {
            let miss = match plan.outputs.get(name) {
                Some(found) => lacks(expected, found, name),
                None => Some(format!("{name} isn't known before the apply, or is no output")),
            };
            misses.extend(miss.map(|why| format!("plan: output {why}")));
        }
        misses
    }

    /// What Terraform's refusal misses.
    pub fn misses_in_failure(&self, words: &str) -> Vec<String> {
        match &self.fails {
            Some(fails) if words.contains(fails.as_str()) => Vec::new(),
            Some(fails) => vec![format!("Terraform refuses, but doesn't say “{fails}”:\n{words}")],
            None => vec![format!("Terraform can't plan it:\n{words}")],
        }
    }
}

/// What is changed and wasn't expected, and the other way round.
fn misses_in_addresses(expected: &[String], plan: &PlanSeen) -> Vec<String> {
    let changed = plan.changes.iter().filter(|change| !matches!(change.action.as_str(), "no-op" | "read"));
    let changed: BTreeMap<&str, &str> =
        changed.map(|change| (change.address.as_str(), change.action.as_str())).collect();
    let missing = expected.iter().filter(|address| !changed.contains_key(address.as_str()));
    let mut misses: Vec<String> = missing.map(|address| format!("plan: {address} isn't changed")).collect();
    for (address, action) in changed.iter().filter(|(address, _)| !expected.iter().any(|it| it == **address)) {
        misses.push(format!("plan: {address} is to {action}, and wasn't expected"));
    }
    misses
}
