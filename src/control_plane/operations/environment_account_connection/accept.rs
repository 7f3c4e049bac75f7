//! AcceptEnvironmentAccountConnection.

use hadron_model::{
    AcceptEnvironmentAccountConnectionInput, AcceptEnvironmentAccountConnectionOutput,
    EnvironmentAccountConnectionStatus as Status,
};

use super::{answer, managed, view};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::EnvironmentAccountConnection;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// The management account agrees. To accept again changes nothing.
pub(crate) async fn accept(
    plane: &Plane,
    call: &mut Call,
    input: AcceptEnvironmentAccountConnectionInput,
) -> Result<AcceptEnvironmentAccountConnectionOutput, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    let environment_account_connection = plane
        .store
        .write(move |tx| {
            let mut connection = managed(tx, &scope, &input.id)?;
            match connection.status {
                Status::Connected => {}
                Status::Rejected => {
                    return Err(ProtonError::conflict(format!(
                        "environment account connection {} is REJECTED, which is final; the environment account {} can \
                         ask with a new one",
                        connection.id, connection.environment_account
                    )));
                }
                Status::Pending => {
                    refuse_second(tx, &connection, &scope.region)?;
                    answer(tx, &scope.region, &mut connection, Status::Connected, now)?;
                }
            }
            Ok::<_, ProtonError>(view::full(&scope.region, &connection))
        })
        .await?;
    Ok(AcceptEnvironmentAccountConnectionOutput { environment_account_connection })
}

/// An environment lies in one account.
fn refuse_second(
    tx: &mut dyn Transaction,
    asked: &EnvironmentAccountConnection,
    region: &str,
) -> Result<(), ProtonError> {
    type Connection = EnvironmentAccountConnection;
    let place = Connection::place(&asked.management_account, &asked.environment_name);
    let all = tx.by_term::<Connection>(&Connection::scope(region), Connection::OF_ENVIRONMENT, &place)?;
    match all.iter().find(|it| it.status == Status::Connected) {
        Some(other) => Err(ProtonError::conflict(format!(
            "environment {} is connected to account {} already, by environment account connection {}",
            other.environment_name, other.environment_account, other.id
        ))),
        None => Ok(()),
    }
}
