//! The threads that own a session: writers, which commit or run again, and readers.
//!
//! Each work is a transaction of its own; PostgreSQL itself lets commits that come together share one sync. What the
//! database aborts because others were faster is run again, soon and then later and later; after a few tries this
//! process's other writers stand still for it, so that it gets through.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use postgres::Error;
use postgres::error::Severity;
use rand::Rng;
use tokio::sync::oneshot;

use super::link::{Link, Meaning, Session, meaning, said, unavailable};
use super::transaction::Open;
use crate::control_plane::store::{StoreError, Work};

/// How long work waits for a database that is away, counted from when it was asked for.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// How long work is run again and again before its asker is told to come back.
const CONTENTION: Duration = Duration::from_secs(15);

/// From this try on, the process's other writers wait.
const ALONE: u32 = 4;

/// Work and who waits for it.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) asked: Instant,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// The queue that threads of a kind share.
pub(super) type Queue = Arc<Mutex<Receiver<Job>>>;

/// How a transaction ended that didn't commit.
enum Ended {
    /// Others were faster; nothing is written.
    Conflict(Error),
    /// The session broke before the commit; nothing is written.
    Lost(Error),
    /// The session broke while committing: nobody knows.
    Unknown(Error),
    /// An error of its own; nothing is written.
    Failed(StoreError),
}

/// Serves writes until the last sender is gone and all that was queued is done.
pub(super) fn write(mut link: Link, jobs: &Queue, others: &RwLock<()>) {
    while let Some(Job { mut work, asked, done }) = next(jobs) {
        let outcome = write_one(&mut link, &mut work, asked, others);
        answer(done, outcome);
    }
}

fn write_one(link: &mut Link, work: &mut Work, asked: Instant, others: &RwLock<()>) -> Result<(), StoreError> {
    for tries in 1_u32.. {
        let session = link.session(asked + PATIENCE)?;
        let ended = if tries < ALONE {
            let _beside = others.read().unwrap_or_else(PoisonError::into_inner);
            commit(session, work)
        } else {
            let _alone = others.write().unwrap_or_else(PoisonError::into_inner);
            commit(session, work)
        };
        match ended {
            Ok(()) => break,
            Err(Ended::Failed(error)) => return Err(error),
            Err(Ended::Unknown(error)) => {
                link.drop_session();
                return Err(unavailable(&error));
            }
            Err(Ended::Lost(error)) => {
                link.drop_session();
                if asked.elapsed() >= PATIENCE {
                    return Err(unavailable(&error));
                }
            }
            Err(Ended::Conflict(error)) if asked.elapsed() >= CONTENTION => return Err(unavailable(&error)),
            Err(Ended::Conflict(_)) => thread::sleep(pause(tries)),
        }
    }
    Ok(())
}

/// A random time that grows with the tries, so that those who met once don't meet again.
fn pause(tries: u32) -> Duration {
    let most = 1_u64 << tries.min(8);
    Duration::from_micros(rand::rng().random_range(0..=most * 1000))
}

/// Runs work in one transaction and commits it if it wants that.
fn commit(session: &mut Session, work: &mut Work) -> Result<(), Ended> {
    let wants = run(session, "BEGIN ISOLATION LEVEL SERIALIZABLE", work);
    if let Ok(true) = wants {
        return session.client.batch_execute("COMMIT").map_err(uncommitted);
    }
    roll_back(session);
    match wants {
        Err(Broken::Statement(error)) => Err(match meaning(&error) {
            Meaning::Conflict => Ended::Conflict(error),
            Meaning::Lost => Ended::Lost(error),
            Meaning::Refused => {
                Ended::Failed(StoreError::Database { doing: "running a transaction", source: said(&error).into() })
            }
        }),
        Err(Broken::Panic(error)) => Err(Ended::Failed(error)),
        Ok(_) => Ok(()),
    }
}

/// Only a plain error tells that a commit didn't take place; without an answer, or when the server cut us off while it
/// answered, it may have.
fn uncommitted(error: Error) -> Ended {
    let plain = error.as_db_error().is_some_and(|said| said.parsed_severity() == Some(Severity::Error));
    match meaning(&error) {
        _ if !plain => Ended::Unknown(error),
        Meaning::Conflict => Ended::Conflict(error),
        Meaning::Lost => Ended::Unknown(error),
        Meaning::Refused => Ended::Failed(StoreError::Database { doing: "committing", source: said(&error).into() }),
    }
}

/// Serves reads until the last sender is gone.
pub(super) fn read(mut link: Link, jobs: &Queue) {
    while let Some(Job { mut work, asked, done }) = next(jobs) {
        let outcome = read_one(&mut link, &mut work, asked);
        // What was read is known: nobody waits for the transaction's end.
        answer(done, outcome);
        link.present().map(roll_back);
    }
}

fn read_one(link: &mut Link, work: &mut Work, asked: Instant) -> Result<(), StoreError> {
    loop {
        let session = link.session(asked + PATIENCE)?;
        let error = match run(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work) {
            Ok(_) => return Ok(()),
            Err(Broken::Panic(error)) => return Err(error),
            Err(Broken::Statement(error)) => error,
        };
        // Here "read-only" is what we asked for, not a server that has become a standby.
        let writes = error.code().is_some_and(|code| code.code() == "25006");
        if writes || meaning(&error) == Meaning::Refused {
            return Err(StoreError::Database { doing: "reading", source: said(&error).into() });
        }
        link.drop_session();
        if asked.elapsed() >= PATIENCE {
            return Err(unavailable(&error));
        }
    }
}

/// What kept work from its end.
enum Broken {
    /// A statement, even if the work took no notice.
    Statement(Error),
    Panic(StoreError),
}

/// Begins a transaction and runs work in it; a panic in it is its own error and nobody else's.
fn run(session: &mut Session, begin: &str, work: &mut Work) -> Result<bool, Broken> {
    session.client.batch_execute(begin).map_err(Broken::Statement)?;
    let mut open = Open::new(session);
    let ran = catch_unwind(AssertUnwindSafe(|| work(&mut open)));
    if let Some(error) = open.trouble {
        return Err(Broken::Statement(error));
    }
    ran.map_err(|panic| {
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!("a transaction panicked: {message}");
        let source = format!("it panicked: {message}").into();
        Broken::Panic(StoreError::Database { doing: "running a transaction", source })
    })
}

/// A session that can't even do this is closed, which the next work notices.
fn roll_back(session: &mut Session) {
    if let Err(error) = session.client.batch_execute("ROLLBACK") {
        tracing::debug!(%error, "a transaction could not be rolled back: {}", said(&error));
    }
}

fn next(jobs: &Queue) -> Option<Job> {
    jobs.lock().expect("no thread panics while it waits").recv().ok()
}

/// Whoever asked may have gone away meanwhile; the work is done all the same.
fn answer(done: oneshot::Sender<Result<(), StoreError>>, outcome: Result<(), StoreError>) {
    drop(done.send(outcome));
}
