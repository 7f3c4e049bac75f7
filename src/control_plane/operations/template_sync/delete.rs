//! DeleteTemplateSyncConfig.

use hadron_model::{DeleteTemplateSyncConfigInput, DeleteTemplateSyncConfigOutput};

use super::{existing, shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::TemplateSyncConfig;
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Ends the syncing of a template; its versions stay.
pub(crate) async fn delete(
    plane: &Plane,
    call: &mut Call,
    input: DeleteTemplateSyncConfigInput,
) -> Result<DeleteTemplateSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let config = existing(tx, &scope, input.template_type, &input.template_name)?;
            tx.delete(&scope, &config)?;
            Ok(DeleteTemplateSyncConfigOutput { template_sync_config: Some(shown(&config)) })
        })
        .await
}

/// Removes the configuration of a template that is gone, if it had one. `key` is the template's.
pub(crate) fn forget(tx: &mut dyn Transaction, scope: &Scope, key: &str) -> Result<(), StoreError> {
    match tx.get::<TemplateSyncConfig>(scope, key)? {
        Some(config) => tx.delete(scope, &config),
        None => Ok(()),
    }
}
