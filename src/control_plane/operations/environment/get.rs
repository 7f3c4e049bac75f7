//! GetEnvironment.

use hadron_model::{GetEnvironmentInput, GetEnvironmentOutput};

use super::view;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Environment;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// One environment, with its spec. While an update runs it shows what was before.
pub(crate) async fn get_environment(
    plane: &Plane,
    call: &mut Call,
    input: GetEnvironmentInput,
) -> Result<GetEnvironmentOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let found = by_name(tx, &scope, &input.name)?;
            Ok(GetEnvironmentOutput { environment: view::full(tx, &scope, &found)? })
        })
        .await
}

/// The environment of a name.
///
/// # Errors
/// `ResourceNotFoundException` if there is none.
pub(super) fn by_name(tx: &mut dyn Transaction, scope: &Scope, name: &str) -> Result<Stored<Environment>, ProtonError> {
    tx.get(scope, name)?.ok_or_else(|| ProtonError::not_found(format!("environment {name} doesn't exist")))
}
