//! A transaction that notes what the work in it changes.

use std::collections::HashMap;

use super::kinds;
use crate::control_plane::records::{StateLock, StateVersion, Touched};
use crate::control_plane::store::{Document, Row, Select, StoreError, Term, Transaction, pass_on};
use crate::domain::Scope;

type Place = (Scope, &'static str, String);

/// What became of a document: its versions before and after, or only that its bytes were written.
#[derive(Debug, Clone, Copy)]
enum Change {
    Versions { before: Option<i64>, after: Option<i64> },
    Bytes,
}

/// Passes everything on, and remembers.
pub(super) struct Noting<'t> {
    tx: &'t mut dyn Transaction,
    /// What compared documents were when they were first read here.
    seen: HashMap<Place, String>,
    changes: Vec<(Place, Change)>,
    /// Versions of Terraform's state, by their targets: serial before and after.
    serials: Vec<Touched>,
    remark: Option<String>,
}

impl<'t> Noting<'t> {
    pub(super) fn new(tx: &'t mut dyn Transaction) -> Self {
        Self { tx, seen: HashMap::new(), changes: Vec::new(), serials: Vec::new(), remark: None }
    }

    /// What was changed, in order, and what else there is to say about it.
    pub(super) fn finish(self) -> (Vec<Touched>, Option<String>) {
        let touched = |((_, kind, key), change): (Place, Change)| {
            let (before, after) = match change {
                Change::Versions { before: None, after: None } => return None,
                Change::Versions { before, after } => (before, after),
                Change::Bytes => (None, None),
            };
            Some(Touched { kind: kind.to_owned(), key, before, after })
        };
        let changed = self.changes.into_iter().filter_map(touched);
        (changed.chain(self.serials).collect(), self.remark)
    }

    fn note(&mut self, scope: &Scope, kind: &'static str, key: &str, change: Change) {
        if kinds::is_bookkeeping(kind) {
            return;
        }
        let known = self.changes.iter_mut().find(|((place, of, at), _)| place == scope && *of == kind && at == key);
        match (known, change) {
            (None, change) => self.changes.push(((scope.clone(), kind, key.to_owned()), change)),
            (Some(_), Change::Bytes) => {}
            (Some((_, known @ Change::Bytes)), change) => *known = change,
            (Some((_, Change::Versions { after, .. })), Change::Versions { after: now, .. }) => *after = now,
        }
    }

    /// Keeps what a document was before this transaction changed it.
    fn see(&mut self, scope: &Scope, kind: &'static str, row: &Row) {
        if kinds::is_compared(kind) {
            let place = (scope.clone(), kind, row.key.clone());
            self.seen.entry(place).or_insert_with(|| row.body.clone());
        }
    }

    /// Whether people would call an update a change.
    fn is_change(&mut self, scope: &Scope, kind: &'static str, key: &str, body: &str) -> Result<bool, StoreError> {
        if !kinds::is_compared(kind) {
            return Ok(true);
        }
        let place = (scope.clone(), kind, key.to_owned());
        if !self.seen.contains_key(&place) {
            self.fetch(scope, kind, key)?;
        }
        let before = self.seen.get(&place).map(String::as_str).unwrap_or_default();
        if kind == StateLock::KIND {
            self.remark = passed_on(before, body).or_else(|| self.remark.take());
        }
        Ok(!kinds::same(kind, before, body))
    }

    /// The serials that a new version of Terraform's state goes from and to.
    fn note_serial(&mut self, scope: &Scope, body: &str) -> Result<(), StoreError> {
        let Ok(version) = serde_json::from_str::<StateVersion>(body) else { return Ok(()) };
        let before = format!("{}#{}", version.target_arn, version.number - 1);
        let before = self.tx.fetch(scope, StateVersion::KIND, &before)?;
        let before = before.and_then(|row| serde_json::from_str::<StateVersion>(&row.body).ok());
        let serial = |version: StateVersion| version.stamp.map(|stamp| stamp.serial);
        let (key, before) = (version.target_arn.clone(), before.and_then(serial));
        self.serials.push(Touched { kind: "state".into(), key, before, after: serial(version) });
        Ok(())
    }
}

/// Says it when a lock goes from one run to another without having been given back.
fn passed_on(before: &str, after: &str) -> Option<String> {
    let holder = |body: &str| serde_json::from_str::<StateLock>(body).ok()?.holder;
    let (from, to) = (holder(before)?, holder(after)?);
    let other = (&from.deployment, from.epoch) != (&to.deployment, to.epoch);
    other.then(|| {
        let (id, deployment, epoch) = (&from.lock_id, &from.deployment, from.epoch);
        format!("the lock {id} of run {deployment}.{epoch} passed on: that run is over and silent")
    })
}

impl Transaction for Noting<'_> {
    pass_on!(count scopes append_change changes blob);

    fn fetch(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError> {
        let row = self.tx.fetch(scope, kind, key)?;
        if let Some(row) = &row {
            self.see(scope, kind, row);
        }
        Ok(row)
    }

    fn insert(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        self.tx.insert(scope, kind, key, body, terms)?;
        self.note(scope, kind, key, Change::Versions { before: None, after: Some(1) });
        if kind == StateVersion::KIND {
            self.note_serial(scope, body)?;
        }
        Ok(())
    }

    fn update(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        version: i64,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        let changes = self.is_change(scope, kind, key, body)?;
        self.tx.update(scope, kind, key, version, body, terms)?;
        if changes {
            self.note(scope, kind, key, Change::Versions { before: Some(version), after: Some(version + 1) });
        }
        Ok(())
    }

    fn remove(&mut self, scope: &Scope, kind: &'static str, key: &str, version: i64) -> Result<(), StoreError> {
        self.tx.remove(scope, kind, key, version)?;
        self.note(scope, kind, key, Change::Versions { before: Some(version), after: None });
        Ok(())
    }

    fn select(&mut self, scope: &Scope, kind: &'static str, select: &Select<'_>) -> Result<Vec<Row>, StoreError> {
        let rows = self.tx.select(scope, kind, select)?;
        for row in &rows {
            self.see(scope, kind, row);
        }
        Ok(rows)
    }

    fn put_blob(&mut self, scope: &Scope, kind: &'static str, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.tx.put_blob(scope, kind, key, bytes)?;
        self.note(scope, kind, key, Change::Bytes);
        Ok(())
    }

    fn remove_blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<(), StoreError> {
        self.tx.remove_blob(scope, kind, key)?;
        self.note(scope, kind, key, Change::Bytes);
        Ok(())
    }
}
