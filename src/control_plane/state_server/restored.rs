//! Terraform's states after a restore: an old backup never takes a state back. What the replaced record proves to be newer
//! is carried over, and what nobody can prove is blocked.

use std::collections::BTreeSet;

use super::block::block;
use super::versions::newest;
use crate::control_plane::audit;
use crate::control_plane::records::{Deployment, StateLock, StateVersion};
use crate::control_plane::store::{Document, Store, StoreError, Transaction, Typed};
use crate::domain::Scope;
use crate::support::Clock;

/// What became of a target's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The replaced record has the same one.
    Same,
    /// The replaced record's newer one is the newest now.
    CarriedOver,
    /// Nothing proves that it is the newest.
    Blocked,
}

/// A target's state after a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredState {
    /// The target's ARN.
    pub arn: String,
    /// The serial of the newest version that is there now; none without a state.
    pub serial: Option<i64>,
    /// What was done.
    pub verdict: Verdict,
}

/// Compares every state of a restored record that nobody serves yet with the record that it replaces, and carries it over
/// or blocks it. `reason` tells whoever finds it blocked which backup it comes from.
///
/// # Errors
/// That the restored record refuses. What the replaced one refuses counts as no proof.
pub async fn prove(
    restored: &Store,
    replaced: Option<&Store>,
    reason: &str,
    clock: &Clock,
) -> Result<Vec<RestoredState>, StoreError> {
    let mut targets = targets(restored, true).await?;
    if let Some(replaced) = replaced {
        // One that began after the backup; a record that can't be listed proves nothing later either.
        targets.extend(self::targets(replaced, false).await.unwrap_or_default());
    }
    let mut told = Vec::with_capacity(targets.len());
    for (scope, arn) in targets {
        told.push(one(restored, replaced, &scope, arn, reason, clock).await?);
    }
    Ok(told)
}

/// All targets that have a state, or with `starting` may be about to get one.
async fn targets(store: &Store, starting: bool) -> Result<BTreeSet<(Scope, String)>, StoreError> {
    let all = store.read::<_, StoreError, _>(move |tx: &mut dyn Transaction| {
        let mut all = BTreeSet::new();
        for scope in tx.scopes(StateVersion::KIND)? {
            let found = tx.all::<StateVersion>(&scope)?;
            all.extend(found.into_iter().map(|version| (scope.clone(), version.value.target_arn)));
        }
        for scope in if starting { tx.scopes(StateLock::KIND)? } else { Vec::new() } {
            let found = tx.all::<StateLock>(&scope)?;
            all.extend(found.into_iter().map(|lock| (scope.clone(), lock.value.target_arn)));
        }
        for scope in if starting { tx.scopes(Deployment::KIND)? } else { Vec::new() } {
            let found = tx.by_term::<Deployment>(&scope, "in_flight", "")?;
            all.extend(found.into_iter().map(|deployment| (scope.clone(), deployment.value.target_arn)));
        }
        Ok(all)
    });
    all.await
}

/// What the replaced record has of a target.
struct Replaced {
    version: StateVersion,
    bytes: Option<Vec<u8>>,
    /// Whether the backup's newest version is one of its versions.
    continues: bool,
    /// Why it is blocked there.
    blocked: Option<String>,
}

async fn one(
    restored: &Store,
    replaced: Option<&Store>,
    scope: &Scope,
    arn: String,
    reason: &str,
    clock: &Clock,
) -> Result<RestoredState, StoreError> {
    let here = {
        let (scope, arn) = (scope.clone(), arn.clone());
        restored.read::<_, StoreError, _>(move |tx: &mut dyn Transaction| newest(tx, &scope, &arn)).await?
    };
    let here = here.map(|version| version.value);
    let there = match replaced {
        Some(replaced) => of_replaced(replaced, scope, &arn, here.clone()).await.ok().flatten(),
        None => None,
    };
    let verdict = judge(here.as_ref(), there.as_ref());
    let audited = audit::by_itself(restored, clock, scope, "RestoreState", reason);
    let serial = |version: Option<&StateVersion>| version?.stamp.as_ref().map(|stamp| stamp.serial);
    let now = clock.now();
    let (found, scope) = (serial(here.as_ref()), scope.clone());
    let (name, number) = (arn.clone(), here.map_or(0, |version| version.number) + 1);
    match (&verdict, there) {
        (Verdict::Same, there) => {
            if let Some(why) = there.and_then(|there| there.blocked) {
                audited.write(move |tx: &mut dyn Transaction| block(tx, &scope, &name, &why, now)).await?;
                return Ok(RestoredState { arn, serial: found, verdict: Verdict::Blocked });
            }
            Ok(RestoredState { arn, serial: found, verdict })
        }
        (Verdict::CarriedOver, Some(there)) => {
            let serial = serial(Some(&there.version));
            audited.write(move |tx: &mut dyn Transaction| carry_over(tx, &scope, &there, number, now)).await?;
            Ok(RestoredState { arn, serial, verdict })
        }
        (Verdict::Blocked | Verdict::CarriedOver, _) => {
            let why = match found {
                Some(serial) => format!("{reason}, with serial {serial}, and nothing proves that it is the newest"),
                None => format!("{reason}, without a state, while a deployment was under way"),
            };
            audited.write(move |tx: &mut dyn Transaction| block(tx, &scope, &name, &why, now)).await?;
            Ok(RestoredState { arn, serial: found, verdict: Verdict::Blocked })
        }
    }
}

async fn of_replaced(
    store: &Store,
    scope: &Scope,
    arn: &str,
    here: Option<StateVersion>,
) -> Result<Option<Replaced>, StoreError> {
    let (scope, arn) = (scope.clone(), arn.to_owned());
    let found = store.read::<_, StoreError, _>(move |tx: &mut dyn Transaction| {
        let Some(version) = newest(tx, &scope, &arn)? else { return Ok(None) };
        let bytes = tx.blob(&scope, StateVersion::KIND, &version.key())?;
        let continues = match &here {
            None => true,
            Some(here) => tx.get::<StateVersion>(&scope, &here.key())?.is_some_and(|found| found.value == *here),
        };
        let blocked = tx.get::<StateLock>(&scope, &arn)?.and_then(|lock| lock.value.blocked);
        Ok(Some(Replaced { version: version.value, bytes, continues, blocked: blocked.map(|block| block.reason) }))
    });
    found.await
}

fn judge(here: Option<&StateVersion>, there: Option<&Replaced>) -> Verdict {
    let Some(Replaced { version, bytes, continues, .. }) = there else { return Verdict::Blocked };
    if version.stamp.is_some() && bytes.is_none() {
        return Verdict::Blocked;
    }
    if here.is_some_and(|here| here.stamp == version.stamp && here.digest == version.digest && version.stamp.is_some())
        || here == Some(version)
    {
        return Verdict::Same;
    }
    let stamp = |version: &StateVersion| version.stamp.clone();
    let higher = match (here.and_then(stamp), stamp(version)) {
        (Some(here), Some(there)) => here.lineage == there.lineage && there.serial > here.serial,
        _ => false,
    };
    if *continues || higher { Verdict::CarriedOver } else { Verdict::Blocked }
}

/// Adds the replaced record's newest version as the newest of the restored one.
fn carry_over(
    tx: &mut dyn Transaction,
    scope: &Scope,
    there: &Replaced,
    number: i64,
    now: i64,
) -> Result<(), StoreError> {
    let version = StateVersion { number, ..there.version.clone() };
    if let Some(bytes) = &there.bytes {
        tx.put_blob(scope, StateVersion::KIND, &version.key(), bytes)?;
    }
    tx.add(scope, &version)?;
    match &there.blocked {
        Some(why) => block(tx, scope, &version.target_arn, why, now),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::records::StateStamp;
    use crate::control_plane::store::Sqlite;

    const ARN: &str = "arn:aws:proton:us-east-1:123456789012:environment/dev";

    fn scope() -> Scope {
        Scope::new("123456789012", "us-east-1")
    }

    fn version(number: i64, lineage: &str, serial: i64) -> StateVersion {
        StateVersion {
            target_arn: ARN.into(),
            number,
            stamp: Some(StateStamp { lineage: lineage.into(), serial }),
            size: 1,
            digest: format!("{lineage}{serial}"),
            at: number,
            deployment: "d".into(),
            epoch: 1,
            agent: "a".into(),
        }
    }

    fn deletion(number: i64) -> StateVersion {
        StateVersion { stamp: None, digest: String::new(), ..version(number, "l", 0) }
    }

    async fn record(versions: &[StateVersion]) -> Store {
        let store = Store::new(Sqlite::temporary().unwrap());
        let versions = versions.to_vec();
        let add = move |tx: &mut dyn Transaction| {
            for version in &versions {
                tx.add(&scope(), version)?;
                tx.put_blob(&scope(), StateVersion::KIND, &version.key(), version.digest.as_bytes())?;
            }
            Ok::<_, StoreError>(())
        };
        store.write(add).await.unwrap();
        store
    }

    /// The verdict, the newest version and its bytes, and why it is blocked.
    async fn after(
        here: &[StateVersion],
        there: Option<&[StateVersion]>,
    ) -> (Verdict, StateVersion, String, Option<String>) {
        let restored = record(here).await;
        let replaced = match there {
            Some(there) => Some(record(there).await),
            None => None,
        };
        let told = prove(&restored, replaced.as_ref(), "an old backup", &Clock::fixed(9)).await.unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        let read = |tx: &mut dyn Transaction| {
            let version = newest(tx, &scope(), ARN)?.unwrap().value;
            let bytes = tx.blob(&scope(), StateVersion::KIND, &version.key())?.unwrap();
            let lock = tx.get::<StateLock>(&scope(), ARN)?;
            let blocked = lock.and_then(|lock| lock.value.blocked).map(|block| block.reason);
            Ok::<_, StoreError>((version, String::from_utf8(bytes).unwrap(), blocked))
        };
        let (version, bytes, blocked) = restored.read(read).await.unwrap();
        assert_eq!(told[0].serial, version.stamp.as_ref().map(|stamp| stamp.serial));
        (told[0].verdict.clone(), version, bytes, blocked)
    }

    #[tokio::test]
    async fn a_newer_state_of_the_same_history_is_carried_over_as_the_newest() {
        let here = [version(1, "l", 1)];
        let (verdict, newest, bytes, blocked) = after(&here, Some(&[version(4, "l", 7)])).await;
        assert_eq!((verdict, bytes.as_str(), blocked), (Verdict::CarriedOver, "l7", None));
        assert_eq!(newest, StateVersion { number: 2, ..version(4, "l", 7) });
        // An operator pushed an older one after the backup, or Terraform removed it: the record that has both tells.
        for last in [version(2, "other", 1), deletion(2)] {
            let (verdict, newest, ..) = after(&here, Some(&[here[0].clone(), last.clone()])).await;
            assert_eq!((verdict, newest), (Verdict::CarriedOver, last));
        }
        let (verdict, newest, ..) = after(&[], Some(&here)).await;
        assert_eq!((verdict, newest), (Verdict::CarriedOver, here[0].clone()), "one that began after the backup");
    }

    #[tokio::test]
    async fn what_nothing_proves_to_be_the_newest_is_blocked_with_its_serial() {
        let here = [version(1, "l", 5)];
        for there in
            [None, Some(&[][..]), Some(&[version(1, "other", 9)]), Some(&[version(1, "l", 4)]), Some(&[deletion(1)])]
        {
            let (verdict, newest, _, blocked) = after(&here, there).await;
            assert_eq!((verdict, newest), (Verdict::Blocked, here[0].clone()), "{there:?}");
            let blocked = blocked.unwrap();
            assert!(blocked.contains("an old backup") && blocked.contains("serial 5"), "{blocked}");
        }
    }

    #[tokio::test]
    async fn the_same_state_is_left_alone() {
        let here = [version(2, "l", 5)];
        let (verdict, newest, _, blocked) = after(&here, Some(&[version(3, "l", 5)])).await;
        assert_eq!((verdict, newest, blocked), (Verdict::Same, here[0].clone(), None));
    }
}
