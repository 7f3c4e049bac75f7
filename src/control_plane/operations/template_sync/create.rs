//! CreateTemplateSyncConfig.

use hadron_model::{CreateTemplateSyncConfigInput, CreateTemplateSyncConfigOutput};

use super::{kind_of, shown};
use crate::control_plane::operations::repository::{must_be_linked, named};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateSyncConfig};
use crate::control_plane::store::{Document, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// Says where a template is synced from. The operation declares no `ResourceNotFoundException`, so what isn't there is
/// invalid.
pub(crate) async fn create(
    plane: &Plane,
    call: &mut Call,
    input: CreateTemplateSyncConfigInput,
) -> Result<CreateTemplateSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let config = TemplateSyncConfig {
                kind: kind_of(input.template_type),
                template: input.template_name.clone(),
                repository: named(input.repository_provider, &input.repository_name),
                branch: input.branch.clone(),
                subdirectory: input.subdirectory.clone(),
            };
            if tx.get::<Template>(&scope, &config.key())?.is_none() {
                return Err(ProtonError::validation(format!(
                    "{} doesn't exist; syncing creates versions, not templates",
                    config.key()
                )));
            }
            must_be_linked(tx, &scope, &config.repository)?;
            if tx.get::<TemplateSyncConfig>(&scope, &config.key())?.is_some() {
                return Err(ProtonError::conflict(format!(
                    "{} has a template sync configuration already",
                    config.key()
                )));
            }
            tx.add(&scope, &config)?;
            Ok(CreateTemplateSyncConfigOutput { template_sync_config: Some(shown(&config)) })
        })
        .await
}
