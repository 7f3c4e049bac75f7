//! One line of history for every change of a target's status.

use hadron_model::DeploymentStatus;
use serde_json::json;

use super::Deployments;
use crate::control_plane::operations::history::{self, DELETED};
use crate::control_plane::store::{StoreError, Transaction};
use crate::domain::Target;

impl Deployments {
    /// Appends a target's new status to its history; no status means that the target is gone.
    pub(crate) fn note_change(
        &self,
        tx: &mut dyn Transaction,
        target: &Target,
        previous: Option<DeploymentStatus>,
        status: Option<DeploymentStatus>,
    ) -> Result<(), StoreError> {
        if previous == status {
            return Ok(());
        }
        let (previous, status) =
            (previous.map(DeploymentStatus::as_str), status.map_or(DELETED, DeploymentStatus::as_str));
        let arn = target.arn(&self.scope);
        history::append(tx, &self.scope, &arn, previous, status, &detail(target), self.now)
    }
}

/// What an EventBridge event of this kind of target names.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/event-bridge.html>
fn detail(target: &Target) -> serde_json::Value {
    match target {
        Target::Environment { name } | Target::Component { name } => json!({ "name": name }),
        Target::ServiceInstance { service, name } => json!({ "name": name, "serviceName": service }),
        Target::ServicePipeline { service } => json!({ "serviceName": service }),
    }
}
