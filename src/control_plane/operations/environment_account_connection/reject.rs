//! RejectEnvironmentAccountConnection.

use hadron_model::{
    EnvironmentAccountConnectionStatus as Status, RejectEnvironmentAccountConnectionInput,
    RejectEnvironmentAccountConnectionOutput,
};

use super::{answer, managed, view};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Environment, EnvironmentAccountConnection};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// The management account declines, or takes back that it agreed; no environment may use the connection then. To reject
/// again changes nothing.
pub(crate) async fn reject(
    plane: &Plane,
    call: &mut Call,
    input: RejectEnvironmentAccountConnectionInput,
) -> Result<RejectEnvironmentAccountConnectionOutput, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    let environment_account_connection = plane
        .store
        .write(move |tx| {
            let mut connection = managed(tx, &scope, &input.id)?;
            refuse_in_use(tx, &scope, &connection)?;
            if connection.status != Status::Rejected {
                answer(tx, &scope.region, &mut connection, Status::Rejected, now)?;
            }
            Ok::<_, ProtonError>(view::full(&scope.region, &connection))
        })
        .await?;
    Ok(RejectEnvironmentAccountConnectionOutput { environment_account_connection })
}

/// Only the environment that a connection names can use it.
fn refuse_in_use(
    tx: &mut dyn Transaction,
    management: &Scope,
    connection: &EnvironmentAccountConnection,
) -> Result<(), ProtonError> {
    let environment = tx.get::<Environment>(management, &connection.environment_name)?;
    match environment.filter(|it| it.environment_account_connection_id.as_ref() == Some(&connection.id)) {
        Some(environment) => Err(ProtonError::conflict(format!(
            "environment {} uses environment account connection {}",
            environment.name, connection.id
        ))),
        None => Ok(()),
    }
}
