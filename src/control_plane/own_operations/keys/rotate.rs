//! RotateKey.

use hadron_model::hadron::{RotateKeyInput, RotateKeyOutput};

use super::{by_id, must_leave_an_admin, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AccessKey;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::support::{Secret, credential};

/// How long the old key goes on when nobody says, in seconds: enough to bring the new one to where it is used.
const GRACE: i64 = 3600;

/// Makes a new pair with the same name, role, bindings and end; the old one expires after the grace.
pub(crate) async fn rotate_key(
    plane: &Plane,
    call: &mut Call,
    input: RotateKeyInput,
) -> Result<RotateKeyOutput, ProtonError> {
    let (account, now) = (call.scope.account.clone(), call.now);
    let ends = now + input.grace_seconds.unwrap_or(GRACE) * 1000;
    let (pair, old) = (credential::new_key(), input.id.clone());
    let made = plane.store.write(move |tx| rotate(tx, (&account, &old), &pair, now, ends)).await?;
    plane.known_keys.forget(&input.id);
    Ok(RotateKeyOutput { key: shown(&made), secret: made.secret.reveal().to_owned() })
}

fn rotate(
    tx: &mut dyn Transaction,
    (account, old): (&str, &str),
    (id, secret): &(String, Secret),
    now: i64,
    ends: i64,
) -> Result<AccessKey, ProtonError> {
    let mut old = by_id(tx, account, old)?;
    if let Some(next) = &old.replaced_by {
        return Err(ProtonError::conflict(format!("access key {} was rotated already, to {next}", old.id)));
    }
    if !old.is_active(now) {
        return Err(ProtonError::conflict(format!("access key {} is revoked or has expired", old.id)));
    }
    if ends <= now {
        // The new secret is told once: an answer that is lost must not lock everyone out.
        must_leave_an_admin(tx, &old, now)?;
    }
    let made = AccessKey { id: id.clone(), secret: secret.clone(), created_at: now, ..old.value.clone() };
    tx.add(&AccessKey::scope(), &made)?;
    old.expires_at = Some(old.expires_at.map_or(ends, |end| end.min(ends)));
    old.replaced_by = Some(id.clone());
    tx.save(&AccessKey::scope(), &mut old)?;
    Ok(made)
}
