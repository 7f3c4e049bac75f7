//! The gate that every request of both APIs passes: may its caller do that, and if so, do it.

use futures::future::BoxFuture;
use hadron_model::{Action, dispatch, hadron};
use serde_json::Value;

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
            plane.authority.permit(plane, call, action, &input).await?;
            match action {
                Action::Proton(operation) => dispatch(plane, call, operation, input).await,
                Action::Hadron(operation) => hadron::dispatch(plane, call, operation, input).await,
            }
        })
    }
}
