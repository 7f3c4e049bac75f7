//! ListStates.

use hadron_model::hadron::{ListStatesInput, ListStatesOutput, Operation};

use super::state;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::listing::Listing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::StateLock;
use crate::control_plane::store::ALL;
use crate::control_plane::wire::{Call, ProtonError};

/// Every state there is, by its target's ARN; those of targets that are gone among them.
pub(crate) async fn list_states(
    plane: &Plane,
    call: &mut Call,
    input: ListStatesInput,
) -> Result<ListStatesOutput, ProtonError> {
    let ListStatesInput { blocked, locked, max_results, next_token } = input;
    let listing = Listing::new(call, Operation::ListStates, &(blocked, locked), max_results, next_token)?;
    let engine = Deployments::of(plane, call);
    let page = plane.store.read(move |tx| {
        let wanted = |lock: &StateLock| {
            locked.is_none_or(|wanted| lock.holder.is_some() == wanted)
                && blocked.is_none_or(|wanted| lock.blocked.is_some() == wanted)
        };
        let term = match (locked, blocked) {
            (Some(true), _) => StateLock::HELD,
            (_, Some(true)) => StateLock::BLOCKED,
            _ => ALL,
        };
        let page = listing.page::<StateLock>(tx, (term, ""), false, wanted)?;
        let states: Result<Vec<_>, _> = page.items.iter().map(|lock| state(tx, &engine, lock)).collect();
        Ok::<_, ProtonError>(ListStatesOutput { states: states?, next_token: page.next_token })
    });
    page.await
}
