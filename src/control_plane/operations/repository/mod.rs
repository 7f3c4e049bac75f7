//! Linked repositories. Nothing but syncing needs a link: provisioning repositories may be named without one.

mod branch;
mod create;
mod delete;
mod get;
mod list;
#[cfg(test)]
mod tests;

pub(crate) use branch::repository_branch;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use list::list;

use hadron_model as model;
use hadron_model::RepositoryProvider;

use crate::control_plane::records::{Repository, RepositoryRef};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// What names a repository, from a request.
pub(crate) fn named(provider: RepositoryProvider, name: &str) -> RepositoryRef {
    RepositoryRef { provider, name: name.to_owned() }
}

/// A repository's ARN, linked or not.
fn arn(scope: &Scope, repository: &RepositoryRef) -> String {
    scope.arn(format_args!("repository/{repository}"))
}

/// A repository that is linked.
///
/// # Errors
/// `ResourceNotFoundException`.
pub(crate) fn linked(
    tx: &mut dyn Transaction,
    scope: &Scope,
    repository: &RepositoryRef,
) -> Result<Stored<Repository>, ProtonError> {
    tx.get(scope, &repository.to_string())?.ok_or_else(|| ProtonError::not_found(unlinked(repository)))
}

/// The same for operations that declare no `ResourceNotFoundException`.
///
/// # Errors
/// `ValidationException`.
pub(crate) fn must_be_linked(
    tx: &mut dyn Transaction,
    scope: &Scope,
    repository: &RepositoryRef,
) -> Result<(), ProtonError> {
    match tx.get::<Repository>(scope, &repository.to_string())? {
        Some(_) => Ok(()),
        None => Err(ProtonError::validation(unlinked(repository))),
    }
}

fn unlinked(repository: &RepositoryRef) -> String {
    format!("repository {repository} isn't linked; link it with CreateRepository")
}

fn shown(scope: &Scope, it: &Repository) -> model::Repository {
    model::Repository {
        arn: arn(scope, &it.repository),
        connection_arn: it.connection_arn.clone(),
        encryption_key: it.encryption_key.clone(),
        name: it.repository.name.clone(),
        provider: it.repository.provider,
    }
}
