//! PostgreSQL: the record of several servers. Serializable transactions on threads of their own, repeated by themselves
//! when others were faster, and again on a new session when the old one broke before its commit.
//!
//! One statement a verb, walking indexes only, in the order of bytes: everything reads as it does from `SQLite`.

mod address;
mod bells;
mod dump;
mod link;
mod migration;
#[cfg(test)]
mod tests;
mod text;
mod transaction;
mod worker;

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use postgres::Client;
use tokio::sync::oneshot;

pub use self::dump::{PostgresDump, PostgresReplacing};

use self::address::Address;
use self::bells::Bells;
use self::link::Link;
use self::worker::{Job, Queue};
use super::{Backend, Heard, Schema, StoreError, Work};

/// Transactions that may write at a time, per server: commits that come together share a sync of the disk.
const WRITERS: usize = 6;

/// Reads at a time, per server.
const READERS: usize = 4;

/// How long a database that doesn't answer is waited for at the start: long enough for one that starts beside us.
const START: Duration = Duration::from_secs(30);

/// How long an answer is waited for at all. A database that hangs, instead of being away, is noticed by this.
const LONGEST: Duration = Duration::from_secs(25);

/// A database that several servers share. Dropping it finishes what is queued.
#[derive(Debug)]
pub struct Postgres {
    /// None only while it is being dropped: the threads end when their sender is gone.
    queues: Option<Queues>,
    bells: Arc<Bells>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Queues {
    writes: Sender<Job>,
    reads: Sender<Job>,
    rings: Sender<&'static str>,
}

impl std::fmt::Debug for Bells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bells")
    }
}

impl Postgres {
    /// Opens the database at a `postgres://` URL and brings its schema up to date. Blocks, for up to half a minute if
    /// nobody answers there. `ca_bundle` is a PEM file of certificates to trust besides the system's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nobody answers, [`StoreError::TooNew`] if a later Hadron has been there, or what
    /// the database has against us.
    pub fn open(url: &str, ca_bundle: Option<&Path>) -> Result<Self, StoreError> {
        let address = Arc::new(Address::parse(url, ca_bundle)?);
        on_a_thread({
            let address = Arc::clone(&address);
            move || migration::migrate(&mut first_session(&address)?, &address.shown)
        })?;
        Self::start(&address)
    }

    /// Opens the database beside a [`PostgresReplacing`], which has brought its schema up to date.
    ///
    /// # Errors
    /// The URL or the certificates can't be read.
    pub fn open_beside(url: &str, ca_bundle: Option<&Path>) -> Result<Self, StoreError> {
        Self::start(&Arc::new(Address::parse(url, ca_bundle)?))
    }

    /// Which schema the database at a URL has, and which this program knows; changes nothing.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub fn schema(url: &str, ca_bundle: Option<&Path>) -> Result<Schema, StoreError> {
        let address = Address::parse(url, ca_bundle)?;
        on_a_thread(move || migration::schema(&mut first_session(&address)?))
    }

    fn start(address: &Arc<Address>) -> Result<Self, StoreError> {
        let (bells, others) = (Arc::new(Bells::default()), Arc::new(RwLock::new(())));
        let (writes, jobs) = channel();
        let jobs: Queue = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for _ in 0..WRITERS {
            let (link, jobs, others) = (Link::new(Arc::clone(address)), Arc::clone(&jobs), Arc::clone(&others));
            threads.push(spawn("store-writer", move || worker::write(link, &jobs, &others))?);
        }
        let (reads, jobs) = channel();
        let jobs: Queue = Arc::new(Mutex::new(jobs));
        for _ in 0..READERS {
            let (link, jobs) = (Link::new(Arc::clone(address)), Arc::clone(&jobs));
            threads.push(spawn("store-reader", move || worker::read(link, &jobs))?);
        }
        let me = uuid::Uuid::new_v4().simple().to_string();
        let (rings, due) = channel();
        let (link, name, out) = (Link::new(Arc::clone(address)), me.clone(), Arc::clone(&bells));
        threads.push(spawn("store-ringer", move || bells::carry_out(link, &due, &name, &out))?);
        // Nobody waits for this one's end: it notices within a second that the store is closed.
        let (address, heard) = (Arc::clone(address), Arc::clone(&bells));
        drop(spawn("store-listener", move || bells::bring_in(&address, &me, &heard))?);
        Ok(Self { queues: Some(Queues { writes, reads, rings }), bells, threads })
    }
}

impl Backend for Postgres {
    fn write(&self, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        submit(self.queues.as_ref().map(|queues| &queues.writes), work)
    }

    fn read(&self, work: Work) -> BoxFuture<'static, Result<(), StoreError>> {
        submit(self.queues.as_ref().map(|queues| &queues.reads), work)
    }

    fn ring(&self, bell: &'static str) {
        let sent = self.queues.as_ref().is_some_and(|queues| queues.rings.send(bell).is_ok());
        debug_assert!(sent, "the ringer lives as long as the store");
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn hear(&self, bell: &'static str, heard: Heard) {
        self.bells.hear(bell, heard);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.bells.close();
        drop(self.queues.take());
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
    let sent = queue.is_some_and(|queue| queue.send(Job { work, asked: Instant::now(), done }).is_ok());
    Box::pin(async move {
        if !sent {
            return Err(StoreError::Closed);
        }
        match tokio::time::timeout(LONGEST, outcome).await {
            Ok(outcome) => outcome.unwrap_or(Err(StoreError::Closed)),
            Err(late) => Err(StoreError::Unavailable { source: Box::new(late) }),
        }
    })
}

/// The first session of all. Says so when it has to wait, since a start that hangs without a word looks broken.
fn first_session(address: &Address) -> Result<Client, StoreError> {
    let mut client = match link::connect(address, Instant::now()) {
        Err(StoreError::Unavailable { source }) => {
            tracing::warn!("the record at {} can't be reached ({source}); trying for {START:?}", address.shown);
            link::connect(address, Instant::now() + START)?
        }
        other => other?,
    };
    let encoding = client.query_one("SHOW server_encoding", &[]).map_err(refused("asking for its encoding"))?;
    match encoding.get::<_, String>(0).as_str() {
        "UTF8" => Ok(client),
        other => Err(StoreError::Database {
            doing: "opening it",
            source: format!("its encoding is {other}; create the database with ENCODING 'UTF8'").into(),
        }),
    }
}

/// Runs what waits for the database where that is allowed: the driver has a runtime of its own, which can't be used
/// inside another.
fn on_a_thread<T: Send + 'static>(
    body: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let thread = thread::Builder::new().name("store-opener".into()).spawn(body);
    let thread = thread.map_err(refused("starting its threads"))?;
    thread.join().unwrap_or(Err(StoreError::Closed))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(refused("starting its threads"))
}

/// Makes a refusal the store's.
fn refused<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError::Database { doing, source: Box::new(source) }
}
