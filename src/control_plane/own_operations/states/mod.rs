//! Terraform's states as operators see them: who holds a lock, what was ever written, and a way to put back what is lost.

mod adopt;
mod block;
#[cfg(test)]
mod blocked_tests;
mod describe;
mod get_version;
mod list;
mod list_versions;
mod push;
mod release_lock;
#[cfg(test)]
mod tests;
mod unblock;
mod view;

pub(super) use adopt::adopt_resources;
pub(super) use block::block_state;
pub(super) use describe::describe_state;
pub(super) use get_version::get_state_version;
pub(super) use list::list_states;
pub(super) use list_versions::list_state_versions;
pub(super) use push::push_state;
pub(super) use release_lock::release_lock;
pub(super) use unblock::unblock_state;
pub(crate) use view::{state, state_lock};

use crate::control_plane::deployments::TargetRecord;
use crate::control_plane::records::{StateLock, StateVersion};
use crate::control_plane::store::{Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// The target that an ARN names, and its ARN as the record writes it. What lies in another account or region isn't there.
///
/// # Errors
/// `ValidationException` for an ARN of something else, `ResourceNotFoundException` for one of elsewhere.
pub(crate) fn target_of(call: &Call, arn: &str) -> Result<(Target, String), ProtonError> {
    let (scope, target) = Target::parse(arn).map_err(|unknown| ProtonError::validation(unknown.to_string()))?;
    if scope != call.scope {
        return Err(ProtonError::not_found(format!("{arn} is not in this account and region")));
    }
    let arn = target.arn(&scope);
    Ok((target, arn))
}

/// The newest version of a target's state, a deletion among them.
fn newest(tx: &mut dyn Transaction, scope: &Scope, arn: &str) -> Result<Option<Stored<StateVersion>>, StoreError> {
    let select = Select { term: StateVersion::OF_TARGET, value: arn, after: None, descending: true, limit: 1 };
    Ok(tx.page(scope, &select)?.pop())
}

/// The lock of a target's state, free or not. Terraform never writes without having locked, so what has no such document
/// has no state.
fn lock(tx: &mut dyn Transaction, scope: &Scope, arn: &str) -> Result<Stored<StateLock>, ProtonError> {
    tx.get::<StateLock>(scope, arn)?.ok_or_else(|| ProtonError::not_found(format!("{arn} has no state")))
}

/// Refuses a target that neither exists nor ever had a state.
fn must_be_known(tx: &mut dyn Transaction, scope: &Scope, target: &Target, arn: &str) -> Result<(), ProtonError> {
    if tx.get::<StateLock>(scope, arn)?.is_some() || TargetRecord::load(tx, scope, target)?.is_some() {
        return Ok(());
    }
    Err(ProtonError::not_found(format!("{target} doesn't exist")))
}
