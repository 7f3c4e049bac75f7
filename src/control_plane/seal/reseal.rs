//! The pass that brings everything under the current data key: what the first release left unsealed, and what older data
//! keys have sealed.
//!
//! It looks at every row and writes those that need it, a few in a transaction. So it can be broken off at any moment and
//! done again, and two servers at it do the same thing twice. Once it finds nothing left to do the keyring says so, and
//! it rests until the next rotation. Retired data keys stay in the keyring: a backup may need them.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Ring, SealError, Sealer, bytes, keyring, nested, text};
use crate::control_plane::duty::Duty;
use crate::control_plane::events::{DeadLetter, Pending};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{
    AccessKey, AccountSettings, Component, Deployment, Environment, EnvironmentAccountConnection, IdempotencyToken,
    Imported, Keyring, ParkedState, Pipeline, Repository, Service, ServiceInstance, ServiceSyncConfig, StateLock,
    StateVersion, SyncBlocker, TagSet, Template, TemplateSyncConfig, TemplateVersion,
};
use crate::control_plane::store::{ALL, Document, Open, Select, Store, StoreError, Stored, Transaction, Typed};
use crate::domain::Scope;

/// How often a server looks at the keyring for what others have made of it.
const LOOK: Duration = Duration::from_mins(1);

/// Until then another server may not have heard of a new data key, in milliseconds.
const HEARD: i64 = 2 * 60 * 1000;

/// So many rows at most are read, and rewritten, in one transaction.
const READ: usize = 200;
const WRITE: usize = 32;

/// A kind of document that lies sealed.
struct Kind {
    name: &'static str,
    renew: Renew,
}

type Renew = fn(&mut dyn Transaction, &Scope, &str, &Sealer) -> Result<bool, StoreError>;

fn kind<T: Document>() -> Kind {
    Kind { name: T::KIND, renew: renew::<T> }
}

/// Every kind that isn't [`PLAIN`](crate::control_plane::store::PLAIN). Outputs come before the deployments that copy
/// them.
fn kinds() -> Vec<Kind> {
    vec![
        kind::<AccessKey>(),
        kind::<AccountSettings>(),
        kind::<Environment>(),
        kind::<ServiceInstance>(),
        kind::<Pipeline>(),
        kind::<Component>(),
        kind::<Service>(),
        kind::<Deployment>(),
        kind::<StateLock>(),
        kind::<StateVersion>(),
        kind::<ParkedState>(),
        kind::<Template>(),
        kind::<TemplateVersion>(),
        kind::<TagSet>(),
        kind::<IdempotencyToken>(),
        kind::<EnvironmentAccountConnection>(),
        kind::<Repository>(),
        kind::<TemplateSyncConfig>(),
        kind::<ServiceSyncConfig>(),
        kind::<SyncBlocker>(),
        kind::<Imported>(),
        kind::<Pending>(),
        kind::<DeadLetter>(),
    ]
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    kinds().iter().map(|kind| kind.name).collect()
}

/// What a pass has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Rows that are now under the current key.
    pub renewed: usize,
    /// Rows that aren't, because they can't be opened.
    pub left: usize,
}

/// Runs until `stop`: a pass at the start, after every rotation, and until one finds nothing to do. `store` is the record
/// without any layer.
pub async fn run(plane: Plane, store: Store, stop: CancellationToken) {
    let duty = Duty::new("reseal");
    let mut turned = plane.sealer.turned();
    loop {
        turned.mark_unchanged();
        if let Err(error) = round(&plane, &store, &duty).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sealing anew will be tried again: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
            // The sender lives in the plane.
            Ok(()) = turned.changed() => {}
        }
    }
}

async fn round(plane: &Plane, store: &Store, duty: &Duty) -> Result<(), SealError> {
    plane.sealer.reload(store).await?;
    let found = store.read(|tx: &mut dyn Transaction| keyring::keyring(tx)).await?.ok_or(SealError::NoKeyring)?;
    if found.resealed.as_ref() == Some(&found.current) || !duty.hold(plane).await? {
        return Ok(());
    }
    let pass = pass(store, &plane.sealer).await?;
    if pass.renewed > 0 {
        tracing::info!("{} rows of the record are now sealed under data key {}", pass.renewed, found.current);
    }
    if pass.left > 0 {
        tracing::warn!("{} rows of the record can't be opened, and stay under their old data keys", pass.left);
    }
    let created = found.keys.iter().find(|key| key.id == found.current).map_or(0, |key| key.created_at);
    if pass.renewed == 0 && plane.clock.now() - created > HEARD {
        finish(store, found).await?;
    }
    Ok(())
}

/// Notes that all there was to do is done; harmless if somebody has turned the keyring meanwhile.
async fn finish(store: &Store, mut found: Stored<Keyring>) -> Result<(), SealError> {
    found.value.resealed = Some(found.value.current.clone());
    match store.write(move |tx: &mut dyn Transaction| tx.save(&Keyring::scope(), &mut found)).await {
        Err(StoreError::Stale { .. }) => Ok(()),
        other => Ok(other?),
    }
}

/// One walk over the whole record, which is given without any layer.
///
/// # Errors
/// That the record refuses; what was renewed so far stays so.
pub async fn pass(store: &Store, sealer: &Sealer) -> Result<Pass, StoreError> {
    let mut all = Pass::default();
    for kind in kinds() {
        let name = kind.name;
        for scope in store.read(move |tx: &mut dyn Transaction| tx.scopes(name)).await? {
            let done = scope_pass(store, sealer, &kind, &scope).await?;
            all = Pass { renewed: all.renewed + done.renewed, left: all.left + done.left };
        }
    }
    Ok(all)
}

async fn scope_pass(store: &Store, sealer: &Sealer, kind: &Kind, scope: &Scope) -> Result<Pass, StoreError> {
    let (mut done, mut after) = (Pass::default(), None);
    loop {
        let (keys, end) = page(store, sealer, kind.name, scope, after).await?;
        for keys in keys.chunks(WRITE) {
            let these = batch(store, sealer, kind.renew, scope, keys.to_vec()).await?;
            done = Pass { renewed: done.renewed + these.renewed, left: done.left + these.left };
        }
        match end {
            None => return Ok(done),
            some => after = some,
        }
    }
}

type Place = (String, String);

/// The keys of one page of rows that may need to be sealed anew, and where the page ended.
async fn page(
    store: &Store,
    sealer: &Sealer,
    kind: &'static str,
    scope: &Scope,
    after: Option<Place>,
) -> Result<(Vec<String>, Option<Place>), StoreError> {
    let (sealer, scope) = (sealer.clone(), scope.clone());
    let read = move |tx: &mut dyn Transaction| {
        let after = after.as_ref().map(|(sort, key)| (sort.as_str(), key.as_str()));
        let rows = tx.select(&scope, kind, &Select { term: ALL, value: "", after, descending: false, limit: READ })?;
        let end = rows.last().filter(|_| rows.len() == READ).map(|row| (row.sort.clone(), row.key.clone()));
        let mut keys = Vec::new();
        for row in rows {
            if may_hold_outputs(kind)
                || !is_current(&sealer.ring(), &row.body)
                || blob_is_old(tx, &scope, kind, &row.key, &sealer)?
            {
                keys.push(row.key);
            }
        }
        Ok((keys, end))
    };
    store.read(read).await
}

/// Kinds whose documents have sealed outputs inside, which the document's own seal hides.
fn may_hold_outputs(kind: &str) -> bool {
    [Environment::KIND, ServiceInstance::KIND, Pipeline::KIND, Component::KIND, Deployment::KIND].contains(&kind)
}

fn is_current(ring: &Ring, body: &str) -> bool {
    text::is_sealed(body) && text::key_of(body) == Some(ring.current())
}

/// Of the kinds of documents only states have a blob, the current ones and those that are parked, under the same key.
fn blob_is_old(
    tx: &mut dyn Transaction,
    scope: &Scope,
    kind: &'static str,
    key: &str,
    sealer: &Sealer,
) -> Result<bool, StoreError> {
    if ![StateVersion::KIND, ParkedState::KIND].contains(&kind) {
        return Ok(false);
    }
    let blob = tx.blob(scope, kind, key)?;
    Ok(blob.is_some_and(|blob| bytes::key_of(&blob) != Some(sealer.ring().current())))
}

async fn batch(
    store: &Store,
    sealer: &Sealer,
    renew: Renew,
    scope: &Scope,
    keys: Vec<String>,
) -> Result<Pass, StoreError> {
    let (sealer, scope) = (sealer.clone(), scope.clone());
    let write = move |tx: &mut dyn Transaction| {
        let mut done = Pass::default();
        for key in &keys {
            match renew(tx, &scope, key, &sealer) {
                Ok(renewed) => done.renewed += usize::from(renewed),
                Err(StoreError::Corrupt { .. }) => done.left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    };
    store.write(write).await
}

/// Seals one row, its blob and the outputs in it under the current key; says whether anything was under another.
fn renew<T: Document>(tx: &mut dyn Transaction, scope: &Scope, key: &str, sealer: &Sealer) -> Result<bool, StoreError> {
    let Some(row) = tx.fetch(scope, T::KIND, key)? else { return Ok(false) };
    let old = !is_current(&sealer.ring(), &row.body);
    let old_blob = blob_is_old(tx, scope, T::KIND, key, sealer)?;
    let open: &mut dyn Transaction = &mut Open::new(tx, sealer);
    if let Some(blob) = open.blob(scope, T::KIND, key)?.filter(|_| old_blob) {
        open.put_blob(scope, T::KIND, key, &blob)?;
    }
    let Some(mut stored) = open.get::<T>(scope, key)? else { return Ok(false) };
    let nested = may_hold_outputs(T::KIND) && renew_outputs(&mut stored, scope, key, sealer)?;
    if old || nested {
        open.save(scope, &mut stored)?;
    }
    Ok(old || nested || old_blob)
}

fn renew_outputs<T: Document>(
    stored: &mut Stored<T>,
    scope: &Scope,
    key: &str,
    sealer: &Sealer,
) -> Result<bool, StoreError> {
    let corrupt = |source| StoreError::Corrupt { kind: T::KIND, key: key.to_owned(), source };
    let mut document: Value = serde_json::to_value(&stored.value).map_err(corrupt)?;
    let renewed = nested::renew(&mut document, sealer, scope);
    if renewed.map_err(|error| corrupt(serde::de::Error::custom(error)))? {
        stored.value = serde_json::from_value(document).map_err(corrupt)?;
        return Ok(true);
    }
    Ok(false)
}
