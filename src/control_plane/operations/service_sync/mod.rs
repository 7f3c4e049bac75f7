//! Which repository the specs of a service's instances come from, and what keeps them from being applied.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-service-sync-configs.html>

mod blocker;
mod create;
mod delete;
mod get;
mod resolve;
mod status;
mod summary;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use blocker::{Change, block};
pub(crate) use create::create;
pub(crate) use delete::{delete, forget};
pub(crate) use get::get;
pub(crate) use resolve::resolve;
pub(crate) use status::status;
pub(crate) use summary::summary;
pub(crate) use update::update;

use hadron_model as model;

use crate::control_plane::records::{ServiceInstance, ServiceSyncConfig};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// A service's configuration.
///
/// # Errors
/// `ResourceNotFoundException`.
fn existing(tx: &mut dyn Transaction, scope: &Scope, service: &str) -> Result<Stored<ServiceSyncConfig>, ProtonError> {
    let found = tx.get(scope, service)?;
    found.ok_or_else(|| ProtonError::not_found(format!("service {service} has no service sync configuration")))
}

/// # Errors
/// `ResourceNotFoundException` for an instance that isn't there.
fn must_have_instance(
    tx: &mut dyn Transaction,
    scope: &Scope,
    service: &str,
    instance: &str,
) -> Result<(), ProtonError> {
    match tx.get::<ServiceInstance>(scope, &ServiceInstance::key_of(service, instance))? {
        Some(_) => Ok(()),
        None => Err(ProtonError::not_found(format!("service instance {service}/{instance} doesn't exist"))),
    }
}

fn shown(it: &ServiceSyncConfig) -> model::ServiceSyncConfig {
    model::ServiceSyncConfig {
        branch: it.branch.clone(),
        file_path: it.file_path.clone(),
        repository_name: it.repository.name.clone(),
        repository_provider: it.repository.provider,
        service_name: it.service.clone(),
    }
}
