//! DescribeState.

use hadron_model::hadron::{DescribeStateInput, DescribeStateOutput};

use super::{state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Imported, StateLock};
use crate::control_plane::store::Typed;
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
        let lock = match tx.get::<StateLock>(&engine.scope, &arn)? {
            Some(lock) => lock.value,
            // What was imported has its state where Proton's workflow has kept it.
            None if tx.get::<Imported>(&engine.scope, &arn)?.is_some_and(|it| it.value.state.is_some()) => {
                StateLock::free(&arn)
            }
            None => return Err(ProtonError::not_found(format!("{arn} has no state"))),
        };
        Ok::<_, ProtonError>(state(tx, &engine, &lock)?)
    });
    Ok(DescribeStateOutput { state: found.await? })
}
