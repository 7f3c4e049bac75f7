//! ListTagsForResource.

use hadron_model::{ListTagsForResourceInput, ListTagsForResourceOutput, Operation, Tag};

use super::existing;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::TagSet;
use crate::control_plane::wire::{Call, ProtonError};

/// Lists a resource's tags by key, managed ones included.
pub(crate) async fn list(
    plane: &Plane,
    call: &mut Call,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, ProtonError> {
    let (scope, arn) = (call.scope.clone(), input.resource_arn);
    let listing = Listing::new(call, Operation::ListTagsForResource, &arn, input.max_results, input.next_token)?;
    plane
        .store
        .read(move |tx| {
            let TagSet { tags, managed, .. } = existing(tx, &scope, &arn)?.value;
            let mut all: Vec<Tag> = tags.into_iter().chain(managed).map(|(key, value)| Tag { key, value }).collect();
            all.sort_by(|a, b| a.key.cmp(&b.key));
            let page = listing.page_of(all, false, |tag| tag.key.clone())?;
            Ok(ListTagsForResourceOutput { next_token: page.next_token, tags: page.items })
        })
        .await
}
