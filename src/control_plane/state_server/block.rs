//! States that nobody may lock until an operator has decided: after a restore of a backup that may be older than what is
//! deployed, and after a run that couldn't bring the state together with what Terraform has done.

use super::address::Address;
use super::addresses::addresses;
use super::upload::Upload;
use super::versions::newest;
use crate::control_plane::records::{BlockingRun, ParkedState, StateBlock, StateLock, Suspect};
use crate::control_plane::store::{Document, StoreError, Transaction, Typed};
use crate::domain::Scope;

/// Blocks the state of a target, with the reason in words. What reads it goes on; UnblockState is the way out.
///
/// # Errors
/// That the record refuses.
pub fn block(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target_arn: &str,
    reason: &str,
    now: i64,
) -> Result<(), StoreError> {
    let serial = newest(tx, scope, target_arn)?.and_then(|version| version.value.stamp).map(|stamp| stamp.serial);
    let known = tx.get::<StateLock>(scope, target_arn)?;
    let parked = known.as_ref().and_then(|lock| lock.blocked.clone()).map(|block| block.parked).unwrap_or_default();
    let block = StateBlock { reason: reason.to_owned(), since: now, serial, by: None, suspects: Vec::new(), parked };
    set(tx, scope, target_arn, block)
}

/// What a run says of a state that it can't settle.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In words for whoever finds it blocked.
    pub(super) reason: String,
    /// Replace those of the block before.
    pub(super) suspects: Vec<Suspect>,
    /// A state that couldn't be pushed.
    pub(super) state: Option<Upload>,
}

/// Blocks the state of a target on behalf of a run. A block that is there takes the new reason and suspects, and keeps
/// what is parked: a state that came later or has a higher serial lies on top of it, and none is ever lost.
pub(super) fn block_for_run(
    tx: &mut dyn Transaction,
    address: &Address,
    by: BlockingRun,
    trouble: &Trouble,
    now: i64,
) -> Result<StateBlock, StoreError> {
    let (scope, arn) = (&address.scope, address.arn.as_str());
    let newest = newest(tx, scope, arn)?.map(|version| version.value);
    let known = tx.get::<StateLock>(scope, arn)?.and_then(|lock| lock.value.blocked);
    let (since, mut parked) = known.map_or((now, Vec::new()), |block| (block.since, block.parked));
    let new = trouble.state.as_ref().filter(|state| newest.as_ref().is_none_or(|it| it.digest != state.digest));
    if let Some(state) = new {
        park(tx, address, &mut parked, state, (&by, now))?;
    }
    let top = parked.last().map(|state| tx.blob(scope, ParkedState::KIND, &state.key())).transpose()?.flatten();
    let there = top.map(|state| addresses(&state)).unwrap_or_default();
    let mut suspects = trouble.suspects.clone();
    for suspect in &mut suspects {
        suspect.in_parked = there.contains(&suspect.address);
    }
    let block = StateBlock {
        reason: trouble.reason.clone(),
        since,
        serial: newest.and_then(|version| version.stamp).map(|stamp| stamp.serial),
        by: Some(by),
        suspects,
        parked,
    };
    set(tx, scope, arn, block.clone())?;
    Ok(block)
}

fn park(
    tx: &mut dyn Transaction,
    address: &Address,
    parked: &mut Vec<ParkedState>,
    state: &Upload,
    (by, now): (&BlockingRun, i64),
) -> Result<(), StoreError> {
    if parked.iter().any(|known| known.digest == state.digest) {
        return Ok(());
    }
    let new = ParkedState {
        target_arn: address.arn.clone(),
        stamp: state.stamp.clone(),
        size: i64::try_from(state.bytes.len()).unwrap_or(i64::MAX),
        digest: state.digest.clone(),
        at: now,
        by: by.clone(),
    };
    tx.put_blob(&address.scope, ParkedState::KIND, &new.key(), &state.bytes)?;
    tx.add(&address.scope, &new)?;
    let newer = |known: &ParkedState| known.stamp.lineage == new.stamp.lineage && known.stamp.serial > new.stamp.serial;
    let behind = parked.iter().rev().take_while(|known| newer(known)).count();
    parked.insert(parked.len() - behind, new);
    Ok(())
}

/// Lifts a block, with all that is parked in it. Nothing happens to a state that isn't blocked.
///
/// # Errors
/// That the record refuses.
pub(crate) fn lift(tx: &mut dyn Transaction, scope: &Scope, lock: &mut StateLock) -> Result<(), StoreError> {
    let Some(block) = lock.blocked.take() else { return Ok(()) };
    for state in &block.parked {
        tx.remove_blob(scope, ParkedState::KIND, &state.key())?;
        if let Some(known) = tx.get::<ParkedState>(scope, &state.key())? {
            tx.delete(scope, &known)?;
        }
    }
    Ok(())
}

fn set(tx: &mut dyn Transaction, scope: &Scope, target_arn: &str, block: StateBlock) -> Result<(), StoreError> {
    match tx.get::<StateLock>(scope, target_arn)? {
        None => tx.add(scope, &StateLock { blocked: Some(block), ..StateLock::free(target_arn) }),
        Some(mut lock) => {
            lock.value.blocked = Some(block);
            tx.save(scope, &mut lock)
        }
    }
}
