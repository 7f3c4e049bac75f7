//! What an apply came to, gathered from its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Diagnostic, Event, EventKind, OutputValue, Phase, ResourceAction};

/// The result of a successful apply or destroy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Applied {
    /// The root module's outputs, sensitive ones in clear. Empty after a destroy.
    pub outputs: BTreeMap<String, OutputValue>,
    /// The managed resources that there are now, in the order of their addresses.
    pub resources: Vec<Resource>,
    /// How many were changed.
    pub changes: Changes,
}

/// A resource that Terraform manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its address, such as `module.net.aws_subnet.public[0]`.
    pub address: String,
    /// Its type, such as `aws_subnet`.
    pub kind: String,
    /// What this run did to it: `create`, `update`, `replace`, or `noop`.
    pub action: String,
    /// The provider's identifier of it.
    pub id: Option<String>,
}

/// How many resources a run changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// Created, imports not included.
    pub add: u64,
    /// Updated in place.
    pub change: u64,
    /// Destroyed.
    pub remove: u64,
}

/// Gathers a run's events.
#[derive(Default)]
pub(super) struct Journal {
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What the plan says would change.
    pub(super) intended: Changes,
    /// Terraform's exit code, where a step has more than one good one.
    pub(super) code: i32,
    planned: BTreeMap<String, String>,
    resources: BTreeMap<String, Resource>,
    applied: Applied,
}

impl Journal {
    /// Takes note of one event.
    pub(super) fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Diagnostic(diagnostic) => self.diagnostics.push(diagnostic.clone()),
            EventKind::PlannedChange(change) => {
                self.planned.insert(change.address.clone(), change.action.clone());
            }
            EventKind::Refresh(Phase::Complete, resource) => self.keep(resource, "noop"),
            EventKind::Apply(Phase::Complete, resource) => self.changed(resource),
            EventKind::ChangeSummary { operation, changes } if operation == "plan" => self.intended = *changes,
            EventKind::ChangeSummary { changes, .. } => self.applied.changes = *changes,
            EventKind::Outputs(outputs) => self.applied.outputs.clone_from(outputs),
            _ => {}
        }
    }

    /// What it came to, once Terraform has ended well.
    pub(super) fn applied(self) -> Applied {
        Applied { resources: self.resources.into_values().collect(), ..self.applied }
    }

    fn changed(&mut self, resource: &ResourceAction) {
        let planned = self.planned.get(&resource.address).map_or(resource.action.as_str(), String::as_str).to_owned();
        match (resource.action.as_str(), planned.as_str()) {
            // A data source isn't managed. A replacement also deletes, before or after it creates; the address stays.
            ("read", _) | ("delete", "replace") => {}
            ("delete", _) => {
                self.resources.remove(&resource.address);
            }
            (_, planned) => self.keep(resource, planned),
        }
    }

    fn keep(&mut self, resource: &ResourceAction, action: &str) {
        let kept = Resource {
            address: resource.address.clone(),
            kind: resource.kind.clone(),
            action: action.to_owned(),
            id: resource.id.clone(),
        };
        self.resources.insert(kept.address.clone(), kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(stream: &str) -> Journal {
        let mut journal = Journal::default();
        stream.lines().for_each(|line| journal.note(&Event::parse(line)));
        journal
    }

    #[test]
    fn what_an_update_leaves_is_what_was_there_and_what_came_without_what_went() {
        let applied = journal(include_str!("../../tests/fixtures/terraform/1.11/update.jsonl")).applied();
        let resources: Vec<_> = applied.resources.iter().map(|r| (r.address.as_str(), r.action.as_str())).collect();
        assert_eq!(
            resources,
            [
                ("terraform_data.added[0]", "create"),
                ("terraform_data.added[1]", "create"),
                ("terraform_data.kept", "noop"),
                ("terraform_data.replaced", "replace"),
                ("terraform_data.updated", "update"),
            ]
        );
        assert!(applied.resources.iter().all(|r| r.kind == "terraform_data" && r.id.is_some()));
        assert_eq!(applied.changes, Changes { add: 3, change: 1, remove: 2 });
    }

    #[test]
    fn outputs_are_those_after_applying() {
        let applied = journal(include_str!("../../tests/fixtures/terraform/1.11/update.jsonl")).applied();
        assert_eq!(applied.outputs["plain"].value, "new");
        assert_eq!(applied.outputs["list"].value, serde_json::json!(["a", 1]));
        assert!(applied.outputs["secret"].sensitive && applied.outputs["secret"].value.is_null());
    }

    #[test]
    fn a_destroy_leaves_nothing() {
        let applied = journal(include_str!("../../tests/fixtures/terraform/1.11/destroy.jsonl")).applied();
        assert!(applied.resources.is_empty() && applied.outputs.is_empty());
        assert_eq!(applied.changes.remove, 6);
    }

    #[test]
    fn a_failure_keeps_its_diagnostics() {
        let journal = journal(include_str!("../../tests/fixtures/terraform/1.11/failed.jsonl"));
        assert_eq!(journal.diagnostics.len(), 1);
    }
}
