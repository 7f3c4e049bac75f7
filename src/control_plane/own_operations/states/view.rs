//! How states, their versions and their locks are shown.

use hadron_model::Timestamp;
use hadron_model::hadron;
use serde::Deserialize;

use super::newest;
use crate::control_plane::records::{Deployment, LockHolder, StateLock, StateStamp, StateVersion};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// A target's state as it is now. One that was never written, or was deleted, has no lineage and serial 0.
pub(crate) fn state(
    tx: &mut dyn Transaction,
    scope: &Scope,
    lock: &StateLock,
    now: i64,
) -> Result<hadron::State, StoreError> {
    let last = newest(tx, scope, &lock.target_arn)?.map(|stored| stored.value);
    let stamp = last.as_ref().and_then(|version| version.stamp.clone());
    let StateStamp { lineage, serial } = stamp.unwrap_or(StateStamp { lineage: String::new(), serial: 0 });
    let lock_shown = lock.holder.as_ref().map(|holder| state_lock(tx, scope, holder, now)).transpose()?;
    Ok(hadron::State {
        target_arn: lock.target_arn.clone(),
        lineage,
        serial,
        digest: last.as_ref().map(|version| version.digest.clone()).unwrap_or_default(),
        written_at: last.as_ref().map(|version| Timestamp(version.at)),
        size: last.as_ref().map(|version| version.size),
        lock: lock_shown,
        blocked: None,
    })
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
    scope: &Scope,
    holder: &LockHolder,
    now: i64,
) -> Result<hadron::StateLock, StoreError> {
    let Info { who, operation } = serde_json::from_str(&holder.info).unwrap_or_default();
    Ok(hadron::StateLock {
        lock_id: holder.lock_id.clone(),
        deployment_id: Some(holder.deployment.clone()),
        epoch: Some(holder.epoch),
        agent: Some(holder.agent.clone()),
        since: Some(Timestamp(holder.since)),
        alive: is_alive(tx, scope, holder, now)?,
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
