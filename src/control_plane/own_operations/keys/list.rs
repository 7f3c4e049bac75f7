//! ListKeys.

use hadron_model::hadron::{ListKeysInput, ListKeysOutput, Operation};

use super::{of_account, shown};
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// The account's keys, oldest first, those that are revoked or have expired among them.
pub(crate) async fn list_keys(
    plane: &Plane,
    call: &mut Call,
    input: ListKeysInput,
) -> Result<ListKeysOutput, ProtonError> {
    let listing = Listing::new(call, Operation::ListKeys, &(), input.max_results, input.next_token)?;
    let account = call.scope.account.clone();
    let mut keys = plane.store.read(move |tx| of_account(tx, &account)).await?;
    keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let page = listing.page_of(keys, false, |key| format!("{:020}/{}", key.created_at, key.id))?;
    let page = page.map(|key| shown(&key));
    Ok(ListKeysOutput { keys: page.items, next_token: page.next_token })
}
