//! RecordAdoptionPlan.

use hadron_model::hadron::{RecordAdoptionPlanInput, RecordAdoptionPlanOutput};
use sha2::{Digest, Sha256};

use super::{arn_of, imported, shown_plan};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{AdoptionPlan, Deployment, Imported};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Keeps what a read-only plan of a quarantined target came to, with a digest of what was planned: adoption insists on it.
pub(crate) async fn record_adoption_plan(
    plane: &Plane,
    call: &mut Call,
    input: RecordAdoptionPlanInput,
) -> Result<RecordAdoptionPlanOutput, ProtonError> {
    let arn = arn_of(call, &input.target_arn)?;
    let (scope, now, by) = (call.scope.clone(), call.now, call.caller.principal.clone());
    let plan = plane.store.write(move |tx| {
        let mut found = imported(tx, &scope, &arn)?;
        if !found.quarantined {
            return Err(ProtonError::conflict(format!("{arn} was adopted already")));
        }
        if found.deployment.as_ref() != Some(&input.deployment_id) {
            return Err(ProtonError::conflict(format!("deployment {} is not that of {arn}", input.deployment_id)));
        }
        let digest = digest(tx, &scope, &found, input.state_digest.as_deref())?;
        let plan = AdoptionPlan {
            group: input.group,
            summary: input.summary.clone(),
            message: input.message.clone().filter(|text| !text.is_empty()),
            digest,
            at: now,
            by: by.clone(),
        };
        found.plan = Some(plan.clone());
        tx.save(&scope, &mut found)?;
        Ok(plan)
    });
    Ok(RecordAdoptionPlanOutput { plan: shown_plan(&plan.await?) })
}

/// SHA-256 over what a plan depends on that the record and the state's place know: the deployment with its bundle and its
/// inputs, where the state lies, and its bytes.
pub(super) fn digest(
    tx: &mut dyn Transaction,
    scope: &Scope,
    imported: &Imported,
    state_digest: Option<&str>,
) -> Result<String, StoreError> {
    let id = imported.deployment.as_deref().unwrap_or_default();
    let deployment = tx.get::<Deployment>(scope, id)?.map(|stored| stored.value);
    let (bundle, inputs) = deployment.map(|it| (it.bundle.digest, it.inputs_uri)).unwrap_or_default();
    let place = imported.state.as_ref().map(Imported::address).unwrap_or_default();
    let parts = [id, &bundle, &inputs, &place, state_digest.unwrap_or_default()];
    Ok(hex::encode(Sha256::digest(parts.join("\n"))))
}
