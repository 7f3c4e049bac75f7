//! ListStateVersions.

use hadron_model::hadron::{ListStateVersionsInput, ListStateVersionsOutput, Operation};

use super::{must_be_known, target_of, view};
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::StateVersion;
use crate::control_plane::wire::{Call, ProtonError};

/// Every version of a target's state, newest first.
pub(crate) async fn list_state_versions(
    plane: &Plane,
    call: &mut Call,
    input: ListStateVersionsInput,
) -> Result<ListStateVersionsOutput, ProtonError> {
    let (target, arn) = target_of(call, &input.target_arn)?;
    let listing = Listing::new(call, Operation::ListStateVersions, &arn, input.max_results, input.next_token)?;
    let scope = call.scope.clone();
    let page = plane.store.read(move |tx| {
        must_be_known(tx, &scope, &target, &arn)?;
        listing.page::<StateVersion>(tx, (StateVersion::OF_TARGET, &arn), true, |version| version.stamp.is_some())
    });
    let page = page.await?;
    let state_versions = page.items.iter().filter_map(|stored| view::version(stored)).collect();
    Ok(ListStateVersionsOutput { state_versions, next_token: page.next_token })
}
