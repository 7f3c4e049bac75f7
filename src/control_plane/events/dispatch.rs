//! Delivers what lies in the outbox: each sink by itself, each of its lanes in order.
//!
//! Of the servers on one record, one at a time works for a sink ([`Duty`]). It takes the heads of lanes that are due, and
//! delivers a lane's letters one after another until one fails. That one is tried again later, with growing waits, and
//! its lane waits with it; other lanes and other sinks don't. A letter that is given up becomes a dead letter, and its
//! lane goes on.
//!
//! ```text
//!            ┌──────── later ────────┐
//!            ▼                       │
//! outbox: waiting ──▶ at the far end ┼─ delivered ──▶ (removed)
//!            ▲                       └─ never, or too often ──▶ dead letter ─┐
//!            └──────────────────────────── replay ───────────────────────────┘
//! ```
//!
//! Whoever waits behind a failed head is *parked*: moved to the end of what is due, so that it isn't looked at again and
//! again, until its head is settled. Should that be missed, it is looked at again after [`PARKED`].

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::SinkConfig;
use super::outbox::{DeadLetter, Pending, outbox};
use super::retry::delay;
use super::sink::{self, Outcome, Sink};
use crate::control_plane::duty::Duty;
use crate::control_plane::plane::Plane;
use crate::control_plane::store::{Document, Select, StoreError, Stored, Transaction, Typed};

/// How often the outbox is looked at without a bell: another server may have written, or something is due again.
const ROUND: Duration = Duration::from_secs(1);

/// The bell rings before its transaction is durable; so much later it usually is.
const SETTLING: Duration = Duration::from_millis(30);

/// So many letters of a lane are taken at a time.
const STRETCH: usize = 32;

/// Documents of one look.
const PAGE: usize = 256;

/// How long a parked letter is left alone, in milliseconds.
const PARKED: i64 = 600_000;

/// Delivers to all sinks until `stop`, then finishes what is under way.
pub async fn run(plane: Plane, stop: CancellationToken) {
    let sinks = plane.events.sinks.clone();
    let each = sinks.iter().map(|config| serve(&plane, config, &stop));
    futures::future::join_all(each).await;
}

async fn serve(plane: &Plane, config: &SinkConfig, stop: &CancellationToken) {
    match sink::open(&plane.events, config).await {
        Ok(sink) => Dispatcher::new(plane.clone(), config, sink).run(stop).await,
        Err(error) => tracing::error!(sink = config.name, %error, "sink {} can't be used: {error}", config.name),
    }
}

/// One sink's work on one server.
pub(super) struct Dispatcher {
    plane: Plane,
    name: String,
    attempts: u32,
    sink: Arc<dyn Sink>,
    duty: Duty,
}

/// Letters of one resource, in order; never empty when taken.
type Lane = Vec<Stored<Pending>>;

impl Dispatcher {
    pub(super) fn new(plane: Plane, config: &SinkConfig, sink: Arc<dyn Sink>) -> Self {
        let duty = Duty::new(format!("events {}", config.name));
        Self { plane, name: config.name.clone(), attempts: config.attempts, sink, duty }
    }

    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut bell = self.plane.events.bell.subscribe();
        let mut busy: HashSet<String> = HashSet::new();
        let mut running = FuturesUnordered::new();
        let mut held = None;
        while !stop.is_cancelled() {
            match self.next(&mut held, &busy, self.sink.at_once() - running.len()).await {
                Ok(units) => {
                    for unit in units {
                        busy.extend(unit.iter().map(|lane| lane[0].letter.lane.clone()));
                        running.push(self.work(unit, stop));
                    }
                }
                // What can't be read is read again; nothing is lost.
                Err(error) => tracing::warn!(sink = self.name, %error, "the outbox can't be read: {error}"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(lanes) = running.next() => {
                    for lane in lanes {
                        busy.remove(&lane);
                    }
                }
                Ok(()) = bell.changed() => tokio::time::sleep(SETTLING).await,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
        while running.next().await.is_some() {}
        // A lease that isn't given back only costs time.
        drop(self.duty.release(&self.plane).await);
    }

    /// What to work on next, unless another server has the duty; that is asked once a round, `held` is since when it is
    /// known. It is renewed even when nothing more can be taken.
    async fn next(
        &self,
        held: &mut Option<Instant>,
        busy: &HashSet<String>,
        units: usize,
    ) -> Result<Vec<Vec<Lane>>, StoreError> {
        if held.is_none_or(|since| since.elapsed() >= ROUND) {
            *held = None;
            *held = self.duty.hold(&self.plane).await?.then(Instant::now);
        }
        if held.is_none() || units == 0 {
            return Ok(Vec::new());
        }
        let batch = self.sink.batch();
        let look =
            Look { sink: self.name.clone(), now: self.plane.clock.now(), busy: busy.clone(), wanted: units * batch };
        let found = self.plane.store.read(move |tx| look.find(tx)).await?;
        self.park(found.behind).await?;
        let mut lanes = found.ready.into_iter().peekable();
        let mut units = Vec::new();
        while lanes.peek().is_some() {
            units.push(lanes.by_ref().take(batch).collect());
        }
        Ok(units)
    }

    async fn park(&self, behind: Vec<Stored<Pending>>) -> Result<(), StoreError> {
        if behind.is_empty() {
            return Ok(());
        }
        let until = self.plane.clock.now() + PARKED;
        let write = self.plane.store.write(move |tx| {
            for letter in &behind {
                let mut letter = letter.clone();
                (letter.due, letter.parked) = (until, true);
                unless_gone(tx.save(&outbox(), &mut letter))?;
            }
            Ok(())
        });
        write.await
    }

    /// Delivers the lanes of a unit, one letter of each at a time; returns which lanes they were.
    async fn work(&self, unit: Vec<Lane>, stop: &CancellationToken) -> Vec<String> {
        let names = unit.iter().map(|lane| lane[0].letter.lane.clone()).collect();
        let mut lanes: Vec<_> = unit.into_iter().map(Vec::into_iter).collect();
        while !stop.is_cancelled() {
            let mut heads = Vec::new();
            // A lane that has ended goes.
            lanes.retain_mut(|lane| lane.next().map(|head| heads.push(head)).is_some());
            if heads.is_empty() {
                break;
            }
            let letters: Vec<_> = heads.iter().map(|head| &head.letter).collect();
            let outcomes = self.sink.deliver(&letters).await;
            let mut goes_on = outcomes.iter().map(|outcome| !matches!(outcome, Outcome::Later { .. }));
            let settled: Vec<Settled> = heads.into_iter().zip(&outcomes).map(|it| self.settled(it)).collect();
            // A letter that was given up at last doesn't hold its lane up, but the lane is taken anew.
            lanes.retain(|_| goes_on.next().unwrap_or(false));
            if !self.write_down(settled, stop).await {
                break;
            }
        }
        names
    }

    /// What becomes of a letter.
    fn settled(&self, (mut pending, outcome): (Stored<Pending>, &Outcome)) -> Settled {
        let name = &self.name;
        let (event, lane) = (pending.letter.event.id.clone(), pending.letter.lane.clone());
        pending.attempts += 1;
        match outcome {
            Outcome::Delivered => {
                tracing::debug!(sink = name, event.id = event, "delivered event {event} of {lane} to {name}");
                Settled::Gone(pending)
            }
            Outcome::Later { why, after } if pending.attempts < self.attempts => {
                let wait = delay(pending.attempts, &event).max(after.unwrap_or_default());
                let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                pending.due = self.plane.clock.now() + wait;
                pending.parked = false;
                pending.last_error = Some(why.clone());
                tracing::warn!(
                    sink = name,
                    event.id = event,
                    attempt = pending.attempts,
                    wait_ms = wait,
                    "{name} doesn't take event {event} of {lane} yet: {why}"
                );
                Settled::Waits(pending)
            }
            Outcome::Later { why, .. } | Outcome::Never { why } => {
                tracing::error!(
                    sink = name,
                    event.id = event,
                    attempts = pending.attempts,
                    "{name} doesn't take event {event} of {lane}; it is a dead letter now: {why}"
                );
                let dead = DeadLetter::new(&pending, self.plane.clock.now(), why.clone());
                Settled::Dead(pending, Box::new(dead))
            }
        }
    }

    /// Writes down what became of letters. As long as that fails, they mustn't be delivered again; false when the server
    /// stops first.
    async fn write_down(&self, settled: Vec<Settled>, stop: &CancellationToken) -> bool {
        let settled = Arc::new(settled);
        loop {
            let all = Arc::clone(&settled);
            let written = self.plane.store.write(move |tx| all.iter().try_for_each(|settled| settled.write(tx))).await;
            let Err(error) = written else { return true };
            tracing::warn!(sink = self.name, %error, "what was delivered can't be written down yet: {error}");
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }
}

/// What became of a letter.
enum Settled {
    Gone(Stored<Pending>),
    Waits(Stored<Pending>),
    Dead(Stored<Pending>, Box<DeadLetter>),
}

impl Settled {
    fn write(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        match self {
            Self::Waits(pending) => unless_gone(tx.save(&outbox(), &mut pending.clone())),
            Self::Gone(pending) => remove(tx, pending),
            Self::Dead(pending, dead) => {
                let scope = &pending.letter.scope;
                // It died before, and was put back from an older backup.
                if let Some(known) = tx.get::<DeadLetter>(scope, &dead.key())? {
                    tx.delete(scope, &known)?;
                }
                tx.add(scope, dead.as_ref())?;
                remove(tx, pending)
            }
        }
    }
}

/// Removes a letter and wakes the one behind it. It may have been parked since it was read.
fn remove(tx: &mut dyn Transaction, pending: &Stored<Pending>) -> Result<(), StoreError> {
    let Some(now) = tx.get::<Pending>(&outbox(), &pending.key())? else { return Ok(()) };
    tx.delete(&outbox(), &now)?;
    let lane = Pending::lane_of(&pending.letter.sink, &pending.letter.lane);
    let next = Select { term: "lane", value: &lane, after: None, descending: false, limit: 1 };
    if let Some(mut next) = tx.page::<Pending>(&outbox(), &next)?.pop().filter(|next| next.parked) {
        (next.due, next.parked) = (0, false);
        tx.save(&outbox(), &mut next)?;
    }
    Ok(())
}

/// Whoever took the duty over meanwhile may have settled a letter too.
fn unless_gone(saved: Result<(), StoreError>) -> Result<(), StoreError> {
    match saved {
        Err(StoreError::Stale { .. }) => Ok(()),
        other => other,
    }
}

/// One look into the outbox.
#[derive(Clone)]
struct Look {
    sink: String,
    now: i64,
    busy: HashSet<String>,
    wanted: usize,
}

/// What a look found.
#[derive(Default)]
struct Found {
    /// Lanes whose head is due.
    ready: Vec<Lane>,
    /// Letters that are due, but whose lane's head isn't.
    behind: Vec<Stored<Pending>>,
}

impl Look {
    fn find(&self, tx: &mut dyn Transaction) -> Result<Found, StoreError> {
        let mut found = Found::default();
        // Lanes seen, and whether they are ready.
        let mut lanes: BTreeMap<String, bool> = BTreeMap::new();
        let mut after: Option<(String, String)> = None;
        while found.ready.len() < self.wanted {
            let behind = after.as_ref().map(|(sort, key)| (sort.as_str(), key.as_str()));
            let select = Select { term: "sink", value: &self.sink, after: behind, descending: false, limit: PAGE };
            let page = tx.page::<Pending>(&outbox(), &select)?;
            let exhausted = page.len() < PAGE || page.last().is_some_and(|last| last.due > self.now);
            after = page.last().map(|last| (last.sort.clone(), last.key()));
            for pending in page.into_iter().take_while(|it| it.due <= self.now) {
                let lane = pending.letter.lane.clone();
                if self.busy.contains(&lane) {
                    continue;
                }
                let known = lanes.get(&lane).copied();
                let ready = match known {
                    Some(ready) => ready,
                    None if found.ready.len() == self.wanted => break,
                    None => self.take(tx, &lane, &mut found)?,
                };
                lanes.insert(lane, ready);
                if !ready {
                    found.behind.push(pending);
                }
            }
            if exhausted {
                break;
            }
        }
        Ok(found)
    }

    /// Takes a lane if its head is due; a head that is parked was forgotten, and is.
    fn take(&self, tx: &mut dyn Transaction, lane: &str, found: &mut Found) -> Result<bool, StoreError> {
        let value = Pending::lane_of(&self.sink, lane);
        let first = Select { term: "lane", value: &value, after: None, descending: false, limit: STRETCH };
        let letters = tx.page::<Pending>(&outbox(), &first)?;
        let ready = letters.first().is_some_and(|head| head.due <= self.now || head.parked);
        if ready {
            found.ready.push(letters);
        }
        Ok(ready)
    }
}
