//! DescribeState.

use hadron_model::hadron::{DescribeStateInput, DescribeStateOutput};

use super::{lock, state, target_of};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// A target's state and who holds its lock.
pub(crate) async fn describe_state(
    plane: &Plane,
    call: &mut Call,
    input: DescribeStateInput,
) -> Result<DescribeStateOutput, ProtonError> {
    let (_, arn) = target_of(call, &input.target_arn)?;
    let (scope, now) = (call.scope.clone(), call.now);
    let found = plane.store.read(move |tx| {
        let lock = lock(tx, &scope, &arn)?;
        Ok::<_, ProtonError>(state(tx, &scope, &lock, now)?)
    });
    Ok(DescribeStateOutput { state: found.await? })
}
