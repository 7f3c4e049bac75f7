//! GetTemplateSyncStatus.

use hadron_model::{GetTemplateSyncStatusInput, GetTemplateSyncStatusOutput};

use super::existing;
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// How the last sync of a template's major version went. There is nothing to tell before a first sync, whichever version
/// is asked for.
pub(crate) async fn status(
    plane: &Plane,
    call: &mut Call,
    input: GetTemplateSyncStatusInput,
) -> Result<GetTemplateSyncStatusOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            existing(tx, &scope, input.template_type, &input.template_name)?;
            Ok(GetTemplateSyncStatusOutput::default())
        })
        .await
}
