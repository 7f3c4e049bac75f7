//! ListQuarantined.

use hadron_model::hadron::{ListQuarantinedInput, ListQuarantinedOutput, Operation};

use super::shown;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Imported;
use crate::control_plane::wire::{Call, ProtonError};

/// Every imported target that nobody has adopted, by its ARN, with what its last plan came to.
pub(crate) async fn list_quarantined(
    plane: &Plane,
    call: &mut Call,
    input: ListQuarantinedInput,
) -> Result<ListQuarantinedOutput, ProtonError> {
    let listing = Listing::new(call, Operation::ListQuarantined, &(), input.max_results, input.next_token)?;
    let scope = call.scope.clone();
    let page = plane.store.read(move |tx| {
        let page = listing.page::<Imported>(tx, (Imported::QUARANTINED, ""), false, |_| true)?;
        let targets: Result<Vec<_>, _> = page.items.iter().map(|it| shown(tx, &scope, it)).collect();
        Ok::<_, ProtonError>(ListQuarantinedOutput { targets: targets?, next_token: page.next_token })
    });
    page.await
}
