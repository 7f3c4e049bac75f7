//! RevokeKey.

use hadron_model::hadron::{RevokeKeyInput, RevokeKeyOutput};

use super::{by_id, must_leave_an_admin, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::AccessKey;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Ends a key for good: at once in this process, within two seconds in every other. Once more changes nothing.
pub(crate) async fn revoke_key(
    plane: &Plane,
    call: &mut Call,
    input: RevokeKeyInput,
) -> Result<RevokeKeyOutput, ProtonError> {
    let (account, now, id) = (call.scope.account.clone(), call.now, input.id.clone());
    let revoked = plane.store.write(move |tx| {
        let mut key = by_id(tx, &account, &id)?;
        if key.revoked_at.is_none() {
            must_leave_an_admin(tx, &key, now)?;
            key.revoked_at = Some(now);
            tx.save(&AccessKey::scope(), &mut key)?;
        }
        Ok::<_, ProtonError>(key.value)
    });
    let revoked = revoked.await?;
    plane.known_keys.forget(&input.id);
    Ok(RevokeKeyOutput { key: shown(&revoked) })
}
