//! The threads that own a connection: the writer, which commits in groups, and the readers.
//!
//! A commit costs a sync of the disk whatever is in it. So the writer takes all work that has queued up while the last
//! commit was under way, runs it inside one transaction, each in a savepoint of its own, and answers everyone after the
//! one commit. With one client that is a transaction each; with many, the disk syncs once for all of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::refused;
use super::transaction::Open;
use crate::control_plane::store::{StoreError, Work};

/// Work and who waits for it.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// So many at most share a commit: the first one's answer waits for the last one's work.
const GROUP: usize = 256;

/// Serves until the last sender is gone and all that was queued is done.
pub(super) fn write(connection: &Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP - 1));
        let outcomes = commit_group(connection, &mut group);
        for (job, outcome) in group.into_iter().zip(outcomes) {
            answer(job.done, outcome);
        }
    }
}

/// Runs all of a group and commits it; the outcomes are in the group's order.
fn commit_group(connection: &Connection, group: &mut [Job]) -> Vec<Result<(), StoreError>> {
    let outcome = commit_all(connection, group);
    if outcome.is_err() && !connection.is_autocommit() {
        // The error is told already; a connection that can't even roll back refuses the next BEGIN and tells again.
        if let Err(error) = execute(connection, "ROLLBACK") {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }
    outcome.unwrap_or_else(|error| {
        let message = error.to_string();
        let refusal = || StoreError::Database { doing: "committing", source: message.clone().into() };
        group.iter().map(|_| Err(refusal())).collect()
    })
}

fn commit_all(connection: &Connection, group: &mut [Job]) -> rusqlite::Result<Vec<Result<(), StoreError>>> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group.iter_mut() {
        execute(connection, "SAVEPOINT work")?;
        let ran = run(connection, &mut job.work);
        // A full disk makes SQLite roll the whole transaction back by itself: everybody's work is lost then, and the
        // RELEASE below fails because its savepoint is gone.
        if !matches!(ran, Ok(true)) {
            execute(connection, "ROLLBACK TO work")?;
        }
        execute(connection, "RELEASE work")?;
        outcomes.push(ran.map(|_| ()));
    }
    execute(connection, "COMMIT")?;
    Ok(outcomes)
}

/// Serves reads until the last sender is gone; the readers share one queue.
pub(super) fn read(connection: &Connection, jobs: &Arc<Mutex<Receiver<Job>>>) {
    while let Some(mut job) = next(jobs) {
        let outcome = snapshot(connection, &mut job.work);
        answer(job.done, outcome);
    }
}

fn next(jobs: &Arc<Mutex<Receiver<Job>>>) -> Option<Job> {
    jobs.lock().expect("no reader panics while it waits").recv().ok()
}

fn snapshot(connection: &Connection, work: &mut Work) -> Result<(), StoreError> {
    execute(connection, "BEGIN").map_err(refused("beginning to read"))?;
    let ran = run(connection, work).map(|_| ());
    execute(connection, "ROLLBACK").map_err(refused("ending a read"))?;
    ran
}

/// Runs one work; a panic in it is its own error and nobody else's.
fn run(connection: &Connection, work: &mut Work) -> Result<bool, StoreError> {
    catch_unwind(AssertUnwindSafe(|| work(&mut Open(connection)))).map_err(|panic| {
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!("a transaction panicked: {message}");
        StoreError::Database { doing: "running a transaction", source: format!("it panicked: {message}").into() }
    })
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Whoever asked may have gone away meanwhile; the work is done all the same.
fn answer(done: oneshot::Sender<Result<(), StoreError>>, outcome: Result<(), StoreError>) {
    drop(done.send(outcome));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::domain::Scope;

    /// A database as it is opened for writing, and the path of its log.
    fn database(folder: &tempfile::TempDir) -> (Connection, std::path::PathBuf) {
        let path = folder.path().join("x.db");
        let mut connection = Connection::open(&path).unwrap();
        super::super::migration::migrate(&mut connection, &path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = wal; PRAGMA foreign_keys = on").unwrap();
        (connection, folder.path().join("x.db-wal"))
    }

    fn put(n: u8) -> (Job, oneshot::Receiver<Result<(), StoreError>>) {
        let (done, answer) = oneshot::channel();
        let work: Work = Box::new(move |tx| tx.put_blob(&Scope::new("1", "r"), "b", &n.to_string(), &[n]).is_ok());
        (Job { work, done }, answer)
    }

    /// A page that many jobs write goes to the log once for each commit, so the log's length tells how many there were.
    #[test]
    fn what_has_queued_up_shares_one_commit() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, log) = database(&folder);
        let (jobs, queue) = channel();
        let (all, answers): (Vec<_>, Vec<_>) = (0..100).map(put).unzip();
        for job in all {
            jobs.send(job).unwrap();
        }
        drop(jobs);
        write(&connection, &queue);
        let length = log.metadata().unwrap().len();
        assert!(length < 10 * 4096, "{length} bytes of log for 100 small writes");
        for mut answer in answers {
            answer.try_recv().unwrap().unwrap();
        }
    }

    #[test]
    fn a_failed_commit_fails_the_whole_group_and_nobody_after() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, _) = database(&folder);
        // A deferred constraint is checked at COMMIT, when both jobs believe that they are done.
        let poison = "CREATE TABLE bad (blob REFERENCES blobs (id) DEFERRABLE INITIALLY DEFERRED);
                      CREATE TRIGGER poison AFTER INSERT ON blobs WHEN new.key = '1'
                      BEGIN INSERT INTO bad VALUES (-1); END";
        connection.execute_batch(poison).unwrap();
        let outcomes = commit_group(&connection, &mut [put(0).0, put(1).0]);
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        let outcomes = commit_group(&connection, &mut [put(2).0]);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let kept: String = connection.query_row("SELECT group_concat(key) FROM blobs", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "2");
    }
}
