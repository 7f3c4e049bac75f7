//! BlockState.

use hadron_model::hadron::{self, BlockStateInput, BlockStateOutput};

use super::view::is_alive;
use super::{lock, must_be_known, state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::StateLock;
use crate::control_plane::state_server::block;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// Lets nobody lock a state, and so nobody change what it is of, until UnblockState; a target whose state lies elsewhere
/// isn't handed to agents either. A run that is at work is let finish: it is refused. A state that is blocked for another reason keeps that one, which tells how it must be settled.
pub(crate) async fn block_state(
    plane: &Plane,
    call: &mut Call,
    input: BlockStateInput,
) -> Result<BlockStateOutput, ProtonError> {
    let (target, arn) = target_of(call, &input.target_arn)?;
    let (engine, reason) = (Deployments::of(plane, call), input.reason);
    let state = plane.store.write(move |tx| {
        must_be_known(tx, &engine.scope, &target, &arn)?;
        close(tx, &engine, &arn, &reason)
    });
    Ok(BlockStateOutput { state: state.await? })
}

fn close(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    arn: &str,
    reason: &str,
) -> Result<hadron::State, ProtonError> {
    let scope = &engine.scope;
    let found = tx.get::<StateLock>(scope, arn)?.map_or_else(|| StateLock::free(arn), |stored| stored.value);
    if let Some(holder) = &found.holder {
        let life =
            if is_alive(tx, scope, holder, engine.now)? { "is at work on it" } else { "has left its lock on it" };
        return Err(ProtonError::conflict(format!(
            "deployment {} {life} (lock {}): wait for it, or release the lock",
            holder.deployment, holder.lock_id
        )));
    }
    match &found.blocked {
        Some(there) if there.reason != reason => {
            return Err(ProtonError::conflict(format!("the state of {arn} is blocked already: {}", there.reason)));
        }
        // The repeat of an answer that was lost.
        Some(_) => {}
        None => block(tx, scope, arn, reason, engine.now)?,
    }
    let blocked = lock(tx, scope, arn)?;
    Ok(state(tx, engine, &blocked)?)
}

#[cfg(test)]
mod tests {
    use hadron_model::hadron::{BlockStateInput, Hadron};

    use super::*;
    use crate::control_plane::test_plane::{TestPlane, environment};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_state_is_blocked_once_and_the_first_reason_stays() {
        let test = TestPlane::new().await;
        let arn = environment("dev").arn(&test.scope);
        let close = async |reason: &str| {
            let input = BlockStateInput { target_arn: arn.clone(), reason: reason.into() };
            test.plane.block_state(&mut test.call(), input).await
        };
        assert!(matches!(close("moved").await, Err(ProtonError::ResourceNotFound(_))));
        // Its state is none of ours yet, or never will be: it lies in a bucket.
        let deployment = test.environment("dev").await;
        assert_eq!(close("moved").await.unwrap().state.blocked.unwrap().reason, "moved");
        close("moved").await.unwrap();
        let refusal = close("another").await.unwrap_err();
        assert!(matches!(&refusal, ProtonError::Conflict(words) if words.contains("moved")), "{refusal}");
        assert!(test.agent("a").claim(&deployment).await.is_err(), "nobody gets what has left");
    }
}
