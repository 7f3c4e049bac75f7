//! TagResource.

use hadron_model::{TagResourceInput, TagResourceOutput};

use super::existing;
use crate::control_plane::operations::tags::{MOST, checked};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Adds tags, over those of the same keys.
pub(crate) async fn set(
    plane: &Plane,
    call: &mut Call,
    input: TagResourceInput,
) -> Result<TagResourceOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let mut set = existing(tx, &scope, &input.resource_arn)?;
            set.tags.extend(checked(&input.tags)?);
            if set.tags.len() > MOST {
                let count = set.tags.len();
                return Err(ProtonError::validation(format!(
                    "{} would have {count} tags; a resource can have at most {MOST}",
                    input.resource_arn
                )));
            }
            tx.save(&scope, &mut set)?;
            Ok(TagResourceOutput::default())
        })
        .await
}
