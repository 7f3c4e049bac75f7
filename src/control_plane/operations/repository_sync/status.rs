//! GetRepositorySyncStatus.

use hadron_model::{GetRepositorySyncStatusInput, GetRepositorySyncStatusOutput, SyncType};

use crate::control_plane::operations::repository::{linked, named};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{OF_REPOSITORY, ServiceSyncConfig, TemplateSyncConfig};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// How the last sync from a repository's branch went. There is nothing to tell before a first sync; where nothing is
/// configured to be synced there is nothing that could have a status.
pub(crate) async fn status(
    plane: &Plane,
    call: &mut Call,
    input: GetRepositorySyncStatusInput,
) -> Result<GetRepositorySyncStatusOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let repository = named(input.repository_provider, &input.repository_name);
            linked(tx, &scope, &repository)?;
            if branches(tx, &scope, &repository.to_string(), input.sync_type)?.contains(&input.branch) {
                return Ok(GetRepositorySyncStatusOutput::default());
            }
            let (branch, kind) = (&input.branch, input.sync_type);
            Err(ProtonError::not_found(format!(
                "no {kind} of branch {branch} of repository {repository} is configured"
            )))
        })
        .await
}

/// The branches of a repository that something is synced from.
fn branches(tx: &mut dyn Transaction, scope: &Scope, key: &str, kind: SyncType) -> Result<Vec<String>, StoreError> {
    Ok(match kind {
        SyncType::TemplateSync => {
            let configs = tx.by_term::<TemplateSyncConfig>(scope, OF_REPOSITORY, key)?;
            configs.into_iter().map(|it| it.value.branch).collect()
        }
        SyncType::ServiceSync => {
            let configs = tx.by_term::<ServiceSyncConfig>(scope, OF_REPOSITORY, key)?;
            configs.into_iter().map(|it| it.value.branch).collect()
        }
    })
}
