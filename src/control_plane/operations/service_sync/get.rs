//! GetServiceSyncConfig.

use hadron_model::{GetServiceSyncConfigInput, GetServiceSyncConfigOutput};

use super::{existing, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// Where a service is synced from.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    input: GetServiceSyncConfigInput,
) -> Result<GetServiceSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let config = existing(tx, &scope, &input.service_name)?;
            Ok(GetServiceSyncConfigOutput { service_sync_config: Some(shown(&config)) })
        })
        .await
}
