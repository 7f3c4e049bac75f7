//! CreateKey.

use hadron_model::hadron::{CreateKeyInput, CreateKeyOutput};

use super::{of_account, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AccessKey;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::support::credential;

/// How many active keys an account may have.
const MOST: usize = 1000;

/// Makes a key and gives its secret, this once. The name is the principal's, which policies and the audit log tell people
/// apart by, so no two active keys share one.
pub(crate) async fn create_key(
    plane: &Plane,
    call: &mut Call,
    input: CreateKeyInput,
) -> Result<CreateKeyOutput, ProtonError> {
    if input.expires_at.is_some_and(|end| end.0 <= call.now) {
        return Err(ProtonError::validation("expiresAt lies in the past"));
    }
    let (id, secret) = credential::new_key();
    let mut key = AccessKey::new(&id, secret, &call.scope.account, &input.name, input.role, call.now);
    key.groups = distinct(input.groups);
    key.environments = distinct(input.environments);
    key.expires_at = input.expires_at.map(|end| end.0);
    let (made, now) = (key.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            must_be_new(tx, &made, now)?;
            Ok::<_, ProtonError>(tx.add(&AccessKey::scope(), &made)?)
        })
        .await?;
    Ok(CreateKeyOutput { key: shown(&key), secret: key.secret.reveal().to_owned() })
}

fn must_be_new(tx: &mut dyn Transaction, made: &AccessKey, now: i64) -> Result<(), ProtonError> {
    let keys = of_account(tx, &made.account)?;
    let active: Vec<_> = keys.iter().filter(|key| key.is_active(now)).collect();
    if let Some(same) = active.iter().find(|key| key.name == made.name) {
        let words = format!("an active access key is called {} already: {}; rotate or revoke it", made.name, same.id);
        return Err(ProtonError::conflict(words));
    }
    if active.len() >= MOST {
        return Err(ProtonError::quota(format!("an account can have {MOST} active access keys; revoke some first")));
    }
    Ok(())
}

/// The names in their order, each once.
fn distinct(names: Option<Vec<String>>) -> Vec<String> {
    let mut seen = Vec::new();
    for name in names.unwrap_or_default() {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
