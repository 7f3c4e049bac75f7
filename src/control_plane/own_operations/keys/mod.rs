//! Access keys: who may sign requests. Every operation here sees and changes keys of the caller's own account only.

mod create;
mod list;
mod revoke;
mod rotate;
#[cfg(test)]
mod tests;

use hadron_model::Timestamp;
use hadron_model::hadron::{self, Role};

pub(super) use create::create_key;
pub(super) use list::list_keys;
pub(super) use revoke::revoke_key;
pub(super) use rotate::rotate_key;

use crate::control_plane::records::AccessKey;
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;

/// A key as everyone may see it: without its secret.
fn shown(key: &AccessKey) -> hadron::AccessKey {
    let names = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
    hadron::AccessKey {
        id: key.id.clone(),
        name: key.name.clone(),
        role: key.role,
        account: key.account.clone(),
        groups: names(&key.groups),
        environments: names(&key.environments),
        created_at: Timestamp(key.created_at),
        expires_at: key.expires_at.map(Timestamp),
        revoked_at: key.revoked_at.map(Timestamp),
        last_used_at: None,
        replaced_by: key.replaced_by.clone(),
    }
}

/// All keys of an account.
fn of_account(tx: &mut dyn Transaction, account: &str) -> Result<Vec<Stored<AccessKey>>, StoreError> {
    let mut keys = tx.all::<AccessKey>(&AccessKey::scope())?;
    keys.retain(|key| key.account == account);
    Ok(keys)
}

/// A key of an account by its id; another account's isn't there.
fn by_id(tx: &mut dyn Transaction, account: &str, id: &str) -> Result<Stored<AccessKey>, ProtonError> {
    let key = tx.get::<AccessKey>(&AccessKey::scope(), id)?.filter(|key| key.account == account);
    key.ok_or_else(|| ProtonError::not_found(format!("access key {id} doesn't exist")))
}

/// Refuses to take away the last key that can make others: nobody could let anyone in any more. An admin's key counts as
/// another one if it is bound to no environment and isn't on its way out after a rotation.
fn must_leave_an_admin(tx: &mut dyn Transaction, leaving: &AccessKey, now: i64) -> Result<(), ProtonError> {
    if leaving.role != Role::Admin || !leaving.is_active(now) {
        return Ok(());
    }
    let stays = |key: &Stored<AccessKey>| {
        let lasts = key.is_active(now) && key.replaced_by.is_none();
        key.id != leaving.id && key.role == Role::Admin && lasts && key.environments.is_empty()
    };
    if of_account(tx, &leaving.account)?.iter().any(stays) {
        return Ok(());
    }
    Err(ProtonError::conflict(format!(
        "access key {} is the last active key of role admin in account {}: create another first",
        leaving.id, leaving.account
    )))
}
