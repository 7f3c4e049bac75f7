//! DescribeState.

use hadron_model::hadron::{DescribeStateInput, DescribeStateOutput};

use super::{lock, state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// A target's state and who holds its lock.
pub(crate) async fn describe_state(
    plane: &Plane,
    call: &mut Call,
    input: DescribeStateInput,
) -> Result<DescribeStateOutput, ProtonError> {
    let (_, arn) = target_of(call, &input.target_arn)?;
    let engine = Deployments::of(plane, call);
    let found = plane.store.read(move |tx| {
        let lock = lock(tx, &engine.scope, &arn)?;
        Ok::<_, ProtonError>(state(tx, &engine, &lock)?)
    });
    Ok(DescribeStateOutput { state: found.await? })
}
