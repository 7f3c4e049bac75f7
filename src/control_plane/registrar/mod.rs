//! Checks the bundles of new template versions: `REGISTRATION_IN_PROGRESS` becomes `DRAFT` or `REGISTRATION_FAILED`.
//!
//! What waits stands in the record, so a restart continues where it was. Versions are taken oldest first and one at a
//! time, since a minor is held against the minors before it.

mod check;
mod record;

use std::collections::HashMap;
use std::time::Duration;

use hadron_model::TemplateVersionStatus;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::check::{Checked, Verdict};
use super::plane::Plane;
use super::records::{Template, TemplateVersion};
use super::store::{Document, StoreError, Transaction, Typed};
use crate::domain::Scope;

/// How often a bundle is asked for while the object store fails for reasons that may pass: for about two minutes.
const TRIES: u32 = 10;

/// The longest sleep: what another server took in and couldn't ring for, because it died, is found by looking.
const LONGEST: Duration = Duration::from_secs(15);

/// A version that waits, with all that its check needs from the record.
#[derive(Debug, Clone)]
struct Waiting {
    scope: Scope,
    version: TemplateVersion,
    customer_managed: bool,
}

/// The failed tries of a version, and when the next one is due.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    tries: u32,
    next: Instant,
}

/// Registers versions until `shutdown`.
pub async fn run(plane: Plane, shutdown: CancellationToken) {
    let mut bell = plane.registrations.subscribe();
    let mut troubles = HashMap::new();
    loop {
        bell.mark_unchanged();
        let next = tokio::select! {
            () = shutdown.cancelled() => return,
            next = register_all(&plane, &mut troubles) => next,
        };
        let longest = Instant::now() + LONGEST;
        let due = tokio::time::sleep_until(next.map_or(longest, |next| next.min(longest)));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = due => {}
            // The bell can't be gone: the plane here holds it too.
            _ = bell.changed() => {}
        }
    }
}

/// Checks everything that waits and is due; returns when to look again unless the bell rings earlier.
async fn register_all(plane: &Plane, troubles: &mut HashMap<(Scope, String), Trouble>) -> Option<Instant> {
    let found = match plane.store.read(waiting).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "the record can't tell which template versions wait for registration");
            return Some(Instant::now() + delay(TRIES));
        }
    };
    let identity = |waiting: &Waiting| (waiting.scope.clone(), waiting.version.key());
    troubles.retain(|key, _| found.iter().any(|waiting| identity(waiting) == *key));
    for waiting in found {
        let key = identity(&waiting);
        let trouble = troubles.get(&key).copied();
        if trouble.is_some_and(|trouble| trouble.next > Instant::now()) {
            continue;
        }
        let tries = trouble.map_or(0, |trouble| trouble.tries) + 1;
        if register(plane, waiting, tries >= TRIES).await {
            troubles.remove(&key);
        } else {
            troubles.insert(key, Trouble { tries, next: Instant::now() + delay(tries) });
        }
    }
    troubles.values().map(|trouble| trouble.next).min()
}

/// Checks one version and records the result; false if it is to be tried again.
async fn register(plane: &Plane, waiting: Waiting, last_try: bool) -> bool {
    let version = waiting.version.key();
    let verdict = match check::check(plane, &waiting).await {
        Ok(verdict) => verdict,
        Err(passing) if last_try => Verdict::Failed(format!("gave up after {TRIES} tries: {passing}")),
        Err(passing) => {
            tracing::warn!(version, reason = %passing, "the bundle of {version} can't be had now and is tried again");
            return false;
        }
    };
    if let Verdict::Failed(reason) = &verdict {
        tracing::info!(version, reason, "template version {version} failed its registration");
    } else {
        tracing::info!(version, "registered template version {version}");
    }
    match record::record(plane, waiting, verdict).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(version, %error, "the registration of {version} can't be recorded");
            false
        }
    }
}

/// How long to wait after so many failed tries: 0.5 s, doubling up to 30 s.
fn delay(tries: u32) -> Duration {
    Duration::from_millis(500 << tries.saturating_sub(1).min(6)).min(Duration::from_secs(30))
}

/// Everything that waits, in every scope, oldest first.
fn waiting(tx: &mut dyn Transaction) -> Result<Vec<Waiting>, StoreError> {
    let status = TemplateVersionStatus::RegistrationInProgress.as_str();
    let mut found = Vec::new();
    for scope in tx.scopes(TemplateVersion::KIND)? {
        for version in tx.by_term::<TemplateVersion>(&scope, "status", status)? {
            let template = tx.get::<Template>(&scope, &Template::key_of(version.kind, &version.template))?;
            let customer_managed = template.is_some_and(|template| template.customer_managed);
            found.push(Waiting { scope: scope.clone(), version: version.value, customer_managed });
        }
    }
    found.sort_by_key(|waiting| (waiting.version.created_at, waiting.version.version));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn ten_tries_take_two_minutes_and_never_wait_longer_than_half_a_minute() {
        let delays: Vec<u128> = (1..super::TRIES).map(|tries| delay(tries).as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    }
}
