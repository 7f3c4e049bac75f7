//! Which connection an environment may use.

use hadron_model::EnvironmentAccountConnectionStatus as Status;

use super::visible;
use crate::control_plane::records::EnvironmentAccountConnection;
use crate::control_plane::store::Transaction;
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// The connection that an environment of this name is created with or moved to. It names its environment, and names are
/// unique in the management account, so that no two environments can share one.
///
/// # Errors
/// `ResourceNotFoundException` for one that the caller doesn't manage, `ConflictException` unless it is CONNECTED,
/// `ValidationException` if it is for another environment.
pub(crate) fn usable(
    tx: &mut dyn Transaction,
    caller: &Scope,
    id: &str,
    environment: &str,
) -> Result<EnvironmentAccountConnection, ProtonError> {
    let found = visible(tx, caller, id)?.value;
    if found.management_account != caller.account {
        return Err(ProtonError::not_found(format!("no environment account connection {id} to this account exists")));
    }
    if found.environment_name != environment {
        return Err(ProtonError::validation(format!(
            "environment account connection {id} is for environment {}, not for {environment}",
            found.environment_name
        )));
    }
    if found.status != Status::Connected {
        return Err(ProtonError::conflict(format!(
            "environment account connection {id} is {}; it must be CONNECTED",
            found.status
        )));
    }
    Ok(found)
}
