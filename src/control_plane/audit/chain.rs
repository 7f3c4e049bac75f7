//! The chainer: gives each entry its number and its hash, soon after it was written.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::canonical;
use crate::control_plane::duty::Duty;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{AuditEntry, AuditHead, Link};
use crate::control_plane::store::{ALL, Select, StoreError, Stored, Transaction, Typed};

/// How long entries gather after the bell, so that a busy server links many in one transaction.
const GATHER: Duration = Duration::from_millis(200);

/// How soon entries of other servers, whose bells aren't heard here, are found.
const TICK: Duration = Duration::from_secs(1);

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// How many entries are linked in one transaction.
const BATCH: usize = 200;

/// How often the end of the chain is told to the log at most, in milliseconds.
const WITNESSED: i64 = 60_000;

/// Runs until `stop`. Every server runs one; at any time one of them links. Two that do it at once are harmless: each
/// batch is one transaction that depends on the end of the chain that it has seen.
pub async fn chain(plane: Plane, stop: CancellationToken) {
    let mut chainer = Chainer { plane, duty: Duty::new("audit"), untold: None, told: 0 };
    let mut bell = chainer.plane.audit.bell.subscribe();
    loop {
        let rest = match chainer.round(stop.is_cancelled()).await {
            Ok(()) => TICK,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "audit entries can't be linked, will try again"
                );
                AGAIN
            }
        };
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(rest) => {}
            _ = bell.changed() => tokio::time::sleep(GATHER).await,
        }
        bell.mark_unchanged();
    }
}

/// One server's chainer.
pub(super) struct Chainer {
    pub(super) plane: Plane,
    pub(super) duty: Duty,
    /// The end of the chain that the log hasn't been told yet, and when it was told one last.
    pub(super) untold: Option<AuditHead>,
    pub(super) told: i64,
}

impl Chainer {
    /// Links everything that waits, if that is this server's duty. Idle servers only look.
    pub(super) async fn round(&mut self, last: bool) -> Result<(), StoreError> {
        super::refusals::tell_overflow(&self.plane, last).await?;
        let linked = self.link_all().await;
        self.witness(last);
        linked
    }

    async fn link_all(&mut self) -> Result<(), StoreError> {
        while self.plane.store.read(|tx| Ok::<_, StoreError>(!waiting(tx, 1)?.is_empty())).await? {
            if !self.duty.hold(&self.plane).await? {
                return Ok(());
            }
            match self.plane.store.write(|tx: &mut dyn Transaction| link_batch(tx)).await {
                Ok(head) => self.untold = Some(head),
                // Another server has linked these meanwhile; its duty is seen on the next look.
                Err(StoreError::Stale { .. } | StoreError::Exists { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the log where the chain ends: once a minute at most, and at the end. Wherever logs are shipped to, there is
    /// a witness then that this server can't take back.
    fn witness(&mut self, last: bool) {
        let now = self.plane.clock.now();
        if !last && now < self.told + WITNESSED {
            return;
        }
        let Some(AuditHead { sequence, hash }) = self.untold.take() else { return };
        self.told = now;
        tracing::info!(audit.sequence = sequence, "the audit log ends with entry {sequence}, {hash}");
    }
}

/// Entries without a link, oldest first.
fn waiting(tx: &mut dyn Transaction, limit: usize) -> Result<Vec<Stored<AuditEntry>>, StoreError> {
    let after = Some((AuditEntry::UNCHAINED, ""));
    tx.page(&AuditEntry::scope(), &Select { term: ALL, value: "", after, descending: false, limit })
}

/// Links the oldest entries that wait; the end of the chain afterwards.
pub(super) fn link_batch(tx: &mut dyn Transaction) -> Result<AuditHead, StoreError> {
    let scope = AuditEntry::scope();
    let stored = tx.get::<AuditHead>(&scope, AuditHead::KEY)?;
    let mut head = stored.as_ref().map_or_else(canonical::beginning, |stored| stored.value.clone());
    for mut entry in waiting(tx, BATCH)? {
        let sequence = head.sequence + 1;
        let hash = canonical::hash(&entry, sequence, &head.hash).map_err(|source| StoreError::Corrupt {
            kind: "audit_entry",
            key: entry.id.clone(),
            source,
        })?;
        let previous = std::mem::replace(&mut head, AuditHead { sequence, hash: hash.clone() }).hash;
        entry.link = Some(Link { sequence, previous, hash });
        tx.save(&scope, &mut entry)?;
    }
    match stored {
        None => tx.add(&scope, &head)?,
        Some(mut stored) if stored.value != head => {
            stored.value = head.clone();
            tx.save(&scope, &mut stored)?;
        }
        Some(_) => {}
    }
    Ok(head)
}
