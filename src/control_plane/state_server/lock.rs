//! Taking a lock and giving it back.

use serde::Deserialize;

use super::StateError;
use super::address::Address;
use super::caller::Caller;
use super::versions::newest;
use crate::control_plane::records::{Deployment, LockHolder, StateLock};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// Terraform's description of a lock.
#[derive(Debug, Clone)]
pub(super) struct Info {
    id: String,
    text: String,
}

#[derive(Deserialize)]
struct InfoText {
    #[serde(rename = "ID", default)]
    id: String,
}

impl Info {
    /// None of an empty body, which is how `terraform force-unlock` asks.
    pub(super) fn parse(body: &[u8]) -> Result<Option<Self>, StateError> {
        if body.is_empty() {
            return Ok(None);
        }
        let InfoText { id } = serde_json::from_slice(body).map_err(StateError::NotLockInfo)?;
        if id.is_empty() {
            return Err(StateError::NoLockId);
        }
        Ok(Some(Self { id, text: String::from_utf8_lossy(body).into_owned() }))
    }
}

/// LOCK: for the current claim while the lock is free, or held by a run that is over and has been silent for `patience`
/// milliseconds; once more for the holder of the same lock.
pub(super) fn take(
    tx: &mut dyn Transaction,
    address: &Address,
    caller: &Caller,
    info: &Info,
    now: i64,
    patience: i64,
) -> Result<(), StateError> {
    if let Some(holder) = caller.holder() {
        if caller.held().is_some_and(|held| held.lock_id == info.id) {
            return Ok(());
        }
        if last_sign(tx, &address.scope, &address.arn, holder)?.is_none_or(|last| now - last < patience) {
            return Err(StateError::Held(Box::new(holder.clone())));
        }
    }
    let next = caller.as_holder(&info.id, &info.text, now)?;
    if let Some(LockHolder { lock_id, deployment, epoch, agent, .. }) = caller.holder() {
        tracing::warn!(
            target.arn = %address.arn, deployment.id = %deployment, epoch, agent = %agent,
            "the lock {lock_id} of {} passes on: its run is over and silent", address.arn
        );
    }
    Ok(set(tx, &address.scope, &address.arn, Some(next))?)
}

/// When a holder whose claim is over can last have been at work; None while its claim counts, or may count again.
///
/// A claim ends with its deployment, or when somebody else claims that. Neither proves that its Terraform has ended too:
/// it may go on under its supervisor while its agent is away. So what it writes still counts as a sign of life.
pub(super) fn last_sign(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target_arn: &str,
    holder: &LockHolder,
) -> Result<Option<i64>, StoreError> {
    let deployment = tx.get::<Deployment>(scope, &holder.deployment)?;
    let over = match &deployment {
        None => Some(holder.since),
        Some(ended) if !ended.in_flight() => Some(ended.completed_at.unwrap_or(ended.last_modified_at)),
        Some(claimed) => claimed.lease.as_ref().filter(|_| claimed.epoch > holder.epoch).map(|lease| lease.since),
    };
    let wrote = newest(tx, scope, target_arn)?
        .filter(|version| version.deployment == holder.deployment && version.epoch == holder.epoch)
        .map_or(holder.since, |version| version.at.max(holder.since));
    Ok(over.map(|over| over.max(wrote)))
}

/// UNLOCK: by the holder, by its id or by force; a free lock and one released before are no error.
pub(super) fn give_back(
    tx: &mut dyn Transaction,
    address: &Address,
    caller: &Caller,
    info: Option<&Info>,
) -> Result<(), StateError> {
    let Some(holder) = caller.holder() else { return Ok(()) };
    let id = info.map(|info| info.id.as_str());
    if caller.released(id) {
        return Ok(());
    }
    if caller.held().is_none() || id.is_some_and(|id| id != holder.lock_id) {
        return Err(StateError::Held(Box::new(holder.clone())));
    }
    if id.is_none() {
        let LockHolder { lock_id, deployment, epoch, agent, .. } = holder;
        tracing::warn!(
            target.arn = %address.arn, deployment.id = %deployment, epoch, agent = %agent,
            "the lock {lock_id} of {} is broken by force", address.arn
        );
    }
    Ok(set(tx, &address.scope, &address.arn, None)?)
}

/// Releases the lock of a target if that claim of that deployment holds it, and says whether it did: for the report of
/// a run that has ended without unlocking, and for operators who know that it has.
///
/// # Errors
/// That the record refuses.
pub fn release(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target_arn: &str,
    deployment: &str,
    epoch: i64,
) -> Result<bool, StoreError> {
    let lock = tx.get::<StateLock>(scope, target_arn)?;
    let held = lock.and_then(|lock| lock.value.holder).is_some_and(|holder| {
        let same = holder.deployment == deployment && holder.epoch == epoch;
        if same {
            tracing::warn!(target.arn = target_arn, "the lock {} of {target_arn} is released", holder.lock_id);
        }
        same
    });
    if held {
        set(tx, scope, target_arn, None)?;
    }
    Ok(held)
}

/// Hands the lock on; its present holder becomes the last one.
fn set(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target_arn: &str,
    holder: Option<LockHolder>,
) -> Result<(), StoreError> {
    let Some(mut lock) = tx.get::<StateLock>(scope, target_arn)? else {
        return tx.add(scope, &StateLock { holder, ..StateLock::free(target_arn) });
    };
    if let Some(before) = std::mem::replace(&mut lock.holder, holder) {
        lock.last = Some(before);
    }
    tx.save(scope, &mut lock)
}
