//! Locks of runs that are over and have been silent for long: nobody will give them back.

use std::time::Duration;

use super::lock::{last_sign, release};
use super::patience;
use crate::control_plane::Plane;
use crate::control_plane::records::{LockHolder, StateLock};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// When a lock is dead for certain, in milliseconds since the epoch: its run's claim is over, and nothing was heard of it
/// for four leases. None while its claim counts, or may count again.
///
/// # Errors
/// That the record refuses.
pub(crate) fn dies_at(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target_arn: &str,
    holder: &LockHolder,
    lease: Duration,
) -> Result<Option<i64>, StoreError> {
    Ok(last_sign(tx, scope, target_arn, holder)?.map(|last| last + patience(lease)))
}

/// Releases every lock of ours that is dead, each with an entry in the audit log; tells when the next one will be.
///
/// All holders here are runs of ours: a lock is only ever given to the claim of a deployment. A lock in a bucket is the
/// business of the agent that knows its id.
///
/// # Errors
/// That the record refuses.
pub(crate) async fn release_dead(plane: &Plane, scope: &Scope) -> Result<Option<i64>, StoreError> {
    let (within, now, lease) = (scope.clone(), plane.clock.now(), plane.settings.lease);
    let found = plane.store.read::<_, StoreError, _>(move |tx| {
        let mut dying = Vec::new();
        for lock in tx.by_term::<StateLock>(&within, StateLock::HELD, "")? {
            let Some(holder) = &lock.holder else { continue };
            if let Some(at) = dies_at(tx, &within, &lock.target_arn, holder, lease)? {
                dying.push((at, lock.target_arn.clone(), holder.clone()));
            }
        }
        Ok(dying)
    });
    let (dead, dying): (Vec<_>, Vec<_>) = found.await?.into_iter().partition(|(at, ..)| *at <= now);
    for (_, arn, holder) in dead {
        let LockHolder { lock_id, deployment, epoch, agent, .. } = &holder;
        let why = format!(
            "lock {lock_id} of run {deployment}.{epoch} of agent {agent}: its claim is over, and it has been silent for four leases"
        );
        let audited = plane.by_itself(scope, "ReleaseDeadLock", why);
        let within = scope.clone();
        let released = audited.store.write::<_, StoreError, _>(move |tx| {
            let still = tx.get::<StateLock>(&within, &arn)?.and_then(|lock| lock.value.holder);
            let dead = dies_at(tx, &within, &arn, &holder, lease)?.is_some_and(|at| at <= now);
            if dead && still.as_ref() == Some(&holder) {
                release(tx, &within, &arn, &holder.deployment, holder.epoch)?;
            }
            Ok(())
        });
        released.await?;
    }
    Ok(dying.into_iter().map(|(at, ..)| at).min())
}
