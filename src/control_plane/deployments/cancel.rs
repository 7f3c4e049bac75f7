//! The cancelling of a deployment.

use hadron_model::DeploymentStatus;

use super::{Deployments, Outcome, TargetRecord};
use crate::control_plane::records::Deployment;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{Target, advance};

/// AWS's own words for it.
const CALLED_OFF: &str = "User initiated cancellation.";

/// What a record that is reverted doesn't tell by itself.
const HALF_CHANGED: &str = "Only the record is back at its earlier state: an agent had begun, so the infrastructure may \
    be half changed. Deploy again (deployment type CURRENT_VERSION) to put it right.";

impl Deployments {
    /// Calls off the deployment of a target. While an agent holds it, it is CANCELLING until that agent reports: a
    /// failure then ends as CANCELLED, a success wins. Without a live lease it is CANCELLED at once. The repeat of a
    /// cancel changes nothing. Gives the target as it is then, or was last.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, or `ConflictException` if there is nothing that can be called off.
    pub(crate) fn cancel(&self, tx: &mut dyn Transaction, target: &Target) -> Result<TargetRecord, ProtonError> {
        let mut record = self.load(tx, target)?;
        let refusal = || {
            let status = record.progress().status;
            ProtonError::conflict(format!("{target} is {status}: it has no deployment under way that can be cancelled"))
        };
        if !matches!(record.progress().status, DeploymentStatus::InProgress | DeploymentStatus::Cancelling) {
            return Err(refusal());
        }
        let id = record.progress().last_attempted_deployment_id.clone().unwrap_or_default();
        // A pipeline that waits for its instances shows IN_PROGRESS, and its last deployment has ended.
        let under_way = tx.get::<Deployment>(&self.scope, &id)?.filter(|it| it.in_flight());
        let mut deployment = under_way.ok_or_else(refusal)?;
        if deployment.live_lease(self.now).is_some() {
            self.ask_to_stop(tx, &mut deployment)?;
        } else {
            self.call_off(tx, &mut deployment)?;
        }
        // What was to be new, and never ran, may be gone now.
        record.progress_mut().status = deployment.status;
        record.progress_mut().message.clone_from(&deployment.message);
        Ok(TargetRecord::load(tx, &self.scope, target)?.unwrap_or(record))
    }

    /// Ends a deployment that nobody works on as CANCELLED.
    pub(super) fn call_off(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Stored<Deployment>,
    ) -> Result<(), ProtonError> {
        let ran = deployment.ever_claimed;
        let message = if ran { format!("{CALLED_OFF} {HALF_CHANGED}") } else { CALLED_OFF.to_owned() };
        self.finish(tx, deployment, Outcome::Cancelled, Some(message))
    }

    fn ask_to_stop(&self, tx: &mut dyn Transaction, deployment: &mut Stored<Deployment>) -> Result<(), ProtonError> {
        let previous = deployment.status;
        deployment.status = advance(previous, DeploymentStatus::Cancelling)
            .map_err(|illegal| ProtonError::conflict(illegal.to_string()))?;
        deployment.message = Some(CALLED_OFF.into());
        deployment.last_modified_at = self.now;
        tx.save(&self.scope, deployment)?;
        let Some(mut record) = TargetRecord::load(tx, &self.scope, &deployment.target)? else { return Ok(()) };
        record.progress_mut().status = deployment.status;
        record.progress_mut().message.clone_from(&deployment.message);
        record.save(tx, &self.scope)?;
        Ok(self.note_change(tx, &deployment.target, Some(previous), Some(deployment.status))?)
    }
}
