//! UpdateTemplateSyncConfig.

use hadron_model::{UpdateTemplateSyncConfigInput, UpdateTemplateSyncConfigOutput};

use super::{existing, shown};
use crate::control_plane::operations::repository::{linked, named};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Replaces where a template is synced from; without a subdirectory it is searched in the whole repository from now on.
pub(crate) async fn update(
    plane: &Plane,
    call: &mut Call,
    input: UpdateTemplateSyncConfigInput,
) -> Result<UpdateTemplateSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let mut config = existing(tx, &scope, input.template_type, &input.template_name)?;
            let repository = named(input.repository_provider, &input.repository_name);
            linked(tx, &scope, &repository)?;
            config.repository = repository;
            config.branch.clone_from(&input.branch);
            config.subdirectory.clone_from(&input.subdirectory);
            tx.save(&scope, &mut config)?;
            Ok(UpdateTemplateSyncConfigOutput { template_sync_config: Some(shown(&config)) })
        })
        .await
}
