//! UpdateEnvironmentAccountConnection.

use hadron_model::{
    EnvironmentAccountConnectionStatus as Status, UpdateEnvironmentAccountConnectionInput,
    UpdateEnvironmentAccountConnectionOutput,
};

use super::{owned, view};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::EnvironmentAccountConnection;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// The environment account replaces the roles that are given; the status stays.
pub(crate) async fn update(
    plane: &Plane,
    call: &mut Call,
    input: UpdateEnvironmentAccountConnectionInput,
) -> Result<UpdateEnvironmentAccountConnectionOutput, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    let environment_account_connection = plane
        .store
        .write(move |tx| {
            let mut connection = owned(tx, &scope, &input.id)?;
            if connection.status == Status::Rejected {
                return Err(ProtonError::conflict(format!(
                    "environment account connection {} is REJECTED, which is final",
                    connection.id
                )));
            }
            let replace = |old: &mut Option<String>, new: &Option<String>| {
                if new.is_some() {
                    old.clone_from(new);
                }
            };
            replace(&mut connection.role_arn, &input.role_arn);
            replace(&mut connection.component_role_arn, &input.component_role_arn);
            replace(&mut connection.codebuild_role_arn, &input.codebuild_role_arn);
            connection.last_modified_at = now;
            tx.save(&EnvironmentAccountConnection::scope(&scope.region), &mut connection)?;
            Ok::<_, ProtonError>(view::full(&scope.region, &connection))
        })
        .await?;
    Ok(UpdateEnvironmentAccountConnectionOutput { environment_account_connection })
}
