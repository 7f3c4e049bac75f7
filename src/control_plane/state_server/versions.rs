//! The versions of a state: each is kept, the last one counts.

use super::StateError;
use super::address::Address;
use super::caller::Caller;
use super::upload::Upload;
use crate::control_plane::records::StateVersion;
use crate::control_plane::store::{Document, Select, StoreError, Stored, Transaction, Typed};
use crate::domain::Scope;

/// The state as it is now; none before the first write and after a deletion.
pub(super) fn current(tx: &mut dyn Transaction, address: &Address) -> Result<Option<Vec<u8>>, StateError> {
    match last(tx, address)? {
        Some(version) if version.stamp.is_some() => Ok(tx.blob(&address.scope, StateVersion::KIND, &version.key())?),
        Some(_) | None => Ok(None),
    }
}

/// Adds a version if it continues the history; the version that is there already isn't added again.
///
/// The same serial with other bytes is a continuation: Terraform counts on only when it has heard that the last write
/// arrived.
pub(super) fn write(
    tx: &mut dyn Transaction,
    address: &Address,
    caller: &Caller,
    upload: &Upload,
    now: i64,
) -> Result<(), StateError> {
    let last = last(tx, address)?;
    if let Some(found) = last.as_ref().and_then(|version| version.stamp.as_ref()) {
        let given = &upload.stamp;
        if found.lineage != given.lineage {
            return Err(StateError::Lineage { found: found.lineage.clone(), given: given.lineage.clone() });
        }
        if found.serial > given.serial {
            return Err(StateError::Serial { found: found.serial, given: given.serial });
        }
    }
    if last.as_ref().is_some_and(|version| version.digest == upload.digest) {
        return Ok(());
    }
    let mut version = next(last.as_deref(), address, caller, now);
    version.stamp = Some(upload.stamp.clone());
    version.size = i64::try_from(upload.bytes.len()).unwrap_or(i64::MAX);
    version.digest.clone_from(&upload.digest);
    tx.put_blob(&address.scope, StateVersion::KIND, &version.key(), &upload.bytes)?;
    Ok(tx.add(&address.scope, &version)?)
}

/// Marks the state as gone; what was there stays readable as a version.
pub(super) fn delete(tx: &mut dyn Transaction, address: &Address, caller: &Caller, now: i64) -> Result<(), StateError> {
    let last = last(tx, address)?;
    match &last {
        Some(version) if version.stamp.is_some() => {
            Ok(tx.add(&address.scope, &next(last.as_deref(), address, caller, now))?)
        }
        Some(_) | None => Ok(()),
    }
}

/// The version behind `last`, still without a state.
fn next(last: Option<&StateVersion>, address: &Address, caller: &Caller, now: i64) -> StateVersion {
    let (deployment, epoch, agent) = caller.run();
    StateVersion {
        target_arn: address.arn.clone(),
        number: last.map_or(0, |version| version.number) + 1,
        stamp: None,
        size: 0,
        digest: String::new(),
        at: now,
        deployment,
        epoch,
        agent,
    }
}

/// The newest version, a deletion among them.
pub(super) fn last(tx: &mut dyn Transaction, address: &Address) -> Result<Option<Stored<StateVersion>>, StateError> {
    Ok(newest(tx, &address.scope, &address.arn)?)
}

/// The newest version of a target's state, a deletion among them.
pub(super) fn newest(
    tx: &mut dyn Transaction,
    scope: &Scope,
    target_arn: &str,
) -> Result<Option<Stored<StateVersion>>, StoreError> {
    let select = Select { term: StateVersion::OF_TARGET, value: target_arn, after: None, descending: true, limit: 1 };
    Ok(tx.page(scope, &select)?.pop())
}
