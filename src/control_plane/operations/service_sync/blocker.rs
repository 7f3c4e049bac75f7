//! What a change by hand does to syncing: it stops, so that the change isn't overwritten.

use hadron_model as model;
use hadron_model::{BlockerStatus, BlockerType, SyncBlockerContext, Timestamp};

use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::{ServiceSyncConfig, SyncBlocker};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// How many blockers of a service or an instance are remembered, resolved ones among them.
pub(super) const KEPT: usize = 10;

/// What someone did to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Blocks the instance. What blocked an earlier one of the same name is forgotten.
    Created,
    /// Blocks the instance.
    Updated,
    /// Blocks the whole service.
    Deleted,
}

/// Notes a change by hand of an instance of a service that is synced; of any other service there is nothing to block.
/// What is blocked already stays blocked for its first reason.
pub(crate) fn block(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    (service, instance): (&str, &str),
    change: Change,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    if tx.get::<ServiceSyncConfig>(scope, service)?.is_none() {
        return Ok(());
    }
    let blocked = (change != Change::Deleted).then_some(instance);
    let mut known = of(tx, engine, service, blocked)?;
    if change == Change::Created {
        for old in known.drain(..) {
            tx.delete(scope, &old)?;
        }
    }
    if known.iter().any(|it| it.status == BlockerStatus::Active) {
        return Ok(());
    }
    // The new one makes KEPT.
    for old in known.iter().rev().skip(KEPT - 1) {
        tx.delete(scope, old)?;
    }
    Ok(tx.add(scope, &raised(engine, service, instance, change))?)
}

/// The blockers of a service or of one of its instances, oldest first.
pub(super) fn of(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    service: &str,
    instance: Option<&str>,
) -> Result<Vec<Stored<SyncBlocker>>, ProtonError> {
    Ok(tx.by_term(&engine.scope, SyncBlocker::OF_SUBJECT, &SyncBlocker::subject(service, instance))?)
}

/// Reason and context follow the one answer of AWS's that users have published.
fn raised(engine: &Deployments, service: &str, instance: &str, change: Change) -> SyncBlocker {
    let target = Target::ServiceInstance { service: service.to_owned(), name: instance.to_owned() };
    let (arn, at) = (target.arn(&engine.scope), date(engine.now));
    let done = match change {
        Change::Created => "created",
        Change::Updated => "modified",
        Change::Deleted => "deleted",
    };
    SyncBlocker {
        id: uuid::Uuid::new_v4().to_string(),
        service: service.to_owned(),
        instance: (change != Change::Deleted).then(|| instance.to_owned()),
        status: BlockerStatus::Active,
        created_at: engine.now,
        created_reason: format!(
            "Target {arn} was {done} at time {at} by something besides ServiceSync. Syncing is disabled, so that it \
             doesn't overwrite that; UpdateServiceSyncBlocker enables it again."
        ),
        contexts: vec![(BlockerType::Automated.to_string(), at)],
        resolved_at: None,
        resolved_reason: None,
    }
}

/// `Wed Apr 12 08:13:41 UTC 2023`.
fn date(now: i64) -> String {
    jiff::Timestamp::from_millisecond(now).map_or_else(
        |_| now.to_string(),
        |at| jiff::fmt::strtime::format("%a %b %d %H:%M:%S UTC %Y", at).unwrap_or_else(|_| at.to_string()),
    )
}

/// A blocker in Proton's words.
pub(super) fn shown(it: &SyncBlocker) -> model::SyncBlocker {
    let context = |(key, value): &(String, String)| SyncBlockerContext { key: key.clone(), value: value.clone() };
    model::SyncBlocker {
        contexts: Some(it.contexts.iter().map(context).collect()),
        created_at: Timestamp(it.created_at),
        created_reason: it.created_reason.clone(),
        id: it.id.clone(),
        resolved_at: it.resolved_at.map(Timestamp),
        resolved_reason: it.resolved_reason.clone(),
        status: it.status,
        r#type: BlockerType::Automated,
    }
}
