//! UntagResource.

use hadron_model::{UntagResourceInput, UntagResourceOutput};

use super::existing;
use crate::control_plane::operations::tags::refuse_reserved;
use crate::control_plane::plane::Plane;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Removes tags; keys that aren't there are no error, as everywhere in AWS.
pub(crate) async fn unset(
    plane: &Plane,
    call: &mut Call,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let mut set = existing(tx, &scope, &input.resource_arn)?;
            for key in &input.tag_keys {
                refuse_reserved(key)?;
                set.tags.remove(key);
            }
            tx.save(&scope, &mut set)?;
            Ok(UntagResourceOutput::default())
        })
        .await
}
