//! What AWS Proton left: bringing it into the record, and what of it nobody may deploy before it was looked at.

mod adopt;
mod import;
mod known;
mod list;
mod plan;
mod service;
#[cfg(test)]
mod tests;

use hadron_model::Timestamp;
use hadron_model::hadron;

pub(super) use adopt::adopt_target;
pub(super) use import::import_estate;
pub(super) use list::list_quarantined;
pub(super) use plan::record_adoption_plan;

use crate::control_plane::records::{AdoptionPlan, Deployment, Imported};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// A target that was imported, with its document.
///
/// # Errors
/// `ValidationException` for an ARN of something else; `ResourceNotFoundException` for what wasn't imported.
fn imported(tx: &mut dyn Transaction, scope: &Scope, arn: &str) -> Result<Stored<Imported>, ProtonError> {
    let found = tx.get::<Imported>(scope, arn)?.filter(|found| found.deployment.is_some());
    found.ok_or_else(|| ProtonError::not_found(format!("{arn} wasn't imported")))
}

/// The ARN of a target as the record writes it.
fn arn_of(call: &Call, given: &str) -> Result<String, ProtonError> {
    super::states::target_of(call, given).map(|(_, arn)| arn)
}

/// An imported target in the model's words, and what its plan is made of.
fn shown(tx: &mut dyn Transaction, scope: &Scope, it: &Imported) -> Result<hadron::QuarantinedTarget, StoreError> {
    let id = it.deployment.clone().unwrap_or_default();
    let deployment = tx.get::<Deployment>(scope, &id)?.map(|stored| stored.value);
    let of = |member: fn(&Deployment) -> &String| deployment.as_ref().map(member).cloned().unwrap_or_default();
    Ok(hadron::QuarantinedTarget {
        target_arn: it.arn.clone(),
        imported_at: Timestamp(it.at),
        adopted_at: it.adopted.as_ref().map(|(at, _)| Timestamp(*at)),
        deployment_id: id,
        environment_name: of(|it| &it.environment),
        bundle: of(|it| &it.bundle.uri),
        inputs: of(|it| &it.inputs_uri),
        state: it.state.clone(),
        plan: it.plan.as_ref().map(shown_plan),
    })
}

fn shown_plan(plan: &AdoptionPlan) -> hadron::AdoptionPlan {
    hadron::AdoptionPlan {
        group: plan.group,
        summary: plan.summary.clone(),
        message: plan.message.clone(),
        digest: plan.digest.clone(),
        planned_at: Timestamp(plan.at),
        planned_by: plan.by.clone(),
    }
}
