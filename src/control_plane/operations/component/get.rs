//! GetComponent.

use hadron_model::{GetComponentInput, GetComponentOutput};

use super::view;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Component;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// One component.
pub(crate) async fn get_component(
    plane: &Plane,
    call: &mut Call,
    input: GetComponentInput,
) -> Result<GetComponentOutput, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let found = by_name(tx, &scope, &input.name)?;
            Ok(GetComponentOutput { component: Some(view::full(&scope, &found)) })
        })
        .await
}

/// The component of a name.
///
/// # Errors
/// `ResourceNotFoundException` if there is none.
pub(super) fn by_name(tx: &mut dyn Transaction, scope: &Scope, name: &str) -> Result<Stored<Component>, ProtonError> {
    tx.get(scope, name)?.ok_or_else(|| ProtonError::not_found(format!("component {name} doesn't exist")))
}
