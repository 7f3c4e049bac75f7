//! The gate before an apply: an agent asks, a person decides, on one plan and no other.

use hadron_model::hadron::Decision;

use super::{Deployments, Report};
use crate::control_plane::records::{Approval, Deployment};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Caller, ProtonError};

/// A plan that people are asked about.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// SHA-256 of the plan file, in lower-case hexadecimal.
    pub(crate) digest: String,
    /// What it would do, in one line.
    pub(crate) summary: String,
}

/// What a person has decided.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    /// The run, by its deployment.
    pub(crate) deployment_id: String,
    /// The plan that the person has read.
    pub(crate) digest: String,
    /// Yes or no.
    pub(crate) decision: Decision,
    /// Why, in the person's words.
    pub(crate) comment: Option<String>,
    /// Who it is.
    pub(crate) by: Caller,
}

impl Deployments {
    /// Takes in the plan of a report that carries a live epoch; what people are told if it is a new one. A plan replaces
    /// the one before, whatever was decided on that.
    pub(super) fn ask_people(&self, deployment: &mut Deployment, report: &Report) -> Option<String> {
        let asked = report.plan.as_ref().filter(|_| report.epoch.is_some())?;
        let known = deployment.approval.as_ref().is_some_and(|approval| approval.digest == asked.digest);
        if known || deployment.status == hadron_model::DeploymentStatus::Cancelling {
            return None;
        }
        deployment.approval = Some(Approval {
            digest: asked.digest.clone(),
            summary: asked.summary.clone(),
            asked_by: report.principal.clone(),
            asked_at: self.now,
            decision: None,
            decided_by: None,
            decided_at: None,
            comment: None,
        });
        Some(format!("awaiting approval: {} (hadron approve {})", asked.summary, deployment.id))
    }

    /// Notes what a person has decided. The repeat of the same decision changes nothing.
    ///
    /// # Errors
    /// `ResourceNotFoundException`; `AccessDeniedException` for whoever works on the run; `ConflictException` if it
    /// isn't awaiting approval, has another plan by now, or was decided otherwise.
    pub(crate) fn decide(
        &self,
        tx: &mut dyn Transaction,
        decided: &Decided,
    ) -> Result<Stored<Deployment>, ProtonError> {
        let id = &decided.deployment_id;
        let deployment = tx.get::<Deployment>(&self.scope, id)?;
        let mut deployment =
            deployment.ok_or_else(|| ProtonError::not_found(format!("deployment {id} doesn't exist")))?;
        refuse_the_asker(&deployment, decided)?;
        let status = deployment.status;
        let closed = || ProtonError::conflict(format!("deployment {id} isn't awaiting approval: it is {status}"));
        let awaits = deployment.awaits().is_some();
        let approval = deployment.approval.as_mut().ok_or_else(closed)?;
        if approval.digest == decided.digest && approval.decision == Some(decided.decision) {
            return Ok(deployment);
        }
        if let Some(decision) = approval.decision {
            let by = approval.decided_by.as_deref().unwrap_or_default();
            return Err(ProtonError::conflict(format!("the plan of deployment {id} was {} by {by}", past(decision))));
        }
        if !awaits {
            return Err(closed());
        }
        if approval.digest != decided.digest {
            let (digest, summary) = (&approval.digest, &approval.summary);
            return Err(ProtonError::conflict(format!(
                "the plan of deployment {id} is another one: {digest} ({summary})"
            )));
        }
        approval.decision = Some(decided.decision);
        approval.decided_by = Some(decided.by.principal.clone());
        approval.decided_at = Some(self.now);
        approval.comment.clone_from(&decided.comment);
        let told = format!("the plan was {} by {}", past(decided.decision), decided.by.principal);
        self.go_on(tx, &mut deployment, Some(&told))?;
        Ok(deployment)
    }
}

/// Four eyes: the key that has claimed the run, and any other of the same principal, can't decide on it, whatever the
/// policies permit.
fn refuse_the_asker(deployment: &Deployment, decided: &Decided) -> Result<(), ProtonError> {
    let claimer = deployment.lease.as_ref().is_some_and(|lease| lease.access_key == decided.by.access_key);
    let asker = deployment.approval.as_ref().is_some_and(|approval| approval.asked_by == decided.by.principal);
    if !claimer && !asker {
        return Ok(());
    }
    Err(ProtonError::AccessDenied(format!(
        "{} works on deployment {}: somebody else decides on its plan",
        decided.by.principal, deployment.id
    )))
}

fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Approved => "approved",
        Decision::Rejected => "rejected",
    }
}
