//! What must happen though nobody asks: objects go into the bucket, cancelled deployments end whose agent fell silent, dead
//! locks are released, leases that a wrong clock has made too long are cut.

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Deployments;
use super::begin::{UNPUBLISHED, content_type};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Deployment;
use crate::control_plane::state_server::release_dead;
use crate::control_plane::store::{Document, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;
use crate::objects::{NotAnObjectUri, ObjectUri, ObjectsError};

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What it answers when nothing is due for long: nothing is lost by looking, and a clock may jump.
const LONGEST: Duration = Duration::from_mins(1);

/// The longest sleep: what another server left undone, because it died, is found by looking.
const LOOK: Duration = Duration::from_secs(15);

/// Why something can't be put into the bucket.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The record refuses.
    #[error("the record can't be kept up")]
    Store(#[from] StoreError),
    /// A rule refuses.
    #[error("a deployment can't be brought to its end")]
    Rule(#[from] ProtonError),
    /// The bucket refuses.
    #[error("{address} can't be published")]
    Objects {
        /// The object's address.
        address: String,
        /// What the bucket says.
        #[source]
        source: ObjectsError,
    },
    /// The address in the record is none.
    #[error("the record names an object that has no address")]
    Address(#[from] NotAnObjectUri),
    /// The bytes are gone.
    #[error("{0} is to be published, but its bytes aren't in the record")]
    Lost(String),
}

/// Runs until `stop`: looks at the start, whenever [`Plane::work`] rings, and whenever a lease runs out. Every server
/// runs one of these: what two do at a time, the second finds done.
pub async fn upkeep(plane: Plane, stop: CancellationToken) {
    let mut bell = plane.work.subscribe();
    loop {
        bell.mark_unchanged();
        let rest = match tidy(&plane).await {
            Ok(rest) => rest,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "upkeep of deployments failed, will try again"
                );
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(rest.min(LOOK)) => {}
            _ = bell.changed() => {}
        }
    }
}

/// Does everything that is due, and tells how long nothing more will be.
///
/// # Errors
/// Something that failed; everything else is done nevertheless.
pub async fn tidy(plane: &Plane) -> Result<Duration, UpkeepError> {
    let scopes = plane.store.read(|tx| tx.scopes(Deployment::KIND)).await?;
    let (mut rest, mut outcome) = (LONGEST, Ok(()));
    for scope in scopes {
        outcome = cut_leases(plane, &scope).await.and(outcome);
        match end_cancelled(plane, &scope).await {
            Ok(next) => rest = rest.min(next),
            Err(error) => outcome = Err(error),
        }
        match release_dead(plane, &scope).await {
            Ok(next) => rest = rest.min(next.map_or(LONGEST, |at| until(plane, at))),
            Err(error) => outcome = Err(error.into()),
        }
        outcome = publish_all(plane, &scope).await.and(outcome);
    }
    outcome.map(|()| rest)
}

/// The time until a moment has come.
fn until(plane: &Plane, at: i64) -> Duration {
    Duration::from_millis(u64::try_from(at - plane.clock.now()).unwrap_or_default())
}

/// Puts into the bucket whatever deployments name and only the record holds. One that fails keeps no other waiting.
async fn publish_all(plane: &Plane, scope: &Scope) -> Result<(), UpkeepError> {
    let within = scope.clone();
    let waiting = plane.store.read(move |tx| waiting(tx, &within)).await?;
    let mut outcome = Ok(());
    for (address, bytes) in waiting {
        outcome = publish(plane, scope, address, bytes).await.and(outcome);
    }
    outcome
}

async fn publish(plane: &Plane, scope: &Scope, address: String, bytes: Option<Vec<u8>>) -> Result<(), UpkeepError> {
    let bytes = bytes.ok_or_else(|| UpkeepError::Lost(address.clone()))?;
    let uri: ObjectUri = address.parse()?;
    let sent = plane.objects.put(&uri, Bytes::from(bytes), content_type(&address)).await;
    sent.map_err(|source| UpkeepError::Objects { address: address.clone(), source })?;
    let within = scope.clone();
    plane.store.write(move |tx| published(tx, &within, &address)).await?;
    plane.work.ring();
    Ok(())
}

/// An object that is to be published, with its bytes.
type Waiting = (String, Option<Vec<u8>>);

fn waiting(tx: &mut dyn Transaction, scope: &Scope) -> Result<Vec<Waiting>, StoreError> {
    let deployments = tx.by_term::<Deployment>(scope, UNPUBLISHED, "")?;
    let mut addresses: Vec<String> = deployments.into_iter().flat_map(|it| it.value.unpublished).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.into_iter().map(|address| Ok((address.clone(), tx.blob(scope, UNPUBLISHED, &address)?))).collect()
}

/// Notes that an object is in the bucket, for every deployment that names it, and drops its copy here.
pub(crate) fn published(tx: &mut dyn Transaction, scope: &Scope, address: &str) -> Result<(), StoreError> {
    for mut deployment in tx.by_term::<Deployment>(scope, UNPUBLISHED, address)? {
        deployment.unpublished.retain(|other| other != address);
        tx.save(scope, &mut deployment)?;
    }
    tx.remove_blob(scope, UNPUBLISHED, address)
}

/// Cuts leases that end later than any can: they were renewed while the clock was ahead, and whoever waits for them
/// would wait until it is as late again. The servers' clocks may differ by less than a lease.
async fn cut_leases(plane: &Plane, scope: &Scope) -> Result<(), UpkeepError> {
    let engine = Deployments::at(plane, scope.clone(), plane.clock.now());
    let looking = engine.clone();
    if plane.store.read(move |tx| looking.too_long(tx)).await?.is_empty() {
        return Ok(());
    }
    let audited = plane.by_itself(scope, "CutLease", "it ends later than any can: the clock has been ahead");
    let cut = move |tx: &mut dyn Transaction| {
        for mut deployment in engine.too_long(tx)? {
            engine.renew(&mut deployment);
            tx.save(&engine.scope, &mut deployment)?;
        }
        Ok(())
    };
    Ok(audited.store.write::<_, StoreError, _>(cut).await?)
}

/// Ends what is being cancelled and whose lease has run out; tells how long until the next such lease does.
async fn end_cancelled(plane: &Plane, scope: &Scope) -> Result<Duration, UpkeepError> {
    let engine = Deployments::at(plane, scope.clone(), plane.clock.now());
    let looking = engine.clone();
    let (due, next) = plane.store.read(move |tx| looking.silent(tx)).await?;
    if due {
        let audited = plane.by_itself(scope, "EndCancelledDeployment", "it was cancelled, and its agent fell silent");
        audited.store.write(move |tx| engine.call_off_silent(tx)).await?;
        plane.work.ring();
    }
    Ok(next)
}

impl Deployments {
    /// What is held by a lease that ends more than a lease later than one that begins now.
    fn too_long(&self, tx: &mut dyn Transaction) -> Result<Vec<Stored<Deployment>>, StoreError> {
        let latest = 2 * self.lease_end() - self.now;
        let mut held = tx.by_term::<Deployment>(&self.scope, Deployment::LEASED, "")?;
        held.retain(|deployment| deployment.live_lease(latest).is_some());
        Ok(held)
    }

    /// Whether anything that is being cancelled has lost its agent, and how long until the next one does.
    fn silent(&self, tx: &mut dyn Transaction) -> Result<(bool, Duration), StoreError> {
        let (mut due, mut next) = (false, LONGEST);
        for deployment in tx.by_term::<Deployment>(&self.scope, Deployment::CANCELLING, "")? {
            match deployment.live_lease(self.now) {
                None => due = true,
                Some(lease) => {
                    let left = u64::try_from(lease.expires_at - self.now).unwrap_or_default();
                    next = next.min(Duration::from_millis(left));
                }
            }
        }
        Ok((due, next))
    }

    /// Ends everything that is being cancelled and has lost its agent.
    pub(crate) fn call_off_silent(&self, tx: &mut dyn Transaction) -> Result<(), ProtonError> {
        for mut deployment in tx.by_term::<Deployment>(&self.scope, Deployment::CANCELLING, "")? {
            if deployment.live_lease(self.now).is_none() {
                self.call_off(tx, &mut deployment)?;
            }
        }
        Ok(())
    }
}
