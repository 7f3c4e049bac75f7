//! `SQLite`: one writer that commits in groups, a few readers on snapshots, all on threads of their own.

mod dump;
mod lock;
mod migration;
mod transaction;
mod worker;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::future::BoxFuture;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

pub use self::dump::SqliteDump;
pub use self::lock::DataLock;

use self::worker::Job;
use super::{Backend, Schema, StoreError, Work};
use crate::support::files::sync_folder;

/// Reads are short and mostly from memory; more readers than this only add caches.
const READERS: usize = 3;

/// How long to wait for someone outside (a backup, a shell) who holds the database.
const BUSY: Duration = Duration::from_secs(10);

/// The embedded database of one machine. Dropping it finishes what is queued and closes the file.
#[derive(Debug)]
pub struct Sqlite {
    /// None only while it is being dropped: the threads end when their sender is gone.
    writes: Option<Sender<Job>>,
    reads: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Given back when the threads are done; the folder is a temporary database's own.
    _held: (DataLock, Option<tempfile::TempDir>),
}

impl Sqlite {
    /// Opens the database at `path`, or creates it, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it open, [`StoreError::TooNew`] if a later Hadron wrote it, or
    /// that the file can't be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_in(path, DataLock::take(path)?, None)
    }

    /// Opens the database at `path` under a lock that is held already.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_under(path: &Path, lock: &DataLock) -> Result<Self, StoreError> {
        Self::open_in(path, lock.clone(), None)
    }

    /// Which schema the database at `path` has, and which this program knows; changes nothing, and may be asked while
    /// another process has it open.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn schema(path: &Path) -> Result<Schema, StoreError> {
        let open = || match path.exists() {
            true => Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE),
            // Which is what it would begin as.
            false => Connection::open_in_memory(),
        };
        migration::schema(&open().map_err(refused("opening its file"))?)
    }

    /// A database in a folder of its own that is removed with it.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn temporary() -> Result<Self, StoreError> {
        let folder = tempfile::tempdir().map_err(refused("creating a temporary folder"))?;
        let path = folder.path().join("hadron.db");
        Self::open_in(&path, DataLock::take(&path)?, Some(folder))
    }

    fn open_in(path: &Path, lock: DataLock, folder: Option<tempfile::TempDir>) -> Result<Self, StoreError> {
        create_private(path).map_err(refused("creating its file"))?;
        let mut writer = connect(path)?;
        migration::migrate(&mut writer, path)?;
        let folder_of = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(folder_of).map_err(refused("syncing its folder"))?;
        let readers = (0..READERS).map(|_| connect_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Self::start(writer, readers, (lock, folder))
    }

    fn start(
        writer: Connection,
        readers: Vec<Connection>,
        held: (DataLock, Option<tempfile::TempDir>),
    ) -> Result<Self, StoreError> {
        let (to_writer, jobs) = channel();
        let mut threads = vec![spawn("store-writer", move || worker::write(&writer, &jobs))?];
        let (to_readers, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for reader in readers {
            let jobs = Arc::clone(&jobs);
            threads.push(spawn("store-reader", move || worker::read(&reader, &jobs))?);
        }
        Ok(Self { writes: Some(to_writer), reads: Some(to_readers), threads, _held: held })
    }
}

impl Backend for Sqlite {
    fn write(&self, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        submit(self.writes.as_ref(), work)
    }

    fn read(&self, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        submit(self.reads.as_ref(), work)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop((self.writes.take(), self.reads.take()));
        for thread in self.threads.drain(..) {
            // Work may own the last handle to the store: its thread can't wait for itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the store ended in a panic");
            }
        }
    }
}

/// Queues work at once, not when the future is first polled, so that the order of calls is the order of work.
fn submit(queue: Option<&Sender<Job>>, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
    let (done, outcome) = oneshot::channel();
    let sent = queue.is_some_and(|queue| queue.send(Job { work, done }).is_ok());
    Box::pin(
        async move { if sent { outcome.await.unwrap_or(Err(StoreError::Closed)) } else { Err(StoreError::Closed) } },
    )
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(refused("starting its threads"))
}

/// The record holds access keys; `SQLite` gives its other files the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(|_| ())
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // With NORMAL a power cut could take back what was acknowledged.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        // Without this guarantee a new LIMIT, which may change the plan, has the statement compiled anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    };
    open().map_err(refused("opening its file"))
}

fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    // What a read writes would be lost; better that it learns at once.
    connection.pragma_update(None, "query_only", true).map_err(refused("opening its file"))?;
    Ok(connection)
}

/// Makes a database's refusal the store's.
fn refused<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError::Database { doing, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::store::{Store, contract};
    use crate::domain::Scope;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_keeps_the_contract() {
        contract::contract(|| Sqlite::temporary().unwrap()).await;
    }

    #[tokio::test]
    async fn a_second_opener_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hadron.db");
        let first = Sqlite::open(&path).unwrap();
        let error = Sqlite::open(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("process {};", std::process::id())), "{error}");
        drop(first);
        Sqlite::open(&path).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_queued_when_it_closes_is_done_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hadron.db");
        let store = Store::new(Sqlite::open(&path).unwrap());
        let scope = Scope::new("1", "r");
        let put = |key: usize, scope: Scope| {
            store.write::<_, StoreError, _>(move |tx| tx.put_blob(&scope, "b", &key.to_string(), &[1]))
        };
        futures::future::try_join_all((0..500).map(|key| put(key, scope.clone()))).await.unwrap();
        drop(store);
        let store = Store::new(Sqlite::open(&path).unwrap());
        for key in 0..500 {
            let scope = scope.clone();
            let blob = store.read::<_, StoreError, _>(move |tx| tx.blob(&scope, "b", &key.to_string())).await.unwrap();
            assert_eq!(blob, Some(vec![1]), "{key}");
        }
    }

    #[tokio::test]
    async fn only_the_owner_may_read_its_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let _open = Sqlite::open(&folder.path().join("hadron.db")).unwrap();
        for file in ["hadron.db", "hadron.db-wal"] {
            let mode = folder.path().join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}
