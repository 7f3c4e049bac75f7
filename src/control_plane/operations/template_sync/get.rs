//! GetTemplateSyncConfig.

use hadron_model::{GetTemplateSyncConfigInput, GetTemplateSyncConfigOutput};

use super::{existing, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// Where a template is synced from.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    input: GetTemplateSyncConfigInput,
) -> Result<GetTemplateSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let config = existing(tx, &scope, input.template_type, &input.template_name)?;
            Ok(GetTemplateSyncConfigOutput { template_sync_config: Some(shown(&config)) })
        })
        .await
}
