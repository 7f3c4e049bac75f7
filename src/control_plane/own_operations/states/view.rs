//! How states, their versions and their locks are shown.

use hadron_model::Timestamp;
use hadron_model::hadron;
use serde::Deserialize;

use super::newest;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::{
    Adoption, Deployment, Imported, LockHolder, ParkedState, StateBlock, StateLock, StateStamp, StateVersion, Suspect,
    TargetRuns,
};
use crate::control_plane::state_server::{dies_at, ways_out};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// A target's state as it is now. One that was never written, or was deleted, has no lineage and serial 0.
pub(crate) fn state(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    lock: &StateLock,
) -> Result<hadron::State, StoreError> {
    let (scope, arn) = (&engine.scope, &lock.target_arn);
    let last = newest(tx, scope, arn)?.map(|stored| stored.value);
    let stamp = last.as_ref().and_then(|version| version.stamp.clone());
    let StateStamp { lineage, serial } = stamp.unwrap_or(StateStamp { lineage: String::new(), serial: 0 });
    let lock_shown = lock.holder.as_ref().map(|holder| state_lock(tx, engine, arn, holder)).transpose()?;
    let runs = tx.get::<TargetRuns>(scope, arn)?.map(|runs| runs.value.unsettled).unwrap_or_default();
    let imported = tx.get::<Imported>(scope, arn)?.and_then(|imported| imported.value.state);
    let adoption = |it: &Adoption| hadron::Adoption { address: it.address.clone(), id: it.id.clone() };
    Ok(hadron::State {
        target_arn: lock.target_arn.clone(),
        lineage,
        serial,
        digest: last.as_ref().map(|version| version.digest.clone()).unwrap_or_default(),
        written_at: last.as_ref().map(|version| Timestamp(version.at)),
        size: last.as_ref().map(|version| version.size),
        at: imported,
        lock: lock_shown,
        blocked: lock.blocked.as_ref().map(|block| state_block(arn, block, serial)),
        adoptions: listed(lock.adoptions.iter().map(adoption)),
        unsettled_runs: listed(runs.iter().map(|run| format!("{}.{}", run.deployment, run.epoch))),
    })
}

/// What blocks a state, and the commands that lift it; `serial` is that of the newest version.
fn state_block(arn: &str, block: &StateBlock, serial: i64) -> hadron::StateBlock {
    let suspect = |it: &Suspect| hadron::Suspect {
        address: it.address.clone(),
        resource_type: it.kind.clone(),
        id: it.id.clone(),
        why: it.why.clone(),
    };
    let parked = |it: &ParkedState| hadron::ParkedState {
        serial: it.stamp.serial,
        lineage: it.stamp.lineage.clone(),
        digest: it.digest.clone(),
        size: it.size,
        parked_at: Timestamp(it.at),
        deployment_id: it.by.deployment.clone(),
        epoch: it.by.epoch,
    };
    hadron::StateBlock {
        reason: block.reason.clone(),
        since: Timestamp(block.since),
        serial: block.serial,
        deployment_id: block.by.as_ref().map(|by| by.deployment.clone()),
        epoch: block.by.as_ref().map(|by| by.epoch),
        agent: block.by.as_ref().map(|by| by.agent.clone()),
        suspects: listed(block.suspects.iter().map(suspect)),
        parked: listed(block.parked.iter().map(parked)),
        commands: ways_out(arn, block, serial),
    }
}

/// A list, or none of nothing.
fn listed<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    Some(items.collect::<Vec<_>>()).filter(|items| !items.is_empty())
}

/// Terraform's own description of a lock, as far as it helps an operator.
#[derive(Default, Deserialize)]
struct Info {
    #[serde(rename = "Who")]
    who: Option<String>,
    #[serde(rename = "Operation")]
    operation: Option<String>,
}

/// A lock that is held.
pub(crate) fn state_lock(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    target_arn: &str,
    holder: &LockHolder,
) -> Result<hadron::StateLock, StoreError> {
    let (scope, now, lease) = (&engine.scope, engine.now, engine.settings.lease);
    let Info { who, operation } = serde_json::from_str(&holder.info).unwrap_or_default();
    Ok(hadron::StateLock {
        lock_id: holder.lock_id.clone(),
        deployment_id: Some(holder.deployment.clone()),
        epoch: Some(holder.epoch),
        agent: Some(holder.agent.clone()),
        since: Some(Timestamp(holder.since)),
        alive: is_alive(tx, scope, holder, now)?,
        released_at: dies_at(tx, scope, target_arn, holder, lease)?.map(Timestamp),
        who,
        operation,
    })
}

/// Whether the run that holds a lock is alive: its claim is the current one, and its lease hasn't run out.
pub(super) fn is_alive(
    tx: &mut dyn Transaction,
    scope: &Scope,
    holder: &LockHolder,
    now: i64,
) -> Result<bool, StoreError> {
    let deployment = tx.get::<Deployment>(scope, &holder.deployment)?;
    Ok(deployment.is_some_and(|it| it.in_flight() && it.epoch == holder.epoch && it.live_lease(now).is_some()))
}

/// A version that holds a state; a deletion isn't shown.
pub(super) fn version(version: &StateVersion) -> Option<hadron::StateVersion> {
    let StateStamp { lineage, serial } = version.stamp.clone()?;
    Some(hadron::StateVersion {
        serial,
        lineage,
        digest: version.digest.clone(),
        size: version.size,
        written_at: Timestamp(version.at),
        deployment_id: Some(version.deployment.clone()).filter(|id| !id.is_empty()),
        written_by: Some(version.agent.clone()).filter(|agent| !agent.is_empty()),
    })
}

/// A parked state as a version that isn't one yet.
pub(super) fn parked(parked: &ParkedState) -> hadron::StateVersion {
    hadron::StateVersion {
        serial: parked.stamp.serial,
        lineage: parked.stamp.lineage.clone(),
        digest: parked.digest.clone(),
        size: parked.size,
        written_at: Timestamp(parked.at),
        deployment_id: Some(parked.by.deployment.clone()),
        written_by: Some(parked.by.agent.clone()).filter(|agent| !agent.is_empty()),
    }
}
