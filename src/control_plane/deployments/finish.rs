//! The end of a deployment, and what its target shows then.

use hadron_model::DeploymentStatus;

use super::{Deployments, TargetRecord};
use crate::control_plane::operations::{service, tags::remove_tags};
use crate::control_plane::records::{Action, Component, Deployment, Progress, ServiceInstance};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{Target, advance};

/// How a deployment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it was to do.
    Succeeded,
    /// It didn't; while CANCELLING this ends as CANCELLED.
    Failed,
    /// It was called off before anyone worked on it, or after whoever did fell silent.
    Cancelled,
}

impl Deployments {
    /// Ends a deployment and brings its target up to date, all in this transaction:
    ///
    /// - succeeded: the target takes the deployment's target state and outputs; a deleted target is gone, with its tags,
    ///   its state key and, for a component, its place at an instance;
    /// - failed or cancelled: the target keeps what it shows; one that never succeeded shows what was tried;
    /// - then whatever waits for this target goes on: see [`service::after_instance_finished`] and
    ///   [`service::after_pipeline_finished`].
    ///
    /// # Errors
    /// `ConflictException` if the deployment has ended already.
    pub(crate) fn finish(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Stored<Deployment>,
        outcome: Outcome,
        message: Option<String>,
    ) -> Result<(), ProtonError> {
        let status = advance(deployment.status, ending(deployment, outcome))
            .map_err(|illegal| ProtonError::conflict(illegal.to_string()))?;
        deployment.status = status;
        // What was told under way isn't true any more; without better words it is all there is about a failure.
        deployment.message = match outcome {
            Outcome::Succeeded => message,
            Outcome::Failed | Outcome::Cancelled => message.or(deployment.message.take()),
        };
        deployment.completed_at = Some(self.now);
        deployment.last_modified_at = self.now;
        deployment.lease = None;
        deployment.offer = None;
        tx.save(&self.scope, deployment)?;
        self.settle_target(tx, deployment)?;
        match deployment.target {
            Target::ServiceInstance { .. } => service::after_instance_finished(self, tx, deployment),
            Target::ServicePipeline { .. } => service::after_pipeline_finished(self, tx, deployment),
            Target::Environment { .. } | Target::Component { .. } => Ok(()),
        }
    }

    /// Brings the target up to date, unless it is gone or has moved on to another deployment.
    fn settle_target(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<(), ProtonError> {
        let Some(mut record) = TargetRecord::load(tx, &self.scope, &deployment.target)? else { return Ok(()) };
        if record.progress().last_attempted_deployment_id.as_ref() != Some(&deployment.id) {
            return Ok(());
        }
        let previous = record.progress().status;
        if deployment.status == DeploymentStatus::DeleteComplete {
            self.remove_target(tx, &record, deployment)?;
            return Ok(self.note_change(tx, &deployment.target, Some(previous), None)?);
        }
        self.settle_attachment(tx, deployment)?;
        if shows_new(deployment, record.progress()) {
            record.take(&deployment.target_state);
        }
        let progress = record.progress_mut();
        progress.status = deployment.status;
        progress.message.clone_from(&deployment.message);
        if deployment.status == DeploymentStatus::Succeeded {
            progress.outputs.clone_from(&deployment.outputs);
            progress.last_succeeded_at = Some(self.now);
            progress.last_succeeded_deployment_id = Some(deployment.id.clone());
        }
        record.save(tx, &self.scope)?;
        Ok(self.note_change(tx, &deployment.target, Some(previous), Some(deployment.status))?)
    }

    fn remove_target(
        &self,
        tx: &mut dyn Transaction,
        record: &TargetRecord,
        deployment: &Deployment,
    ) -> Result<(), ProtonError> {
        if let TargetRecord::Component(component) = record {
            self.vacate(tx, component.attached_to.as_ref(), &component.name)?;
        }
        record.remove(tx, &self.scope)?;
        remove_tags(tx, &self.scope, &deployment.target_arn)?;
        self.forget_import(tx, &deployment.target_arn)?;
        Ok(self.release_state_key(tx, &deployment.target_arn)?)
    }

    /// An instance keeps a place for a component from the moment it is to be attached; what isn't attached after all
    /// gives the place back, and what has moved leaves its old one.
    fn settle_attachment(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<(), ProtonError> {
        let Target::Component { name } = &deployment.target else { return Ok(()) };
        let Some(component) = tx.get::<Component>(&self.scope, name)? else { return Ok(()) };
        let (new, old) = (&deployment.target_state.attached_to, &component.attached_to);
        let (kept, left) = if shows_new(deployment, &component.progress) { (new, old) } else { (old, new) };
        if kept == left { Ok(()) } else { self.vacate(tx, left.as_ref(), name) }
    }

    /// Empties a component's place at an instance.
    fn vacate(
        &self,
        tx: &mut dyn Transaction,
        place: Option<&(String, String)>,
        component: &str,
    ) -> Result<(), ProtonError> {
        let Some((service, instance)) = place else { return Ok(()) };
        let key = ServiceInstance::key_of(service, instance);
        if let Some(mut instance) = tx.get::<ServiceInstance>(&self.scope, &key)?
            && instance.component.as_deref() == Some(component)
        {
            instance.component = None;
            tx.save(&self.scope, &mut instance)?;
        }
        Ok(())
    }
}

/// Whether the target shows the deployment's state from now on: it succeeded, or nothing ever did and this is the last
/// that was tried.
fn shows_new(deployment: &Deployment, progress: &Progress) -> bool {
    match deployment.status {
        DeploymentStatus::Succeeded => true,
        DeploymentStatus::Failed => progress.last_succeeded_at.is_none(),
        _ => false,
    }
}

/// The status that an outcome means for this deployment.
fn ending(deployment: &Deployment, outcome: Outcome) -> DeploymentStatus {
    use DeploymentStatus as S;
    match (deployment.action, outcome) {
        (Action::Delete, Outcome::Succeeded) => S::DeleteComplete,
        (Action::Delete, Outcome::Failed | Outcome::Cancelled) => S::DeleteFailed,
        (_, Outcome::Succeeded) => S::Succeeded,
        (_, Outcome::Failed) if deployment.status == S::Cancelling => S::Cancelled,
        (_, Outcome::Failed) => S::Failed,
        (_, Outcome::Cancelled) => S::Cancelled,
    }
}
