//! The gate that every request of both APIs passes: may its caller do that, and if so, do it.

use futures::future::BoxFuture;
use hadron_model::{Action, dispatch, hadron};
use serde_json::Value;

use super::audit::{self, Origin};
use super::plane::Plane;
use super::wire::{Call, Operations, ProtonError};

/// The operations behind their policies.
#[derive(Debug, Clone)]
pub(crate) struct Gate(pub(crate) Plane);

impl Operations for Gate {
    fn perform<'a>(
        &'a self,
        call: &'a mut Call,
        action: Action,
        input: Value,
    ) -> BoxFuture<'a, Result<Vec<u8>, ProtonError>> {
        Box::pin(async move {
            let Self(plane) = self;
            let origin = Origin::of(call, action, &input);
            let outcome = permitted(plane, call, action, input, &origin).await;
            if let Err(ProtonError::AccessDenied(reason)) = &outcome {
                audit::refused(plane, origin, reason).await;
            }
            outcome
        })
    }
}

/// Performs what the policies permit, on a plane that writes what changes into the audit log.
async fn permitted(
    plane: &Plane,
    call: &mut Call,
    action: Action,
    input: Value,
    origin: &Origin,
) -> Result<Vec<u8>, ProtonError> {
    plane.authority.permit(plane, call, action, &input).await?;
    let plane = &plane.on_behalf(origin);
    match action {
        Action::Proton(operation) => dispatch(plane, call, operation, input).await,
        Action::Hadron(operation) => hadron::dispatch(plane, call, operation, input).await,
    }
}
