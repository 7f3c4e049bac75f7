//! The outbox: what waits to be delivered, written in the transaction that changed something.
//!
//! One document for each event and sink, so that no sink waits for another. Documents of one resource form a lane: they
//! are delivered in the order of the resource's history. A document is removed when its event was delivered, or becomes a
//! dead letter.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::envelope::{self, Event};
use super::facts::Facts;
use super::{Events, SinkConfig};
use crate::control_plane::store::{Document, Layer, StatusChange, StoreError, Term, Transaction, Typed, pass_on};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// An event on its way to one sink.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) sink: String,
    /// Whose resource it is.
    pub(super) scope: Scope,
    /// What it must stay in order with: the resource's ARN.
    pub(super) lane: String,
    /// Its place in the lane.
    pub(super) sequence: i64,
    pub(super) event: Event,
    pub(super) facts: Facts,
}

/// A letter that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    #[serde(flatten)]
    pub(super) letter: Letter,
    /// When it was written, in milliseconds since the epoch.
    pub(super) at: i64,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// Not before, in milliseconds since the epoch; 0 at first, since servers' clocks differ.
    pub(super) due: i64,
    /// Set aside because an earlier letter of its lane waits; see [`super::dispatch`].
    pub(super) parked: bool,
    pub(super) last_error: Option<String>,
}

/// Pending letters of all accounts lie in one place: the dispatcher looks there often, and it must cost little.
pub(super) fn outbox() -> Scope {
    Scope::new("", "")
}

impl Pending {
    fn new(letter: Letter, at: i64) -> Self {
        Self { letter, at, attempts: 0, due: 0, parked: false, last_error: None }
    }

    /// The value of the term that a lane's letters are found by.
    pub(super) fn lane_of(sink: &str, lane: &str) -> String {
        format!("{sink} {lane}")
    }
}

impl Document for Pending {
    const KIND: &'static str = "outbox";

    fn key(&self) -> String {
        let Letter { sink, lane, sequence, .. } = &self.letter;
        format!("{sink} {lane} {sequence:020}")
    }

    fn terms(&self) -> Vec<Term> {
        let Letter { sink, lane, sequence, .. } = &self.letter;
        let due = format!("{:020} {:020} {sequence:020}", self.due, self.at);
        vec![
            Term::new("sink", sink).sorted_by(due),
            Term::new("lane", Self::lane_of(sink, lane)).sorted_by(format!("{sequence:020}")),
        ]
    }
}

/// A letter that couldn't be delivered; lies with the account and region of its resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    #[serde(flatten)]
    letter: Letter,
    /// When it was given up, in milliseconds since the epoch.
    pub(crate) at: i64,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// Why it was given up.
    pub(crate) last_error: String,
}

impl DeadLetter {
    pub(super) fn new(pending: &Pending, at: i64, last_error: String) -> Self {
        Self { letter: pending.letter.clone(), at, attempts: pending.attempts, last_error }
    }

    pub(crate) fn sink(&self) -> &str {
        &self.letter.sink
    }

    pub(crate) fn event(&self) -> &Event {
        &self.letter.event
    }
}

impl Document for DeadLetter {
    const KIND: &'static str = "dead_letter";

    fn key(&self) -> String {
        format!("{}.{}", self.letter.event.id, self.letter.sink)
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new("sink", &self.letter.sink).sorted_by(self.sort())]
    }

    fn sort(&self) -> String {
        format!("{:020} {:020}", self.at, self.letter.sequence)
    }
}

/// Puts a dead letter back into the outbox, to be tried as often as a new one. Its id stays.
///
/// # Errors
/// The store's.
pub(crate) fn replay(
    tx: &mut dyn Transaction,
    scope: &Scope,
    dead: &crate::control_plane::store::Stored<DeadLetter>,
    now: i64,
) -> Result<(), StoreError> {
    tx.delete(scope, dead)?;
    write(tx, &Pending::new(dead.letter.clone(), now))
}

/// Writes a letter, unless it lies there already: a change that was restored from a backup and made again.
fn write(tx: &mut dyn Transaction, pending: &Pending) -> Result<(), StoreError> {
    match tx.add(&outbox(), pending) {
        Err(StoreError::Exists { .. }) => Ok(()),
        other => other,
    }
}

/// Something to tell that is no status change: a newer version, a report.
#[derive(Debug, Clone)]
pub struct Notice {
    /// `Hadron Upgrade Available` and the like.
    pub detail_type: &'static str,
    /// What it is about, as ARNs.
    pub resources: Vec<String>,
    /// What it says.
    pub detail: Value,
    /// Milliseconds since the epoch; a notice with the same content and time is the same notice.
    pub at: i64,
}

impl Events {
    /// Sends a notice to every sink that wants it, once the transaction is durable; to how many. Notices keep no order.
    ///
    /// # Errors
    /// The store's.
    pub fn notice(&self, tx: &mut dyn Transaction, scope: &Scope, notice: &Notice) -> Result<usize, StoreError> {
        let mut sent = 0;
        for sink in self.sinks.iter() {
            let letter = notice.letter(scope, sink);
            if wanted(sink, &letter.event) {
                write(tx, &Pending::new(letter, notice.at))?;
                sent += 1;
            }
        }
        self.bell.ring();
        Ok(sent)
    }

    /// Sends a notice to the sink of this name, whatever its pattern says.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such sink.
    pub fn notice_to(
        &self,
        tx: &mut dyn Transaction,
        scope: &Scope,
        sink: &str,
        notice: &Notice,
    ) -> Result<(), ProtonError> {
        let known = self.sink(sink).ok_or_else(|| unknown_sink(sink))?;
        write(tx, &Pending::new(notice.letter(scope, known), notice.at))?;
        self.bell.ring();
        Ok(())
    }

    /// Whether nobody is told of anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }

    /// Tells the dispatcher to look.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }
}

/// That no sink is configured under a name.
pub(crate) fn unknown_sink(name: &str) -> ProtonError {
    ProtonError::not_found(format!("There is no event sink {name}; `hadron settings` shows those there are"))
}

impl Notice {
    fn letter(&self, scope: &Scope, sink: &SinkConfig) -> Letter {
        let Self { detail_type, resources, detail, at } = self;
        let id = envelope::id_of(&serde_json::json!([scope, detail_type, resources, detail, at]));
        let event = Event {
            id: id.clone(),
            detail_type: (*detail_type).to_owned(),
            detail: detail.clone(),
            ..envelope::new(scope, &sink.source, *at, resources.clone())
        };
        let facts = Facts::default();
        Letter { sink: sink.name.clone(), scope: scope.clone(), lane: id, sequence: 0, event, facts }
    }
}

fn wanted(sink: &SinkConfig, event: &Event) -> bool {
    let Some(pattern) = &sink.pattern else { return true };
    serde_json::to_value(event).is_ok_and(|event| pattern.matches(&event))
}

/// Writes the letters of every status change that passes through.
pub(super) struct Outbox(pub(super) Events);

impl Layer for Outbox {
    fn around(
        &self,
        tx: &mut dyn Transaction,
        work: &mut dyn FnMut(&mut dyn Transaction) -> bool,
    ) -> Result<bool, StoreError> {
        let mut watched = Watched { tx, events: &self.0, changed: false };
        let commit = work(&mut watched);
        if watched.changed {
            self.0.bell.ring();
        }
        Ok(commit)
    }
}

/// A transaction that sees the status changes in it.
struct Watched<'t> {
    tx: &'t mut dyn Transaction,
    events: &'t Events,
    changed: bool,
}

impl Watched<'_> {
    fn tell(&mut self, scope: &Scope, change: &StatusChange) -> Result<(), StoreError> {
        let before = change.previous.as_deref();
        let facts = Facts::at_change(self.tx, scope, &change.arn, (before, &change.status))?;
        for sink in self.events.sinks.iter() {
            let event = envelope::event(scope, change, &facts, sink.form, &sink.source);
            let Some(event) = event.filter(|event| wanted(sink, event)) else { continue };
            let letter = Letter {
                sink: sink.name.clone(),
                scope: scope.clone(),
                lane: change.arn.clone(),
                sequence: change.sequence,
                event,
                facts: facts.clone(),
            };
            write(self.tx, &Pending::new(letter, change.at))?;
            self.changed = true;
        }
        Ok(())
    }
}

impl Transaction for Watched<'_> {
    pass_on!(fetch insert update remove select count scopes changes put_blob blob remove_blob);

    fn append_change(&mut self, scope: &Scope, change: &StatusChange) -> Result<i64, StoreError> {
        let sequence = self.tx.append_change(scope, change)?;
        self.tell(scope, &StatusChange { sequence, ..change.clone() })?;
        Ok(sequence)
    }
}
