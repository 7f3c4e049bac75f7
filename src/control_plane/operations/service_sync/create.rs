//! CreateServiceSyncConfig.

use hadron_model::{CreateServiceSyncConfigInput, CreateServiceSyncConfigOutput};

use super::shown;
use crate::control_plane::operations::repository::{must_be_linked, named};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Service, ServiceSyncConfig};
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Says where a service is synced from. The operation declares no `ResourceNotFoundException`, so what isn't there is
/// invalid.
pub(crate) async fn create(
    plane: &Plane,
    call: &mut Call,
    input: CreateServiceSyncConfigInput,
) -> Result<CreateServiceSyncConfigOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let config = ServiceSyncConfig {
                service: input.service_name.clone(),
                repository: named(input.repository_provider, &input.repository_name),
                branch: input.branch.clone(),
                file_path: input.file_path.clone(),
            };
            if tx.get::<Service>(&scope, &config.service)?.is_none() {
                return Err(ProtonError::validation(format!("service {} doesn't exist", config.service)));
            }
            must_be_linked(tx, &scope, &config.repository)?;
            if tx.get::<ServiceSyncConfig>(&scope, &config.service)?.is_some() {
                let message = format!("service {} has a service sync configuration already", config.service);
                return Err(ProtonError::conflict(message));
            }
            tx.add(&scope, &config)?;
            Ok(CreateServiceSyncConfigOutput { service_sync_config: Some(shown(&config)) })
        })
        .await
}
