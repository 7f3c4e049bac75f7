//! Gathering the deltas.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::class::full_count;
use super::layer::COUNTED;
use super::tally::{Counts, Delta, Summary};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::{ALL, Document, Select, Store, StoreError, Transaction, Typed};
use crate::domain::Scope;

/// Deltas that one fold takes at most, so that it never holds the record for long.
const AT_ONCE: usize = 500;

/// How often deltas are gathered.
const PAUSE: Duration = Duration::from_secs(1);

/// Folds until `stop`.
pub async fn keep_counts(plane: Plane, stop: CancellationToken) {
    loop {
        if let Err(error) = fold(&plane.store).await {
            tracing::warn!(%error, "the numbers of resources couldn't be gathered, will try again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// The numbers at this moment.
///
/// # Errors
/// That the store refuses.
pub(crate) fn current(tx: &mut dyn Transaction, scope: &Scope) -> Result<Counts, StoreError> {
    let mut counts = tx.get::<Summary>(scope, Summary::KEY)?.map(|summary| summary.counts).unwrap_or_default();
    for delta in tx.all::<Delta>(scope)? {
        counts += delta.counts;
    }
    Ok(counts)
}

/// Moves deltas into the summaries of their accounts and regions. Any number of servers may do it at a time: one of them
/// succeeds, and what it took is gone for the others.
///
/// # Errors
/// That the store refuses.
pub(crate) async fn fold(store: &Store) -> Result<(), StoreError> {
    for scope in store.read(|tx| tx.scopes(Delta::KIND)).await? {
        loop {
            let within = scope.clone();
            match store.write(move |tx: &mut dyn Transaction| fold_scope(tx, &within)).await {
                Ok(AT_ONCE) => {}
                // Another server was faster, and there is little left.
                Ok(_) | Err(StoreError::Stale { .. } | StoreError::Exists { .. }) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Folds the oldest deltas and tells how many.
fn fold_scope(tx: &mut dyn Transaction, scope: &Scope) -> Result<usize, StoreError> {
    let oldest = Select { term: ALL, value: "", after: None, descending: false, limit: AT_ONCE };
    let deltas = tx.page::<Delta>(scope, &oldest)?;
    let mut folded = Counts::default();
    for delta in &deltas {
        folded += delta.counts;
        tx.delete(scope, delta)?;
    }
    match tx.get::<Summary>(scope, Summary::KEY)? {
        Some(mut summary) => {
            summary.counts += folded;
            tx.save(scope, &mut summary)?;
        }
        None => tx.add(scope, &Summary { counts: folded })?,
    }
    Ok(deltas.len())
}

/// Counts the accounts and regions of a record that was written before numbers were kept.
///
/// # Errors
/// That the store refuses.
pub(crate) async fn prepare(store: &Store) -> Result<(), StoreError> {
    let scopes = store.read::<_, StoreError, _>(|tx| {
        let mut scopes = BTreeSet::new();
        for kind in COUNTED {
            scopes.extend(tx.scopes(kind)?);
        }
        Ok(scopes)
    });
    for scope in scopes.await? {
        let counted = store.write(move |tx: &mut dyn Transaction| count_anew(tx, &scope)).await;
        match counted {
            Err(StoreError::Exists { .. } | StoreError::Stale { .. }) => {}
            other => other?,
        }
    }
    Ok(())
}

/// What is counted anew includes what deltas say, so they go.
fn count_anew(tx: &mut dyn Transaction, scope: &Scope) -> Result<(), StoreError> {
    if tx.get::<Summary>(scope, Summary::KEY)?.is_some() {
        return Ok(());
    }
    for delta in tx.all::<Delta>(scope)? {
        tx.delete(scope, &delta)?;
    }
    let counts = full_count(tx, scope)?;
    tx.add(scope, &Summary { counts })
}
