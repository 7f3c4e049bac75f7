//! PushState.

use hadron_model::hadron::{PushStateInput, PushStateOutput};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::view::is_alive;
use super::{must_be_known, newest, state, target_of};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{LockHolder, StateLock, StateStamp, StateVersion};
use crate::control_plane::store::{Document, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

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
/// serial with other contents is refused unless forced; a locked state always.
///
/// <https://developer.hashicorp.com/terraform/cli/commands/state/push>
pub(crate) async fn push_state(
    plane: &Plane,
    call: &mut Call,
    input: PushStateInput,
) -> Result<PushStateOutput, ProtonError> {
    let (target, arn) = target_of(call, &input.target_arn)?;
    let PushStateInput { body, force, .. } = input;
    let checked = tokio::task::spawn_blocking(move || Pushed::check(body));
    let pushed = checked.await.map_err(ProtonError::internal)??;
    let push = Push {
        scope: call.scope.clone(),
        target,
        arn,
        force: force.unwrap_or_default(),
        principal: call.caller.principal.clone(),
        now: call.now,
    };
    let state = plane.store.write(move |tx| push.write(tx, &pushed)).await?;
    Ok(PushStateOutput { state })
}

struct Push {
    scope: Scope,
    target: Target,
    arn: String,
    force: bool,
    principal: String,
    now: i64,
}

impl Push {
    fn write(&self, tx: &mut dyn Transaction, pushed: &Pushed) -> Result<hadron_model::hadron::State, ProtonError> {
        must_be_known(tx, &self.scope, &self.target, &self.arn)?;
        let lock = self.free_lock(tx)?;
        let last = newest(tx, &self.scope, &self.arn)?;
        if last.as_ref().is_none_or(|last| last.digest != pushed.digest) {
            if !self.force {
                self.must_continue(last.as_deref(), pushed)?;
            }
            let version = self.version(last.as_deref(), pushed);
            tx.put_blob(&self.scope, StateVersion::KIND, &version.key(), pushed.text.as_bytes())?;
            tx.add(&self.scope, &version)?;
        }
        Ok(state(tx, &self.scope, &lock, self.now)?)
    }

    /// The lock, which nobody must hold: whoever does would write over what is pushed now.
    fn free_lock(&self, tx: &mut dyn Transaction) -> Result<Stored<StateLock>, ProtonError> {
        let Some(lock) = tx.get::<StateLock>(&self.scope, &self.arn)? else {
            tx.add(&self.scope, &StateLock::free(&self.arn))?;
            let added = tx.get::<StateLock>(&self.scope, &self.arn)?;
            return Ok(added.expect("a document that was just added is there"));
        };
        let Some(LockHolder { lock_id, deployment, agent, .. }) = &lock.holder else { return Ok(lock) };
        let alive = lock.holder.as_ref().map(|holder| is_alive(tx, &self.scope, holder, self.now)).transpose()?;
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
            at: self.now,
            deployment: String::new(),
            epoch: 0,
            agent: self.principal.clone(),
        }
    }
}
