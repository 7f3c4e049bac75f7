//! Refusals: a caller who may not, a signature that is wrong, a key that is over or that nobody has.

use super::Audit;
use super::canonical::time;
use super::origin::Origin;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{AccessKey, AuditEntry};
use crate::control_plane::store::{Store, StoreError, Typed};
use crate::control_plane::wire::Attempt;
use crate::support::Clock;

/// Writes down that a known caller was refused.
pub(crate) async fn refused(plane: &Plane, origin: Origin, reason: &str) {
    record(&plane.store, &plane.audit, origin.refused(plane.clock.now(), reason)).await;
}

/// Writes down that a request's signature wasn't accepted, or counts it if there are too many.
pub(crate) async fn attempted(store: &Store, clock: &Clock, audit: &Audit, attempt: Attempt) {
    let (id, now) = (attempt.access_key.clone(), clock.now());
    let found = store.read::<_, StoreError, _>(move |tx| tx.get::<AccessKey>(&AccessKey::scope(), &id)).await;
    let key = match found {
        Ok(key) => key.map(|stored| stored.value),
        Err(error) => return tracing::error!(%error, "a refusal can't be written down"),
    };
    let gate = if key.is_some() { &audit.known } else { &audit.unknown };
    if !gate.admits(now) {
        return;
    }
    let reason = match &key {
        None => "nobody has this access key",
        Some(key) if key.revoked_at.is_some() => "the access key is revoked",
        Some(key) if !key.is_active(now) => "the access key has expired",
        Some(_) => "the signature is wrong",
    };
    let whose = key.as_ref().map(|key| (key.account.as_str(), key.principal()));
    record(store, audit, Origin::of_attempt(&attempt, whose).refused(now, reason)).await;
}

/// Writes down that a request to the state server had no password that is right, or counts it if there are too many.
pub(crate) async fn unproved(plane: &Plane, origin: Origin, reason: &str) {
    let now = plane.clock.now();
    if plane.audit.unknown.admits(now) {
        record(&plane.store, &plane.audit, origin.unproved().refused(now, reason)).await;
    }
}

/// Writes down how many refusals were only counted.
pub(super) async fn tell_overflow(plane: &Plane, last: bool) -> Result<(), StoreError> {
    let now = plane.clock.now();
    for (gate, of) in [(&plane.audit.known, "signatures"), (&plane.audit.unknown, "access keys or passwords")] {
        let Some((count, since)) = gate.overflow(now, last) else { continue };
        let reason = format!("{count} more requests with wrong {of} since {}, not listed one by one", time(since));
        write(&plane.store, Origin::of_many().refused(now, &reason)).await?;
    }
    Ok(())
}

async fn record(store: &Store, audit: &Audit, entry: AuditEntry) {
    match write(store, entry).await {
        Ok(()) => audit.bell.ring(),
        // The refusal itself stands; that it isn't in the log must be known to whoever runs the server.
        Err(error) => tracing::error!(%error, "a refusal can't be written down"),
    }
}

async fn write(store: &Store, entry: AuditEntry) -> Result<(), StoreError> {
    store.write(move |tx| tx.add(&AuditEntry::scope(), &entry)).await
}
