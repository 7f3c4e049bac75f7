//! Environment account connections: one account asks, the other agrees that its environments lie in the first.
//!
//! The account of the caller's key decides which side it is on. The environment account makes, changes and removes a
//! connection, the management account accepts or rejects it, both see it, and to everyone else it doesn't exist.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-env-account-connections.html>

mod accept;
mod create;
mod delete;
mod get;
mod list;
mod reject;
#[cfg(test)]
mod tests;
mod update;
mod usable;
mod view;

pub(crate) use accept::accept;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use list::list;
pub(crate) use reject::reject;
pub(crate) use update::update;
pub(crate) use usable::usable;

use hadron_model::EnvironmentAccountConnectionStatus as Status;
use serde_json::json;

use crate::control_plane::operations::history;
use crate::control_plane::records::EnvironmentAccountConnection;
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// A connection that the caller's account is a party to.
///
/// # Errors
/// `ResourceNotFoundException`, also for connections between other accounts.
fn visible(
    tx: &mut dyn Transaction,
    caller: &Scope,
    id: &str,
) -> Result<Stored<EnvironmentAccountConnection>, ProtonError> {
    let shared = EnvironmentAccountConnection::scope(&caller.region);
    let found = tx.get::<EnvironmentAccountConnection>(&shared, id)?;
    let party = |it: &EnvironmentAccountConnection| {
        [&it.environment_account, &it.management_account].contains(&&caller.account)
    };
    found
        .filter(|it| party(it))
        .ok_or_else(|| ProtonError::not_found(format!("environment account connection {id} doesn't exist")))
}

/// A connection that the caller may accept or reject.
///
/// # Errors
/// `ResourceNotFoundException`, or `AccessDeniedException` for the environment account.
fn managed(
    tx: &mut dyn Transaction,
    caller: &Scope,
    id: &str,
) -> Result<Stored<EnvironmentAccountConnection>, ProtonError> {
    let found = visible(tx, caller, id)?;
    if found.management_account == caller.account {
        return Ok(found);
    }
    Err(ProtonError::AccessDenied(format!(
        "only the management account {} can accept or reject environment account connection {id}",
        found.management_account
    )))
}

/// A connection that the caller may change or remove.
///
/// # Errors
/// `ResourceNotFoundException`, or `AccessDeniedException` for the management account.
fn owned(
    tx: &mut dyn Transaction,
    caller: &Scope,
    id: &str,
) -> Result<Stored<EnvironmentAccountConnection>, ProtonError> {
    let found = visible(tx, caller, id)?;
    if found.environment_account == caller.account {
        return Ok(found);
    }
    Err(ProtonError::AccessDenied(format!(
        "only the environment account {} can change or delete environment account connection {id}",
        found.environment_account
    )))
}

/// The environment account's scope, where its ARN, tags and history are.
fn owner(connection: &EnvironmentAccountConnection, region: &str) -> Scope {
    Scope::new(&connection.environment_account, region)
}

fn arn(connection: &EnvironmentAccountConnection, region: &str) -> String {
    owner(connection, region).arn(format_args!("environment-account-connection/{}", connection.id))
}

/// Gives a connection its answer.
fn answer(
    tx: &mut dyn Transaction,
    region: &str,
    connection: &mut Stored<EnvironmentAccountConnection>,
    status: Status,
    now: i64,
) -> Result<(), StoreError> {
    let previous = connection.status;
    connection.status = status;
    connection.last_modified_at = now;
    tx.save(&EnvironmentAccountConnection::scope(region), connection)?;
    note(tx, region, connection, Some(previous.as_str()), status.as_str(), now)
}

fn note(
    tx: &mut dyn Transaction,
    region: &str,
    connection: &EnvironmentAccountConnection,
    previous: Option<&str>,
    status: &str,
    now: i64,
) -> Result<(), StoreError> {
    let detail = json!({ "id": connection.id });
    let (owner, arn) = (owner(connection, region), arn(connection, region));
    history::append(tx, &owner, &arn, previous, status, &detail, now)
}
