//! ReleaseLock.

use hadron_model::hadron::{self, ReleaseLockInput, ReleaseLockOutput};

use super::view::is_alive;
use super::{lock, state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::LockHolder;
use crate::control_plane::state_server::release;
use crate::control_plane::store::Transaction;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Takes a lock from a run that is over. Whoever held it may still write as long as nobody else has locked: what its
/// Terraform did to the world must not be lost.
pub(crate) async fn release_lock(
    plane: &Plane,
    call: &mut Call,
    input: ReleaseLockInput,
) -> Result<ReleaseLockOutput, ProtonError> {
    let (_, arn) = target_of(call, &input.target_arn)?;
    let (engine, lock_id) = (Deployments::of(plane, call), input.lock_id);
    let state = plane.store.write(move |tx| unlock(tx, &engine, &arn, &lock_id)).await?;
    Ok(ReleaseLockOutput { state })
}

fn unlock(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    arn: &str,
    lock_id: &str,
) -> Result<hadron::State, ProtonError> {
    let scope = &engine.scope;
    let found = lock(tx, scope, arn)?;
    match &found.holder {
        Some(holder) if holder.lock_id == lock_id => {
            must_be_over(tx, scope, holder, engine.now)?;
            release(tx, scope, arn, &holder.deployment, holder.epoch)?;
        }
        Some(holder) => {
            let words = format!("the state of {arn} is locked by {}, not by {lock_id}", holder.lock_id);
            return Err(ProtonError::conflict(words));
        }
        // The repeat of a release whose answer was lost.
        None if found.last.as_ref().is_some_and(|last| last.lock_id == lock_id) => {}
        None => return Err(ProtonError::conflict(format!("the state of {arn} isn't locked"))),
    }
    let free = lock(tx, scope, arn)?;
    Ok(state(tx, engine, &free)?)
}

fn must_be_over(tx: &mut dyn Transaction, scope: &Scope, holder: &LockHolder, now: i64) -> Result<(), ProtonError> {
    if !is_alive(tx, scope, holder, now)? {
        return Ok(());
    }
    let LockHolder { lock_id, deployment, epoch, agent, .. } = holder;
    Err(ProtonError::conflict(format!(
        "lock {lock_id} belongs to a run that is alive: deployment {deployment} epoch {epoch} of agent {agent}; wait for \
         it, or cancel it"
    )))
}
