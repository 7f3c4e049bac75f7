//! DeleteEnvironmentAccountConnection.

use hadron_model::{DeleteEnvironmentAccountConnectionInput, DeleteEnvironmentAccountConnectionOutput};

use super::{arn, note, owned, owner, view};
use crate::control_plane::operations::{history, tags};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::EnvironmentAccountConnection;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// The environment account withdraws a connection, even from an environment that uses it: that one stays as it is until
/// it is updated to another connection.
pub(crate) async fn delete(
    plane: &Plane,
    call: &mut Call,
    input: DeleteEnvironmentAccountConnectionInput,
) -> Result<DeleteEnvironmentAccountConnectionOutput, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    let deleted = plane
        .store
        .write(move |tx| {
            let (connection, region) = (owned(tx, &scope, &input.id)?, &scope.region);
            tx.delete(&EnvironmentAccountConnection::scope(region), &connection)?;
            tags::remove_tags(tx, &owner(&connection, region), &arn(&connection, region))?;
            note(tx, region, &connection, Some(connection.status.as_str()), history::DELETED, now)?;
            Ok::<_, ProtonError>(view::full(region, &connection))
        })
        .await?;
    Ok(DeleteEnvironmentAccountConnectionOutput { environment_account_connection: Some(deleted) })
}
