//! AdoptResources.

use hadron_model::hadron::{self, AdoptResourcesInput, AdoptResourcesOutput, State};

use super::{must_be_known, state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Adoption, StateLock, Suspect};
use crate::control_plane::state_server::lift;
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Notes which resources the target's next run must bring into the state, and by which ids; `none` says that no other of
/// the suspects exists. Once no suspect is left undecided, and nothing is parked, the state is unblocked. What a restore
/// has blocked stays blocked: there are no suspects to decide on.
pub(crate) async fn adopt_resources(
    plane: &Plane,
    call: &mut Call,
    input: AdoptResourcesInput,
) -> Result<AdoptResourcesOutput, ProtonError> {
    let (target, arn) = target_of(call, &input.target_arn)?;
    let (named, none) = (input.adoptions.unwrap_or_default(), input.none.unwrap_or_default());
    if named.is_empty() && !none {
        return Err(ProtonError::validation("name resources by address and id, or say that none exists"));
    }
    let engine = Deployments::of(plane, call);
    let state = plane.store.write(move |tx| adopt(tx, &engine, (&target, &arn), &named, none)).await?;
    plane.work.ring();
    Ok(AdoptResourcesOutput { state })
}

fn adopt(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    (target, arn): (&Target, &str),
    named: &[hadron::Adoption],
    none: bool,
) -> Result<State, ProtonError> {
    must_be_known(tx, &engine.scope, target, arn)?;
    if tx.get::<StateLock>(&engine.scope, arn)?.is_none() {
        tx.add(&engine.scope, &StateLock::free(arn))?;
    }
    let mut lock = super::lock(tx, &engine.scope, arn)?;
    for it in named {
        let asked =
            lock.blocked.as_ref().is_some_and(|block| block.suspects.iter().any(|known| known.address == it.address));
        note(&mut lock, &it.address, &it.id, asked);
    }
    if none {
        // What doesn't exist is no longer to be adopted, whatever was said of it before. Where nothing is in doubt, all that
        // nobody had asked for is taken back; an answer stays, since this may be a repeat of the word that lifted the block.
        let suspects = lock.blocked.as_ref().map(|block| block.suspects.as_slice());
        let absent = |known: &Adoption| match suspects {
            Some(all) => all.iter().any(|suspect| suspect.address == known.address),
            None => !known.asked,
        };
        let named = |address: &str| named.iter().any(|it| it.address == address);
        let kept = |known: &Adoption| named(&known.address) || !absent(known);
        lock.value.adoptions = lock.adoptions.iter().filter(|known| kept(known)).cloned().collect();
    }
    if let Some(block) = lock.blocked.as_mut().filter(|block| !block.suspects.is_empty()) {
        block.suspects.retain(|suspect| !none && !named.iter().any(|it| it.address == suspect.address));
        if block.suspects.is_empty() && block.parked.is_empty() && block.by.is_some() {
            lift(tx, &engine.scope, &mut lock)?;
        }
    }
    tx.save(&engine.scope, &mut lock)?;
    Ok(state(tx, engine, &lock)?)
}

/// Notes an adoption behind those that are there; one of the same address is replaced, and what answers a suspect still
/// does so when its id is corrected.
pub(super) fn note(lock: &mut StateLock, address: &str, id: &str, asked: bool) {
    if lock.adoptions.iter().any(|known| known.address == address && known.id == id && (known.asked || !asked)) {
        return;
    }
    let asked = asked || lock.adoptions.iter().any(|known| known.address == address && known.asked);
    lock.adoptions.retain(|known| known.address != address);
    lock.adopted += 1;
    lock.adoptions.push(Adoption { number: lock.adopted, address: address.to_owned(), id: id.to_owned(), asked });
}

/// Decides on the suspects when the newest parked state becomes the current one: what it has needs nothing, what has an id
/// is adopted, what has none is left undecided unless none of them exists.
pub(super) fn decide(lock: &mut StateLock, none: bool) -> Vec<Suspect> {
    let suspects = lock.blocked.as_ref().map(|block| block.suspects.clone()).unwrap_or_default();
    let mut left = Vec::new();
    for suspect in suspects.into_iter().filter(|suspect| !suspect.in_parked) {
        match &suspect.id {
            Some(id) => note(lock, &suspect.address, id, true),
            None if !none => left.push(suspect),
            None => {}
        }
    }
    left
}
