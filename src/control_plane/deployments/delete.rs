//! The deletion of a target.

use super::{Deployments, Outcome, TargetRecord};
use crate::control_plane::records::{Action, Deployment};
use crate::control_plane::store::{Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// How many deployments are looked at in one go when the last one that ran is sought.
const PAGE: usize = 20;

impl Deployments {
    /// Deletes a target. Its infrastructure is destroyed by rendering the last attempt that may have reached Terraform:
    /// bundle, inputs and initial state are that attempt's, and the deployment is DELETE_IN_PROGRESS. If nothing ever
    /// ran the target is gone at once and the deployment DELETE_COMPLETE. Whether the target may be deleted at all
    /// (children, attached components) is the caller's to check before.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, or `ConflictException` while a deployment of the target is under way.
    pub(crate) fn delete(&self, tx: &mut dyn Transaction, target: &Target) -> Result<Stored<Deployment>, ProtonError> {
        let record = self.load(tx, target)?;
        self.must_be_idle(tx, &record, target)?;
        self.refuse_quarantined(tx, target)?;
        let last = self.last_run(tx, target, record.created_at())?;
        let ran = last.is_some();
        let deployment = self.deletion(tx, &record, target, last.map(|last| last.value))?;
        let mut deployment = self.start(tx, record, &deployment)?;
        if !ran {
            self.finish(tx, &mut deployment, Outcome::Succeeded, None)?;
        }
        Ok(deployment)
    }

    /// The newest deployment of a target that anyone has worked on, so that Terraform may have run.
    pub(crate) fn last_run(
        &self,
        tx: &mut dyn Transaction,
        target: &Target,
        created_at: i64,
    ) -> Result<Option<Stored<Deployment>>, StoreError> {
        let arn = target.arn(&self.scope);
        let mut after: Option<(String, String)> = None;
        loop {
            let behind = after.as_ref().map(|(sort, key)| (sort.as_str(), key.as_str()));
            let select = Select { term: "target", value: &arn, after: behind, descending: true, limit: PAGE };
            let page = tx.page::<Deployment>(&self.scope, &select)?;
            after = page.last().map(|last| (last.sort.clone(), last.id.clone()));
            let full = page.len() == PAGE;
            let mut own = page.into_iter().filter(|it| it.target_created_at == created_at);
            if let Some(ran) = own.find(|it| it.ever_claimed) {
                return Ok(Some(ran));
            }
            if !full {
                return Ok(None);
            }
        }
    }

    fn deletion(
        &self,
        tx: &mut dyn Transaction,
        record: &TargetRecord,
        target: &Target,
        last: Option<Deployment>,
    ) -> Result<Deployment, StoreError> {
        let state = last.as_ref().map_or_else(|| record.state(), |last| last.target_state.clone());
        let mut deployment = self.draft(tx, record, target, (Action::Delete, state.clone()))?;
        deployment.initial_state = Some(state);
        if let Some(last) = last {
            deployment.bundle = last.bundle;
            deployment.inputs_uri = last.inputs_uri;
            // What still waits to be published waits under the address that it was given.
            if last.unpublished.is_empty() {
                deployment.bundle.uri = self.in_todays_bucket(&deployment.bundle.uri);
                deployment.inputs_uri = self.in_todays_bucket(&deployment.inputs_uri);
            }
            deployment.sealed_inputs = last.sealed_inputs;
            deployment.unpublished = last.unpublished;
        }
        Ok(deployment)
    }
}
