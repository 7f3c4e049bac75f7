//! DeleteRepository.

use hadron_model::{DeleteRepositoryInput, DeleteRepositoryOutput, RepositoryBranch};

use super::{arn, linked, named, shown};
use crate::control_plane::operations::account_settings;
use crate::control_plane::operations::tags::remove_tags;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Environment, OF_REPOSITORY, RepositoryRef, ServiceSyncConfig, TemplateSyncConfig};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// Unlinks a repository that nothing uses any more.
pub(crate) async fn delete(
    plane: &Plane,
    call: &mut Call,
    input: DeleteRepositoryInput,
) -> Result<DeleteRepositoryOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .write(move |tx| {
            let repository = linked(tx, &scope, &named(input.provider, &input.name))?;
            refuse_in_use(tx, &scope, &repository.repository)?;
            tx.delete(&scope, &repository)?;
            remove_tags(tx, &scope, &arn(&scope, &repository.repository))?;
            Ok(DeleteRepositoryOutput { repository: Some(shown(&scope, &repository)) })
        })
        .await
}

fn refuse_in_use(tx: &mut dyn Transaction, scope: &Scope, repository: &RepositoryRef) -> Result<(), ProtonError> {
    let users = users(tx, scope, repository)?;
    if users.is_empty() {
        return Ok(());
    }
    Err(ProtonError::conflict(format!("repository {repository} is used by {}", users.join(", "))))
}

/// Everything that names the repository, in words.
fn users(tx: &mut dyn Transaction, scope: &Scope, repository: &RepositoryRef) -> Result<Vec<String>, ProtonError> {
    let (key, arn) = (repository.to_string(), arn(scope, repository));
    let same = |used: &Option<RepositoryBranch>| used.as_ref().is_some_and(|used| used.arn == arn);
    let mut users = Vec::new();
    for config in tx.by_term::<TemplateSyncConfig>(scope, OF_REPOSITORY, &key)? {
        users.push(format!("the template sync configuration of {}/{}", config.kind.resource(), config.template));
    }
    for config in tx.by_term::<ServiceSyncConfig>(scope, OF_REPOSITORY, &key)? {
        users.push(format!("the service sync configuration of {}", config.service));
    }
    for environment in tx.all::<Environment>(scope)? {
        if same(&environment.provisioning_repository) {
            users.push(format!("environment {}", environment.name));
        }
    }
    if same(&account_settings::current(tx, scope)?.pipeline_provisioning_repository) {
        users.push("the account settings".to_owned());
    }
    Ok(users)
}
