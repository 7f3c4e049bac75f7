//! States that nobody may lock or write until an operator has looked: after a restore of a backup that may be older than
//! what is deployed.

use super::versions::newest;
use crate::control_plane::records::{StateBlock, StateLock};
use crate::control_plane::store::{StoreError, Transaction, Typed};
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
    let blocked = Some(StateBlock { reason: reason.to_owned(), since: now, serial });
    match tx.get::<StateLock>(scope, target_arn)? {
        None => tx.add(scope, &StateLock { target_arn: target_arn.to_owned(), holder: None, last: None, blocked }),
        Some(mut lock) => {
            lock.value.blocked = blocked;
            tx.save(scope, &mut lock)
        }
    }
}
