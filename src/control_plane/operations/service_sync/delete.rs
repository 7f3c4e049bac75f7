//! DeleteServiceSyncConfig.

use hadron_model::{DeleteServiceSyncConfigInput, DeleteServiceSyncConfigOutput};

use super::{existing, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{ServiceSyncConfig, SyncBlocker};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Ends the syncing of a service. What blocked it goes too: a later configuration starts afresh.
pub(crate) async fn delete(
    plane: &Plane,
    call: &mut Call,
    input: DeleteServiceSyncConfigInput,
) -> Result<DeleteServiceSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let config = existing(tx, &scope, &input.service_name)?;
            forget(tx, &scope, &input.service_name)?;
            Ok::<_, ProtonError>(DeleteServiceSyncConfigOutput { service_sync_config: Some(shown(&config)) })
        })
        .await
}

/// Removes the configuration of a service, if it has one, and all its blockers.
pub(crate) fn forget(tx: &mut dyn Transaction, scope: &Scope, service: &str) -> Result<(), StoreError> {
    if let Some(config) = tx.get::<ServiceSyncConfig>(scope, service)? {
        tx.delete(scope, &config)?;
    }
    for blocker in tx.by_term::<SyncBlocker>(scope, SyncBlocker::OF_SERVICE, service)? {
        tx.delete(scope, &blocker)?;
    }
    Ok(())
}
