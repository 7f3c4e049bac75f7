//! The record: documents with index terms, blobs and status changes, in one transaction.
//!
//! A [`Backend`] keeps rows; everything above it is typed. All work is a closure that runs inside one transaction:
//! it sees a consistent record, and either all it wrote is durable when [`Store::write`] returns, or nothing is.
//! The closure may run more than once (a backend with optimistic transactions repeats it), so it does nothing but read
//! and write through its transaction.
//!
//! Every update and removal names the version it has seen; a row that has moved on since is [`StoreError::Stale`].

#[cfg(test)]
mod contract;
mod document;
pub mod dump;
mod pass_on;
mod postgres;
#[cfg(test)]
#[path = "../../../tests/support/postgres.rs"]
mod postgres_server;
mod sealed;
mod sqlite;
mod timed;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use document::{ALL, Document, Stored, Term, Typed, View};
pub(crate) use pass_on::pass_on;
pub use postgres::{Postgres, PostgresDump, PostgresReplacing};
pub(crate) use sealed::Open;
pub use sealed::{PLAIN, Sealed};
pub use sqlite::{DataLock, Sqlite, SqliteDump};
pub use timed::{Access, Stopwatch};

use crate::domain::Scope;

/// Why the record can't be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "a variant's members are named by its message")]
pub enum StoreError {
    /// A row with this key is there already.
    #[error("{kind} {key} exists already")]
    Exists { kind: &'static str, key: String },
    /// The row has changed or gone since it was read.
    #[error("{kind} {key} was changed by someone else meanwhile")]
    Stale { kind: &'static str, key: String },
    /// A row doesn't hold what its kind says.
    #[error("{kind} {key} can't be read from the record")]
    Corrupt {
        kind: &'static str,
        key: String,
        #[source]
        source: serde_json::Error,
    },
    /// The database refuses.
    #[error("the database refuses while {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process has the database open.
    #[error("{path} is in use by process {holder}; stop that process, or choose another data directory")]
    InUse { path: String, holder: String },
    /// A later version of Hadron has changed the database's schema.
    #[error(
        "{path} has schema {found}, this hadron knows up to {known}; use the newer hadron, or restore a backup made before"
    )]
    TooNew { path: String, found: i64, known: i64 },
    /// The database is away for a moment. What was to be written is not, or, if this struck in the middle of a commit,
    /// perhaps is: whoever repeats it must look.
    #[error("the record is away for a moment")]
    Unavailable {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// A document as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Unique within scope and kind.
    pub key: String,
    /// Counts the document's updates, from 1.
    pub version: i64,
    /// JSON text.
    pub body: String,
    /// Its place among the rows that share the term it was found by.
    pub sort: String,
}

/// Which rows to list: all that carry a term, in the order of (sort, key).
#[derive(Debug, Clone)]
pub struct Select<'a> {
    /// The term's name; see [`Document::terms`].
    pub term: &'a str,
    /// The term's value.
    pub value: &'a str,
    /// Continue behind this (sort, key).
    pub after: Option<(&'a str, &'a str)>,
    /// Last first.
    pub descending: bool,
    /// At most so many.
    pub limit: usize,
}

/// One line of a resource's history; events are made of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The resource's ARN.
    pub arn: String,
    /// Position in the resource's history, from 1 without gaps; assigned by the store.
    pub sequence: i64,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The status before; none at creation.
    pub previous: Option<String>,
    /// The status now; `DELETED` when the resource is gone.
    pub status: String,
    /// What else an event about this change tells, as JSON text.
    pub detail: String,
}

/// What a backend offers inside one transaction.
pub trait Transaction {
    /// Reads one row.
    fn fetch(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError>;
    /// Adds a row at version 1; [`StoreError::Exists`] if the key is taken.
    fn insert(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError>;
    /// Replaces a row and its terms if it still has `version`, which then grows by one; else [`StoreError::Stale`].
    fn update(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        version: i64,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError>;
    /// Removes a row and its terms if it still has `version`; else [`StoreError::Stale`].
    fn remove(&mut self, scope: &Scope, kind: &'static str, key: &str, version: i64) -> Result<(), StoreError>;
    /// Lists rows.
    fn select(&mut self, scope: &Scope, kind: &'static str, select: &Select<'_>) -> Result<Vec<Row>, StoreError>;
    /// How many rows carry a term, a name and a value, up to `limit`; no row is read for that.
    fn count(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        term: (&str, &str),
        limit: usize,
    ) -> Result<usize, StoreError>;
    /// The scopes that hold any row of a kind.
    fn scopes(&mut self, kind: &'static str) -> Result<Vec<Scope>, StoreError>;
    /// Appends to a resource's history; returns the sequence number it got.
    fn append_change(&mut self, scope: &Scope, change: &StatusChange) -> Result<i64, StoreError>;
    /// A resource's history behind a sequence number, oldest first.
    fn changes(&mut self, scope: &Scope, arn: &str, after: i64, limit: usize) -> Result<Vec<StatusChange>, StoreError>;
    /// Writes a blob over whatever had its key.
    fn put_blob(&mut self, scope: &Scope, kind: &'static str, key: &str, bytes: &[u8]) -> Result<(), StoreError>;
    /// Reads a blob.
    fn blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Removes a blob; absence is no error.
    fn remove_blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<(), StoreError>;
}

/// Work for one transaction: `true` commits, `false` rolls back.
pub type Work = Box<dyn FnMut(&mut dyn Transaction) -> bool + Send>;

/// What is called when a bell rings in another process.
pub type Heard = Box<dyn Fn() + Send + Sync>;

/// Which schema a database has, and which this program knows; 0 is an empty database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Schema {
    /// The database's.
    pub found: i64,
    /// The latest that this program knows.
    pub known: i64,
}

/// A place that runs transactions.
pub trait Backend: Send + Sync {
    /// Runs `work` in a transaction that may write; resolves once its commit is durable.
    fn write(&self, work: Work) -> futures::future::BoxFuture<'static, Result<(), StoreError>>;
    /// Runs `work` on a consistent snapshot; what it writes is refused or lost.
    fn read(&self, work: Work) -> futures::future::BoxFuture<'static, Result<(), StoreError>>;
    /// Rings a bell in all other processes on the same record, if there can be any; soon, perhaps, and at most so often.
    fn ring(&self, _bell: &'static str) {}
    /// Whether other processes may work on the same record.
    fn is_shared(&self) -> bool {
        false
    }
    /// Calls `heard` whenever a bell rings in another process.
    fn hear(&self, _bell: &'static str, _heard: Heard) {}
}

/// Something that stands between a transaction and the work in it, such as encryption or the audit log.
pub trait Layer: Send + Sync {
    /// Runs `work` on a transaction of the layer's own over `tx`; returns what `work` returned: whether to commit.
    ///
    /// # Errors
    /// The layer's own trouble, which rolls everything back.
    fn around(
        &self,
        tx: &mut dyn Transaction,
        work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
    ) -> Result<bool, StoreError>;
}

/// The record, whatever keeps it; cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    /// The first is next to the backend, the last next to the work.
    layers: Vec<Arc<dyn Layer>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// A store kept by `backend`.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend), layers: Vec::new() }
    }

    /// The same record, seen through one layer more.
    #[must_use]
    pub fn through(&self, layer: impl Layer + 'static) -> Self {
        let mut layers = self.layers.clone();
        layers.push(Arc::new(layer));
        Self { backend: Arc::clone(&self.backend), layers }
    }

    /// Rings a bell in all other processes on the same record.
    pub fn ring(&self, bell: &'static str) {
        self.backend.ring(bell);
    }

    /// Whether other processes may work on the same record.
    pub fn is_shared(&self) -> bool {
        self.backend.is_shared()
    }

    /// Calls `heard` whenever a bell rings in another process on the same record.
    pub fn hear(&self, bell: &'static str, heard: impl Fn() + Send + Sync + 'static) {
        self.backend.hear(bell, Box::new(heard));
    }

    /// Runs `work` in one transaction and returns when what it wrote is durable; an error rolls all of it back.
    ///
    /// # Errors
    /// What `work` says, or that the database refused.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (work, outcome) = keep_outcome(self.layers.clone(), work);
        self.backend.write(work).await?;
        outcome()
    }

    /// Runs `work` on a consistent snapshot.
    ///
    /// # Errors
    /// What `work` says, or that the database refused.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (work, outcome) = keep_outcome(self.layers.clone(), work);
        self.backend.read(work).await?;
        outcome()
    }
}

/// Runs work inside all layers.
fn through(
    layers: &[Arc<dyn Layer>],
    tx: &mut dyn Transaction,
    work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
) -> Result<bool, StoreError> {
    let Some((nearest, rest)) = layers.split_first() else { return Ok(work(tx)) };
    let mut trouble = None;
    let commit = nearest.around(tx, &mut |tx| match through(rest, tx, work) {
        Ok(commit) => commit,
        Err(error) => {
            trouble = Some(error);
            false
        }
    })?;
    trouble.map_or(Ok(commit), Err)
}

/// Turns typed work into a backend's, and a way to take out what its last run returned.
fn keep_outcome<T, E, F>(layers: Vec<Arc<dyn Layer>>, mut work: F) -> (Work, impl FnOnce() -> Result<T, E>)
where
    F: FnMut(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let slot = Arc::new(std::sync::Mutex::new(None));
    let inside = Arc::clone(&slot);
    let run = move |tx: &mut dyn Transaction| {
        let mut outcome = None;
        let mut inner = |tx: &mut dyn Transaction| outcome.insert(work(tx)).is_ok();
        let commit = through(&layers, tx, &mut inner);
        let (outcome, commit) = match commit {
            Ok(commit) => (outcome, commit),
            Err(error) => (Some(Err(error.into())), false),
        };
        *inside.lock().expect("no one panics while holding an outcome") = outcome;
        commit
    };
    let take = move || slot.lock().expect("no one panics while holding an outcome").take();
    (Box::new(run), move || take().unwrap_or_else(|| Err(StoreError::Closed.into())))
}
