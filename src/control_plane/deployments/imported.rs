//! Deployments that Proton had finished, and targets that nobody may deploy yet.

use hadron_model::DeploymentStatus;

use super::{Begin, Deployments};
use crate::control_plane::records::{Imported, Output};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

impl Deployments {
    /// Writes down what Proton had deployed, as a deployment that has succeeded: a later one starts from its state, and a
    /// deletion renders its bundle with its inputs. Nothing is started, and no history tells of it.
    ///
    /// # Errors
    /// The store's, `Exists` for an id that is taken.
    pub(crate) fn record_finished(
        &self,
        tx: &mut dyn Transaction,
        begin: Begin,
        id: &str,
        outputs: Vec<Output>,
    ) -> Result<(), ProtonError> {
        let mut record = self.load(tx, &begin.target)?;
        let inputs = self.inputs_upload(&begin.inputs.document)?;
        let mut deployment = self.draft(tx, &record, &begin.target, (begin.action, begin.target_state))?;
        id.clone_into(&mut deployment.id);
        deployment.imported = true;
        deployment.status = DeploymentStatus::Succeeded;
        deployment.message = None;
        deployment.completed_at = Some(self.now);
        // Somebody's Terraform has run: what it made is to be destroyed some day.
        deployment.ever_claimed = true;
        deployment.outputs.clone_from(&outputs);
        deployment.bundle = begin.bundle;
        deployment.sealed_inputs = begin.inputs.sealed;
        deployment.inputs_uri.clone_from(&inputs.address);
        self.put_or_leave(tx, &mut deployment, begin.uploads.into_iter().chain([inputs]))?;
        tx.add(&self.scope, &deployment)?;
        self.tag(tx, &deployment)?;
        let progress = record.progress_mut();
        progress.status = DeploymentStatus::Succeeded;
        progress.last_attempted_deployment_id = Some(deployment.id.clone());
        progress.last_succeeded_deployment_id = Some(deployment.id);
        progress.last_attempted_at = self.now;
        progress.last_succeeded_at = Some(self.now);
        progress.outputs = outputs;
        Ok(record.save(tx, &self.scope)?)
    }

    /// Forgets that a resource was imported, since it is gone.
    pub(crate) fn forget_import(&self, tx: &mut dyn Transaction, arn: &str) -> Result<(), StoreError> {
        match tx.get::<Imported>(&self.scope, arn)? {
            Some(imported) => tx.delete(&self.scope, &imported),
            None => Ok(()),
        }
    }

    /// Refuses to deploy, or to delete, what was imported and nobody has adopted.
    ///
    /// # Errors
    /// `ConflictException` with the command that lifts the quarantine.
    pub(crate) fn refuse_quarantined(&self, tx: &mut dyn Transaction, target: &Target) -> Result<(), ProtonError> {
        match tx.get::<Imported>(&self.scope, &target.arn(&self.scope))? {
            Some(imported) if imported.quarantined => Err(ProtonError::conflict(format!(
                "{target} was imported and is quarantined: nothing is deployed to it until somebody has looked at its plan. \
                 See `hadron adopt --plan {}`, then adopt it with `hadron adopt`",
                target.resource()
            ))),
            _ => Ok(()),
        }
    }
}
