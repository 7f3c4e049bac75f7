//! The layer next to the backend: what it keeps is sealed.
//!
//! Bodies of documents and blobs are sealed; keys, index terms, versions and histories stay as they are, since the
//! backend finds rows by them. A row's seal is bound to its kind and scope and not to its key. What the first release
//! wrote unsealed is read as it is, and sealed when it is next written.

use super::{Layer, Row, Select, StoreError, Term, Transaction, pass_on};
use crate::control_plane::seal::{Ring, SealError, Sealer, bytes, text};
use crate::domain::Scope;

/// The kinds that stay readable: names, sizes and times that no spec, no output and no secret goes into. Every other kind
/// is sealed, a new one too.
pub const PLAIN: &[&str] = &[
    "audit_entry",
    "audit_head",
    "asked",
    "counts",
    "counts_delta",
    "data_key",
    "duty",
    "executor_ahead",
    "indexed",
    "target_runs",
    "turn",
    "state_key",
    "s3_bucket",
    "s3_object",
    "s3_upload",
    "s3_part",
];

/// Seals on the way in and opens on the way out.
#[derive(Debug, Clone)]
pub struct Sealed(pub Sealer);

impl Layer for Sealed {
    fn around(
        &self,
        tx: &mut dyn Transaction,
        work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
    ) -> Result<bool, StoreError> {
        Ok(work(&mut Open { tx, sealer: &self.0 }))
    }
}

/// A transaction seen through the layer.
pub(crate) struct Open<'t> {
    tx: &'t mut dyn Transaction,
    sealer: &'t Sealer,
}

impl<'t> Open<'t> {
    /// Looks at a backend's transaction through the layer.
    pub(crate) fn new(tx: &'t mut dyn Transaction, sealer: &'t Sealer) -> Self {
        Self { tx, sealer }
    }

    fn sealed(&self, scope: &Scope, kind: &'static str, key: &str, body: &str) -> Result<String, StoreError> {
        if PLAIN.contains(&kind) {
            return Ok(body.to_owned());
        }
        text::seal(&self.sealer.ring(), body, &context("document", kind, scope)).map_err(corrupt(kind, key))
    }

    /// Opens rows of one kind.
    fn opened(&mut self, scope: &Scope, kind: &'static str, mut rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        if PLAIN.contains(&kind) {
            return Ok(rows);
        }
        let context = context("document", kind, scope);
        for row in rows.iter_mut().filter(|row| text::is_sealed(&row.body)) {
            row.body = self.with_keys(kind, &row.key, |ring| text::open(ring, &row.body, &context))?;
        }
        Ok(rows)
    }

    /// Opens something; under a key that another server has made meanwhile, after a look at the keyring.
    fn with_keys<T>(
        &mut self,
        kind: &'static str,
        key: &str,
        open: impl Fn(&Ring) -> Result<T, SealError>,
    ) -> Result<T, StoreError> {
        let opened = match open(&self.sealer.ring()) {
            Err(SealError::UnknownKey { .. }) => {
                self.sealer.reload_in(self.tx).map_err(keyring_refused)?;
                open(&self.sealer.ring())
            }
            other => other,
        };
        opened.map_err(corrupt(kind, key))
    }
}

/// What the seal of a row or a blob is bound to. No part before the last has a slash.
fn context(what: &str, kind: &str, scope: &Scope) -> String {
    format!("{what}/{kind}/{}/{}", scope.account, scope.region)
}

fn corrupt(kind: &'static str, key: &str) -> impl FnOnce(SealError) -> StoreError {
    move |error| StoreError::Corrupt { kind, key: key.to_owned(), source: serde::de::Error::custom(error) }
}

fn keyring_refused(error: SealError) -> StoreError {
    StoreError::Database { doing: "opening its keyring", source: Box::new(error) }
}

impl Transaction for Open<'_> {
    pass_on!(remove count scopes append_change changes remove_blob);

    fn fetch(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError> {
        let row = self.tx.fetch(scope, kind, key)?;
        Ok(self.opened(scope, kind, row.into_iter().collect())?.pop())
    }

    fn insert(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        let body = self.sealed(scope, kind, key, body)?;
        self.tx.insert(scope, kind, key, &body, terms)
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
        let body = self.sealed(scope, kind, key, body)?;
        self.tx.update(scope, kind, key, version, &body, terms)
    }

    fn select(&mut self, scope: &Scope, kind: &'static str, select: &Select<'_>) -> Result<Vec<Row>, StoreError> {
        let rows = self.tx.select(scope, kind, select)?;
        self.opened(scope, kind, rows)
    }

    fn put_blob(&mut self, scope: &Scope, kind: &'static str, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let sealed = bytes::seal(&self.sealer.ring(), bytes, &context("blob", kind, scope));
        self.tx.put_blob(scope, kind, key, &sealed.map_err(corrupt(kind, key))?)
    }

    fn blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.tx.blob(scope, kind, key)? {
            Some(sealed) if bytes::is_sealed(&sealed) => {
                let context = context("blob", kind, scope);
                self.with_keys(kind, key, |ring| bytes::open(ring, &sealed, &context)).map(Some)
            }
            unsealed => Ok(unsealed),
        }
    }
}
