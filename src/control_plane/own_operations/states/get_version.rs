//! GetStateVersion.

use hadron_model::hadron::{GetStateVersionInput, GetStateVersionOutput};

use super::{newest, target_of, view};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{ParkedState, StateLock, StateVersion};
use crate::control_plane::store::{Document, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// A state's text: the current one, or the last that had a serial; or of those that are parked.
pub(crate) async fn get_state_version(
    plane: &Plane,
    call: &mut Call,
    input: GetStateVersionInput,
) -> Result<GetStateVersionOutput, ProtonError> {
    let (_, arn) = target_of(call, &input.target_arn)?;
    let (scope, serial) = (call.scope.clone(), input.serial);
    if input.parked.unwrap_or_default() {
        return parked(plane, scope, arn, serial).await;
    }
    let missing = match serial {
        Some(serial) => format!("{arn} has no state of serial {serial}"),
        None => format!("{arn} has no state"),
    };
    let found = plane.store.read(move |tx| {
        let Some(stored) = find(tx, &scope, &arn, serial)? else { return Ok(None) };
        let body = tx.blob(&scope, StateVersion::KIND, &stored.key())?;
        Ok::<_, ProtonError>(view::version(&stored).zip(body))
    });
    let (state_version, body) = found.await?.ok_or_else(|| ProtonError::not_found(missing))?;
    let body = String::from_utf8(body).map_err(ProtonError::internal)?;
    Ok(GetStateVersionOutput { state_version, body })
}

/// The text of a state that is parked: of this serial, or the newest.
async fn parked(
    plane: &Plane,
    scope: Scope,
    arn: String,
    serial: Option<i64>,
) -> Result<GetStateVersionOutput, ProtonError> {
    let missing = format!("{arn} has no such state parked");
    let found = plane.store.read::<_, ProtonError, _>(move |tx| {
        let block = tx.get::<StateLock>(&scope, &arn)?.and_then(|lock| lock.value.blocked);
        let all = block.map(|block| block.parked).unwrap_or_default();
        let meant = |it: &ParkedState| serial.is_none_or(|serial| it.stamp.serial == serial);
        let Some(parked) = all.into_iter().rfind(meant) else { return Ok(None) };
        let body = tx.blob(&scope, ParkedState::KIND, &parked.key())?;
        Ok(body.map(|body| (view::parked(&parked), body)))
    });
    let (state_version, body) = found.await?.ok_or_else(|| ProtonError::not_found(missing))?;
    let body = String::from_utf8(body).map_err(ProtonError::internal)?;
    Ok(GetStateVersionOutput { state_version, body })
}

fn find(
    tx: &mut dyn Transaction,
    scope: &Scope,
    arn: &str,
    serial: Option<i64>,
) -> Result<Option<Stored<StateVersion>>, StoreError> {
    let Some(serial) = serial else {
        return Ok(newest(tx, scope, arn)?.filter(|version| version.stamp.is_some()));
    };
    // A serial that was written twice means the later text.
    let versions = tx.by_term::<StateVersion>(scope, StateVersion::OF_TARGET, arn)?;
    Ok(versions.into_iter().rfind(|version| version.stamp.as_ref().is_some_and(|stamp| stamp.serial == serial)))
}
