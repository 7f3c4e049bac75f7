//! ListRepositorySyncDefinitions.

use hadron_model::{
    ListRepositorySyncDefinitionsInput, ListRepositorySyncDefinitionsOutput, RepositorySyncDefinition, SyncType,
};

use crate::control_plane::operations::repository::{must_be_linked, named};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{OF_REPOSITORY, RepositoryRef, ServiceSyncConfig, Template, TemplateSyncConfig};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Everything that is configured to be synced from a repository, in one answer as the model wants it. AWS's reference
/// supports TEMPLATE_SYNC only; the model has both, so both are answered.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_RepositorySyncDefinition.html>
pub(crate) async fn definitions(
    plane: &Plane,
    call: &mut Call,
    input: ListRepositorySyncDefinitionsInput,
) -> Result<ListRepositorySyncDefinitionsOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let repository = named(input.repository_provider, &input.repository_name);
            must_be_linked(tx, &scope, &repository)?;
            let sync_definitions = match input.sync_type {
                SyncType::TemplateSync => of_templates(tx, &scope, &repository)?,
                SyncType::ServiceSync => of_services(tx, &scope, &repository)?,
            };
            Ok::<_, ProtonError>(ListRepositorySyncDefinitionsOutput { next_token: None, sync_definitions })
        })
        .await
}

/// A template is searched below its subdirectory, or below the repository's root.
fn of_templates(
    tx: &mut dyn Transaction,
    scope: &Scope,
    repository: &RepositoryRef,
) -> Result<Vec<RepositorySyncDefinition>, StoreError> {
    let configs = tx.by_term::<TemplateSyncConfig>(scope, OF_REPOSITORY, &repository.to_string())?;
    let shown = |it: TemplateSyncConfig| RepositorySyncDefinition {
        branch: it.branch,
        directory: it.subdirectory.unwrap_or_else(|| "/".to_owned()),
        parent: it.repository.name,
        target: scope.arn(Template::key_of(it.kind, &it.template)),
    };
    Ok(configs.into_iter().map(|it| shown(it.value)).collect())
}

/// A service is synced from its Proton Ops file.
fn of_services(
    tx: &mut dyn Transaction,
    scope: &Scope,
    repository: &RepositoryRef,
) -> Result<Vec<RepositorySyncDefinition>, StoreError> {
    let configs = tx.by_term::<ServiceSyncConfig>(scope, OF_REPOSITORY, &repository.to_string())?;
    let shown = |it: ServiceSyncConfig| RepositorySyncDefinition {
        branch: it.branch,
        directory: it.file_path,
        parent: it.repository.name,
        target: scope.arn(format_args!("service/{}", it.service)),
    };
    Ok(configs.into_iter().map(|it| shown(it.value)).collect())
}
