//! Bells that ring in every server on the same record: NOTIFY carries a ring out, LISTEN brings it in.
//!
//! A ring says only "look again", so many may become one, and one too many does no harm. A server that was cut off
//! rings all its bells when it is back, since it may have missed some. Who waits also looks by itself now and then.
//!
//! <https://www.postgresql.org/docs/current/sql-notify.html>

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;

use super::address::Address;
use super::link::{Link, connect};
use crate::control_plane::store::{Heard, StoreError};

/// The channel of all bells; a database has its own.
const CHANNEL: &str = "hadron_bells";

/// How soon a thread notices that the store is closed, and how long a try to reconnect takes.
const ROUND: Duration = Duration::from_secs(1);

/// What to call when a bell rings elsewhere.
#[derive(Default)]
pub(super) struct Bells {
    heard: Mutex<HashMap<&'static str, Vec<Heard>>>,
    closed: AtomicBool,
}

impl Bells {
    /// Calls `heard` from now on.
    pub(super) fn hear(&self, bell: &'static str, heard: Heard) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).entry(bell).or_default().push(heard);
    }

    /// Ends the threads, soon.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn ring(&self, wanted: impl Fn(&str) -> bool) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|(bell, _)| wanted(bell)).flat_map(|(_, all)| all).for_each(|heard| heard());
    }
}

/// Carries rings out until the last sender is gone. `me` marks them, so that we don't hear our own.
pub(super) fn carry_out(mut link: Link, rings: &Receiver<&'static str>, me: &str, bells: &Bells) {
    while let Ok(first) = rings.recv() {
        let mut due: BTreeSet<&'static str> = BTreeSet::from([first]);
        due.extend(rings.try_iter());
        while !due.is_empty() && !bells.is_closed() {
            match notify(&mut link, &due, me) {
                Ok(()) => due.clear(),
                Err(error) => {
                    tracing::debug!(%error, "the other servers can't be told of work");
                    link.drop_session();
                    thread::sleep(ROUND);
                    due.extend(rings.try_iter());
                }
            }
        }
    }
}

fn notify(link: &mut Link, due: &BTreeSet<&'static str>, me: &str) -> Result<(), Box<dyn std::error::Error>> {
    let session = link.session(Instant::now() + ROUND)?;
    let statement = session.statement("SELECT pg_notify($1, $2 || text) FROM unnest($3::text[]) AS bells (text)")?;
    let names: Vec<&str> = due.iter().copied().collect();
    session.client.query(&statement, &[&CHANNEL, &format!("{me} "), &names])?;
    Ok(())
}

/// Brings rings in until the store is closed.
pub(super) fn bring_in(address: &Address, me: &str, bells: &Arc<Bells>) {
    while !bells.is_closed() {
        if let Err(error) = listen(address, me, bells) {
            tracing::debug!(%error, "other servers' bells can't be heard");
            thread::sleep(ROUND);
        }
    }
}

fn listen(address: &Address, me: &str, bells: &Bells) -> Result<(), StoreError> {
    let mut client = connect(address, Instant::now() + ROUND)?;
    let refused = |error: postgres::Error| super::link::unavailable(&error);
    client.batch_execute(&format!("LISTEN {CHANNEL}")).map_err(refused)?;
    bells.ring(|_| true);
    while !bells.is_closed() {
        let rung = client.notifications().timeout_iter(ROUND).next().map_err(refused)?;
        match rung.as_ref().and_then(|rung| rung.payload().split_once(' ')) {
            Some((who, bell)) if who != me => bells.ring(|name| name == bell),
            None if client.is_closed() => break,
            Some(_) | None => {}
        }
    }
    Ok(())
}
