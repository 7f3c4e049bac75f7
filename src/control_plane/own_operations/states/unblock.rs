//! UnblockState.

use hadron_model::hadron::{State, UnblockStateInput, UnblockStateOutput};

use super::{lock, state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::state_server::lift;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// Lets a blocked state be locked and written again, if the operator names the serial of the newest version that is here:
/// that is the one that must have been compared with what is really deployed. What was parked is dropped, and so are the
/// suspects: the newest version here counts.
pub(crate) async fn unblock_state(
    plane: &Plane,
    call: &mut Call,
    input: UnblockStateInput,
) -> Result<UnblockStateOutput, ProtonError> {
    let (_, arn) = target_of(call, &input.target_arn)?;
    let (engine, serial) = (Deployments::of(plane, call), input.serial);
    let state = plane.store.write(move |tx| unblock(tx, &engine, &arn, serial)).await?;
    plane.work.ring();
    Ok(UnblockStateOutput { state })
}

fn unblock(tx: &mut dyn Transaction, engine: &Deployments, arn: &str, serial: i64) -> Result<State, ProtonError> {
    let mut lock = lock(tx, &engine.scope, arn)?;
    let found = state(tx, engine, &lock)?;
    if found.serial != serial {
        return Err(ProtonError::conflict(format!(
            "the newest state of {arn} has serial {}, not {serial}; compare that one with what is deployed, push a newer one \
             if there is one, and name its serial",
            found.serial
        )));
    }
    // Of a state that isn't blocked this is the repeat of an answer that was lost.
    if lock.blocked.is_some() {
        lift(tx, &engine.scope, &mut lock)?;
        tx.save(&engine.scope, &mut lock)?;
    }
    Ok(state(tx, engine, &lock)?)
}

#[cfg(test)]
mod tests {
    use hadron_model::hadron::Hadron;

    use super::*;
    use crate::control_plane::records::{StateLock, StateStamp, StateVersion};
    use crate::control_plane::state_server::block;
    use crate::control_plane::test_plane::{TestPlane, environment};

    fn version(arn: &str) -> StateVersion {
        StateVersion {
            target_arn: arn.into(),
            number: 1,
            stamp: Some(StateStamp { lineage: "l".into(), serial: 7 }),
            size: 2,
            digest: "d".into(),
            at: 1,
            deployment: "d".into(),
            epoch: 1,
            agent: "a".into(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_newest_serial_unblocks_and_a_repeat_is_no_error() {
        let test = TestPlane::new().await;
        let arn = environment("dev").arn(&test.scope);
        let unblock = async |serial| {
            let input = UnblockStateInput { target_arn: arn.clone(), serial };
            test.plane.unblock_state(&mut test.call(), input).await
        };
        assert!(matches!(unblock(7).await, Err(ProtonError::ResourceNotFound(_))));
        let (scope, of) = (test.scope.clone(), arn.clone());
        test.write(move |tx| {
            tx.add(&scope, &version(&of))?;
            Ok(block(tx, &scope, &of, "restored from a backup", 5)?)
        })
        .await
        .unwrap();
        let blocked = async || test.get::<StateLock>(&arn).await.unwrap().value.blocked;
        assert_eq!(blocked().await.unwrap().serial, Some(7));
        let refusal = unblock(6).await.unwrap_err();
        assert!(matches!(&refusal, ProtonError::Conflict(words) if words.contains("serial 7, not 6")), "{refusal}");
        assert!(blocked().await.is_some());
        assert_eq!(unblock(7).await.unwrap().state.serial, 7);
        assert_eq!(blocked().await, None);
        unblock(7).await.unwrap();
    }
}
