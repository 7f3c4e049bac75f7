//! GetEnvironmentAccountConnection.

use hadron_model::{GetEnvironmentAccountConnectionInput, GetEnvironmentAccountConnectionOutput};

use super::{view, visible};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// One connection, for either of its accounts.
pub(crate) async fn get(
    plane: &Plane,
    call: &mut Call,
    input: GetEnvironmentAccountConnectionInput,
) -> Result<GetEnvironmentAccountConnectionOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let environment_account_connection = view::full(&scope.region, &*visible(tx, &scope, &input.id)?);
            Ok(GetEnvironmentAccountConnectionOutput { environment_account_connection })
        })
        .await
}
