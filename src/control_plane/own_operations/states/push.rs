//! PushState.

use hadron_model::hadron::{PushStateInput, PushStateOutput, State};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::adopt::decide;
use super::view::is_alive;
use super::{must_be_known, newest, state, target_of};
use crate::control_plane::deployments::Deployments;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{
    Imported, LockHolder, ParkedState, StateBlock, StateLock, StateStamp, StateVersion,
};
use crate::control_plane::state_server::{lift, release};
use crate::control_plane::store::{Document, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// The version of the state's format that Terraform has written since 0.12.
const FORMAT: u64 = 4;

/// A state that somebody brings.
struct Pushed {
    stamp: StateStamp,
    digest: String,
    text: String,
}

#[derive(Deserialize)]
struct Head {
    version: u64,
    lineage: String,
    serial: i64,
}

impl Pushed {
    /// Reads a state's head; the rest must be JSON.
    fn check(text: String) -> Result<Self, ProtonError> {
        let no_state = |why: String| ProtonError::validation(format!("the body is no terraform state: {why}"));
        let Head { version, lineage, serial } =
            serde_json::from_str(&text).map_err(|error| no_state(error.to_string()))?;
        if version != FORMAT {
            return Err(no_state(format!("its format is version {version}, terraform's is {FORMAT}")));
        }
        if lineage.is_empty() || serial < 0 {
            return Err(no_state("it has no lineage, or a serial below 0".into()));
        }
        let digest = hex::encode(Sha256::digest(&text));
        Ok(Self { stamp: StateStamp { lineage, serial }, digest, text })
    }
}

/// Makes a state the target's current one, as `terraform state push` does: another lineage, a lower serial, or the same
/// serial with other contents is refused unless forced; a locked state always. `parked` brings the newest state that a run
/// has parked here, by force, and unblocks the target: whoever says so has compared the two.
///
/// <https://developer.hashicorp.com/terraform/cli/commands/state/push>
pub(crate) async fn push_state(
    plane: &Plane,
    call: &mut Call,
    input: PushStateInput,
) -> Result<PushStateOutput, ProtonError> {
    let (target, arn) = target_of(call, &input.target_arn)?;
    let PushStateInput { body, force, parked, none, moves, .. } = input;
    let pushed = match (body, parked.unwrap_or_default()) {
        (Some(body), false) => Some(tokio::task::spawn_blocking(move || Pushed::check(body)).await),
        (None, true) => None,
        _ => return Err(ProtonError::validation("bring a state, or say that the parked one is meant")),
    };
    let pushed = pushed.transpose().map_err(ProtonError::internal)?.transpose()?;
    let push = Push {
        engine: Deployments::of(plane, call),
        target,
        arn,
        force: force.unwrap_or_default(),
        none: none.unwrap_or_default(),
        moves: moves.unwrap_or_default(),
        principal: call.caller.principal.clone(),
    };
    let state = plane.store.write(move |tx| match &pushed {
        Some(pushed) => push.bring(tx, pushed),
        None => push.bring_parked(tx),
    });
    let state = state.await?;
    plane.work.ring();
    Ok(PushStateOutput { state })
}

struct Push {
    engine: Deployments,
    target: Target,
    arn: String,
    force: bool,
    none: bool,
    /// The state is kept here from now on.
    moves: bool,
    principal: String,
}

impl Push {
    fn bring(&self, tx: &mut dyn Transaction, pushed: &Pushed) -> Result<State, ProtonError> {
        must_be_known(tx, &self.engine.scope, &self.target, &self.arn)?;
        self.move_here(tx)?;
        let lock = self.free_lock(tx)?;
        let last = newest(tx, &self.engine.scope, &self.arn)?;
        if !self.force && last.as_ref().is_none_or(|last| last.digest != pushed.digest) {
            self.must_continue(last.as_deref(), pushed)?;
        }
        self.write(tx, last.as_deref(), pushed)?;
        Ok(state(tx, &self.engine, &lock)?)
    }

    /// The state of an imported target may lie in a bucket. Nothing would ever look at one that is pushed here, unless it
    /// is to be kept here from now on.
    fn move_here(&self, tx: &mut dyn Transaction) -> Result<(), ProtonError> {
        let scope = &self.engine.scope;
        let Some(mut imported) = tx.get::<Imported>(scope, &self.arn)? else { return Ok(()) };
        let Some(state) = imported.state.clone() else { return Ok(()) };
        let (target, address) = (&self.target, Imported::address(&state));
        if !self.moves {
            return Err(ProtonError::conflict(format!(
                "the state of {target} lies in {address}: push it there with Terraform, or have it kept here from now on                  with `hadron import --copy-state`"
            )));
        }
        if !self.engine.settings.serves_state {
            return Err(ProtonError::conflict(format!(
                "this server keeps no state, so that of {target} stays in {address}"
            )));
        }
        if !imported.quarantined {
            return Err(ProtonError::conflict(format!(
                "{target} was adopted with its state in {address}, where it stays"
            )));
        }
        imported.moved_from = Some(state);
        imported.state = None;
        imported.plan = None;
        Ok(tx.save(scope, &mut imported)?)
    }

    /// Makes the newest parked state the current one and decides on the suspects. A dead run's lock goes with it: the run
    /// that has parked a state knew that nothing writes under it any more.
    fn bring_parked(&self, tx: &mut dyn Transaction) -> Result<State, ProtonError> {
        let scope = &self.engine.scope;
        must_be_known(tx, scope, &self.target, &self.arn)?;
        self.release_dead(tx)?;
        let mut lock = self.free_lock(tx)?;
        let top = lock.blocked.as_ref().and_then(|block| block.parked.last()).cloned();
        let nothing = || ProtonError::conflict(format!("no state of {} is parked", self.target));
        let parked = top.ok_or_else(nothing)?;
        let bytes = tx.blob(scope, ParkedState::KIND, &parked.key())?.ok_or_else(nothing)?;
        let text = String::from_utf8(bytes).map_err(ProtonError::internal)?;
        let last = newest(tx, scope, &self.arn)?;
        self.write(tx, last.as_deref(), &Pushed { stamp: parked.stamp, digest: parked.digest, text })?;
        let left = decide(&mut lock, self.none);
        let block = lock.blocked.clone();
        lift(tx, scope, &mut lock)?;
        if let Some(block) = block.filter(|_| !left.is_empty()) {
            lock.blocked = Some(StateBlock { suspects: left, parked: Vec::new(), ..block });
        }
        tx.save(scope, &mut lock)?;
        Ok(state(tx, &self.engine, &lock)?)
    }

    /// Adds a state as the newest version, unless it is that already.
    fn write(&self, tx: &mut dyn Transaction, last: Option<&StateVersion>, pushed: &Pushed) -> Result<(), ProtonError> {
        if last.is_some_and(|last| last.digest == pushed.digest) {
            return Ok(());
        }
        let version = self.version(last, pushed);
        tx.put_blob(&self.engine.scope, StateVersion::KIND, &version.key(), pushed.text.as_bytes())?;
        Ok(tx.add(&self.engine.scope, &version)?)
    }

    fn release_dead(&self, tx: &mut dyn Transaction) -> Result<(), ProtonError> {
        let (scope, now) = (&self.engine.scope, self.engine.now);
        let Some(holder) = tx.get::<StateLock>(scope, &self.arn)?.and_then(|lock| lock.value.holder) else {
            return Ok(());
        };
        if !is_alive(tx, scope, &holder, now)? {
            release(tx, scope, &self.arn, &holder.deployment, holder.epoch)?;
        }
        Ok(())
    }

    /// The lock, which nobody must hold: whoever does would write over what is pushed now.
    fn free_lock(&self, tx: &mut dyn Transaction) -> Result<Stored<StateLock>, ProtonError> {
        let scope = &self.engine.scope;
        let Some(lock) = tx.get::<StateLock>(scope, &self.arn)? else {
            tx.add(scope, &StateLock::free(&self.arn))?;
            let added = tx.get::<StateLock>(scope, &self.arn)?;
            return Ok(added.expect("a document that was just added is there"));
        };
        let Some(LockHolder { lock_id, deployment, agent, .. }) = &lock.holder else { return Ok(lock) };
        let holder = lock.holder.as_ref();
        let alive = holder.map(|holder| is_alive(tx, scope, holder, self.engine.now)).transpose()?;
        let advice = match alive {
            Some(true) => "wait for that run to end",
            _ => "that run is over: release its lock first",
        };
        Err(ProtonError::conflict(format!(
            "the state of {} is locked by deployment {deployment} of agent {agent}, lock {lock_id}; {advice}",
            self.target
        )))
    }

    fn must_continue(&self, last: Option<&StateVersion>, pushed: &Pushed) -> Result<(), ProtonError> {
        let Some(found) = last.and_then(|version| version.stamp.as_ref()) else { return Ok(()) };
        let given = &pushed.stamp;
        let refusal = if found.lineage != given.lineage {
            format!("its lineage is {}, that of the state here is {}", given.lineage, found.lineage)
        } else if given.serial < found.serial {
            format!("its serial is {}, that of the state here is {} already", given.serial, found.serial)
        } else if given.serial == found.serial {
            format!("its serial is {}, as that of the state here, which has other contents", given.serial)
        } else {
            return Ok(());
        };
        Err(ProtonError::conflict(format!("this state doesn't continue the one of {}: {refusal}", self.target)))
    }

    fn version(&self, last: Option<&StateVersion>, pushed: &Pushed) -> StateVersion {
        StateVersion {
            target_arn: self.arn.clone(),
            number: last.map_or(0, |version| version.number) + 1,
            stamp: Some(pushed.stamp.clone()),
            size: i64::try_from(pushed.text.len()).unwrap_or(i64::MAX),
            digest: pushed.digest.clone(),
            at: self.engine.now,
            deployment: String::new(),
            epoch: 0,
            agent: self.principal.clone(),
        }
    }
}
