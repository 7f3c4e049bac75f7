//! ListServices.

use hadron_model::{ListServicesInput, ListServicesOutput, Operation};

use super::view;
use crate::control_plane::Plane;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::records::Service;
use crate::control_plane::store::ALL;
use crate::control_plane::wire::{Call, ProtonError};

/// Lists the services by name.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ListServices.html>
pub(crate) async fn list_services(
    plane: &Plane,
    call: &mut Call,
    input: ListServicesInput,
) -> Result<ListServicesOutput, ProtonError> {
    let listing = Listing::new(call, Operation::ListServices, &(), input.max_results, input.next_token)?;
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let page = listing.page::<Service>(tx, (ALL, ""), false, |_| true)?;
            let page = page.map(|it| view::summary(&scope, &it));
            Ok(ListServicesOutput { services: page.items, next_token: page.next_token })
        })
        .await
}
