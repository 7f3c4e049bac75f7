//! Counts how deployments end, where their targets' histories are written.

use crate::control_plane::store::{Layer, StatusChange, StoreError, Transaction, pass_on};
use crate::domain::{Scope, Target};
use crate::support::metrics::IntCounterVec;

/// What is shown as 0 before it happens.
pub(super) const EXPECTED: [(&str, &str); 8] = [
    ("environment", "succeeded"),
    ("environment", "failed"),
    ("service_instance", "succeeded"),
    ("service_instance", "failed"),
    ("service_pipeline", "succeeded"),
    ("service_pipeline", "failed"),
    ("component", "succeeded"),
    ("component", "failed"),
];

/// A layer that counts ends once their transaction is about to commit.
#[derive(Debug, Clone)]
pub(crate) struct Ends(pub(super) IntCounterVec);

impl Layer for Ends {
    fn around(
        &self,
        tx: &mut dyn Transaction,
        work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
    ) -> Result<bool, StoreError> {
        let mut seen = Seen { tx, ends: Vec::new() };
        let commit = work(&mut seen);
        for (target, status) in seen.ends.iter().filter(|_| commit) {
            self.0.with_label_values(&[*target, *status]).inc();
        }
        Ok(commit)
    }
}

struct Seen<'t> {
    tx: &'t mut dyn Transaction,
    ends: Vec<(&'static str, &'static str)>,
}

impl Transaction for Seen<'_> {
    pass_on!(fetch insert update remove select count scopes changes put_blob blob remove_blob);

    fn append_change(&mut self, scope: &Scope, change: &StatusChange) -> Result<i64, StoreError> {
        if let (Ok((_, target)), Some(status)) = (Target::parse(&change.arn), ending(change)) {
            self.ends.push((target.kind(), status));
        }
        self.tx.append_change(scope, change)
    }
}

/// How a change ends a deployment, if it does.
fn ending(change: &StatusChange) -> Option<&'static str> {
    match change.status.as_str() {
        "SUCCEEDED" => Some("succeeded"),
        "FAILED" => Some("failed"),
        "CANCELLED" => Some("cancelled"),
        "DELETE_FAILED" => Some("delete_failed"),
        // A target that is gone has a history that says so.
        "DELETED" => Some("deleted"),
        _ => None,
    }
}
