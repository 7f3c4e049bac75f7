//! ReplayDeadLetters.

use hadron_model::hadron::{ReplayDeadLettersInput, ReplayDeadLettersOutput};

use crate::control_plane::events::{DeadLetter, replay, unknown_sink};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::{ALL, Select, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// So many letters share a transaction.
const PAGE: usize = 100;

/// Puts dead letters back into the outbox: those that are named, else all, of one sink if it is named.
///
/// # Errors
/// `ResourceNotFoundException` if a sink isn't configured or a letter isn't there; of letters that are named, none is
/// sent then.
pub(crate) async fn replay_dead_letters(
    plane: &Plane,
    call: &mut Call,
    input: ReplayDeadLettersInput,
) -> Result<ReplayDeadLettersOutput, ProtonError> {
    let ReplayDeadLettersInput { sink, ids } = input;
    if let Some(sink) = sink.as_deref().filter(|sink| plane.events.sink(sink).is_none()) {
        return Err(unknown_sink(sink));
    }
    let mut replayed = 0;
    loop {
        let (events, scope, now) = (plane.events.clone(), call.scope.clone(), call.now);
        let (sink, named) = (sink.clone(), ids.clone());
        let work = move |tx: &mut dyn Transaction| {
            let chosen = match &named {
                Some(ids) => named_letters(tx, &scope, ids, sink.as_deref())?,
                None => page(tx, &scope, sink.as_deref(), now)?,
            };
            for dead in &chosen {
                // A letter of a sink that is gone would wait for ever.
                events.sink(dead.sink()).ok_or_else(|| unknown_sink(dead.sink()))?;
                replay(tx, &scope, dead, now)?;
            }
            Ok::<_, ProtonError>(chosen.len())
        };
        let count = plane.store.write(work).await?;
        plane.events.ring();
        replayed += count;
        if ids.is_some() || count < PAGE {
            return Ok(ReplayDeadLettersOutput { replayed: i64::try_from(replayed).unwrap_or(i64::MAX) });
        }
    }
}

fn named_letters(
    tx: &mut dyn Transaction,
    scope: &Scope,
    ids: &[String],
    sink: Option<&str>,
) -> Result<Vec<Stored<DeadLetter>>, ProtonError> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids.dedup();
    let find = |id: &String| {
        let found = tx.get::<DeadLetter>(scope, id)?.filter(|dead| sink.is_none_or(|sink| dead.sink() == sink));
        found.ok_or_else(|| ProtonError::not_found(format!("There is no dead letter {id}")))
    };
    ids.iter().map(find).collect()
}

/// The oldest. What dies again while this goes on is left for another time: it would never end.
fn page(
    tx: &mut dyn Transaction,
    scope: &Scope,
    sink: Option<&str>,
    now: i64,
) -> Result<Vec<Stored<DeadLetter>>, ProtonError> {
    let (term, value) = sink.map_or((ALL, ""), |sink| ("sink", sink));
    let select = Select { term, value, after: None, descending: false, limit: PAGE };
    let found = tx.page::<DeadLetter>(scope, &select)?;
    Ok(found.into_iter().filter(|dead| dead.at <= now).collect())
}
