//! ListDeadLetters.

use hadron_model::Timestamp;
use hadron_model::hadron::{self, ListDeadLettersInput, ListDeadLettersOutput, Operation};

use crate::control_plane::events::DeadLetter;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::store::{ALL, Document, Stored};
use crate::control_plane::wire::{Call, ProtonError};

/// The account's dead letters in this region, oldest first; of one sink, also of one that isn't configured any more.
pub(crate) async fn list_dead_letters(
    plane: &Plane,
    call: &mut Call,
    input: ListDeadLettersInput,
) -> Result<ListDeadLettersOutput, ProtonError> {
    let ListDeadLettersInput { sink, max_results, next_token } = input;
    let listing = Listing::new(call, Operation::ListDeadLetters, &sink, max_results, next_token)?;
    let page = plane.store.read(move |tx| {
        let term = sink.as_deref().map_or((ALL, ""), |sink| ("sink", sink));
        listing.page::<DeadLetter>(tx, term, false, |_| true)
    });
    let page = page.await?.map(|dead| shown(&dead));
    Ok(ListDeadLettersOutput { dead_letters: page.items, next_token: page.next_token })
}

fn shown(dead: &Stored<DeadLetter>) -> hadron::DeadLetter {
    let event = dead.event();
    hadron::DeadLetter {
        id: dead.key(),
        sink: dead.sink().to_owned(),
        event_id: event.id.clone(),
        detail_type: event.detail_type.clone(),
        resource_arn: event.resources.first().cloned(),
        at: Timestamp(dead.at),
        attempts: dead.attempts.into(),
        last_error: dead.last_error.clone(),
    }
}
