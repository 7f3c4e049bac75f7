//! UpdateServiceSyncConfig.

use hadron_model::{UpdateServiceSyncConfigInput, UpdateServiceSyncConfigOutput};

use super::{existing, shown};
use crate::control_plane::operations::repository::{linked, named};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Replaces where a service is synced from.
pub(crate) async fn update(
    plane: &Plane,
    call: &mut Call,
    input: UpdateServiceSyncConfigInput,
) -> Result<UpdateServiceSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let mut config = existing(tx, &scope, &input.service_name)?;
            let repository = named(input.repository_provider, &input.repository_name);
            linked(tx, &scope, &repository)?;
            config.repository = repository;
            config.branch.clone_from(&input.branch);
            config.file_path.clone_from(&input.file_path);
            tx.save(&scope, &mut config)?;
            Ok(UpdateServiceSyncConfigOutput { service_sync_config: Some(shown(&config)) })
        })
        .await
}
