//! AdoptTarget.

use hadron_model::hadron::{AdoptTargetInput, AdoptTargetOutput, AdoptionGroup};

use super::plan::digest;
use super::{arn_of, imported, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AdoptionPlan;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Lets an imported target be deployed from now on. What was planned must be what is there: the same deployment, bundle and
/// inputs, and a state with the same bytes. A target whose plan replaces or destroys is adopted only by whoever says so.
pub(crate) async fn adopt_target(
    plane: &Plane,
    call: &mut Call,
    input: AdoptTargetInput,
) -> Result<AdoptTargetOutput, ProtonError> {
    let arn = arn_of(call, &input.target_arn)?;
    let (scope, now, by) = (call.scope.clone(), call.now, call.caller.principal.clone());
    let target = plane.store.write(move |tx| {
        let mut found = imported(tx, &scope, &arn)?;
        // Of a target that was adopted this is the repeat of an answer that was lost.
        if found.quarantined {
            let plan = found.plan.as_ref();
            let plan = plan.ok_or_else(|| refused(&arn, "nobody has planned it yet"))?;
            may_adopt(&arn, plan, &input)?;
            if digest(tx, &scope, &found, input.state_digest.as_deref())? != plan.digest {
                return Err(refused(&arn, "its state, or what would be deployed, has changed since it was planned"));
            }
            found.quarantined = false;
            found.adopted = Some((now, by.clone()));
            tx.save(&scope, &mut found)?;
        }
        Ok(shown(tx, &scope, &found)?)
    });
    Ok(AdoptTargetOutput { target: target.await? })
}

fn may_adopt(arn: &str, plan: &AdoptionPlan, input: &AdoptTargetInput) -> Result<(), ProtonError> {
    if plan.digest != input.plan_digest {
        return Err(refused(arn, "it was planned anew meanwhile"));
    }
    match plan.group {
        AdoptionGroup::Error => Err(refused(arn, "it can't be planned")),
        AdoptionGroup::ReplaceOrDestroy if !input.replaces.unwrap_or_default() => Err(ProtonError::conflict(format!(
            "{arn} can't be adopted with others: its plan replaces or destroys ({}). Name it: hadron adopt {arn} \
             --yes-replaces",
            plan.summary
        ))),
        _ => Ok(()),
    }
}

fn refused(arn: &str, why: &str) -> ProtonError {
    ProtonError::conflict(format!("{arn} can't be adopted: {why}. Run `hadron adopt --plan {arn}`"))
}
