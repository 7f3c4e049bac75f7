//! ListRepositories.

use hadron_model::{ListRepositoriesInput, ListRepositoriesOutput, Operation, RepositorySummary};

use super::shown;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Repository;
use crate::control_plane::store::ALL;
use crate::control_plane::wire::{Call, ProtonError};

/// The linked repositories, by provider and name.
pub(crate) async fn list(
    plane: &Plane,
    call: &mut Call,
    input: ListRepositoriesInput,
) -> Result<ListRepositoriesOutput, ProtonError> {
    let listing = Listing::new(call, Operation::ListRepositories, &(), input.max_results, input.next_token)?;
    let scope = call.scope.clone();
    let page = plane.store.read(move |tx| listing.page::<Repository>(tx, (ALL, ""), false, |_| true)).await?;
    let page = page.map(|found| {
        let shown = shown(&scope, &found);
        RepositorySummary {
            arn: shown.arn,
            connection_arn: shown.connection_arn,
            name: shown.name,
            provider: shown.provider,
        }
    });
    Ok(ListRepositoriesOutput { next_token: page.next_token, repositories: page.items })
}
