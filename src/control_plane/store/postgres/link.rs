//! A session with PostgreSQL that comes back by itself.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::{Client, Error, Statement};

use super::address::Address;
use crate::control_plane::store::StoreError;
use crate::support::causes;

/// The first pause between two tries to connect; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A client, and the statements it has prepared.
pub(super) struct Session {
    pub(super) client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self { client, statements: HashMap::new() }
    }

    /// Prepares a text once.
    pub(super) fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// One thread's way to the database.
pub(super) struct Link {
    address: Arc<Address>,
    session: Option<Session>,
}

impl Link {
    pub(super) fn new(address: Arc<Address>) -> Self {
        Self { address, session: None }
    }

    /// The session, opened anew if the last one broke; tries until `deadline`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if nobody answers by then, or that the database won't have us.
    pub(super) fn session(&mut self, deadline: Instant) -> Result<&mut Session, StoreError> {
        let session = match self.session.take().filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => Session::new(connect(&self.address, deadline)?),
        };
        Ok(self.session.insert(session))
    }

    /// The session, if there is one.
    pub(super) fn present(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// Gives up a session that can't be used any more.
    pub(super) fn drop_session(&mut self) {
        self.session = None;
    }
}

/// Connects, with growing pauses between tries, until `deadline`; at least once.
pub(super) fn connect(address: &Address, deadline: Instant) -> Result<Client, StoreError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match address.connect() {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        if !passes(&error) {
            return Err(StoreError::Database { doing: "connecting", source: said(&error).into() });
        }
        if Instant::now() + pause >= deadline {
            return Err(unavailable(&error));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What an error means for the transaction it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Someone else was faster; run again, it may succeed or find out what has changed.
    Conflict,
    /// The session is gone, and the transaction with it unless it was being committed.
    Lost,
    /// The database refuses this.
    Refused,
}

/// Judges an error of a statement.
///
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(super) fn meaning(error: &Error) -> Meaning {
    let Some(code) = error.code() else { return Meaning::Lost };
    match code.code() {
        // Keys are only ever added where none is, so one that is there all the same is a race too.
        "40001" | "40P01" | "23505" => Meaning::Conflict,
        // Cut off, shut down, starting up, a standby now, a plan older than the schema.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" | "0A000" => Meaning::Lost,
        code if code.starts_with("08") => Meaning::Lost,
        _ => Meaning::Refused,
    }
}

/// Whether a connection that failed may succeed in a while.
fn passes(error: &Error) -> bool {
    let starting = [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS, SqlState::ADMIN_SHUTDOWN];
    if let Some(code) = error.code() {
        return starting.contains(code) || matches!(code.code(), "57P02" | "57P05");
    }
    // A certificate that isn't trusted stays so; a password can't be asked for.
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let stays = source.is_some_and(|source| source.kind() == std::io::ErrorKind::InvalidData);
    !stays && !error.to_string().contains("invalid configuration")
}

/// The error of a database that is away.
pub(super) fn unavailable(error: &Error) -> StoreError {
    StoreError::Unavailable { source: said(error).into() }
}

/// An error with its causes; the driver's own words for it say little.
pub(super) fn said(error: &Error) -> String {
    causes(error)
}
