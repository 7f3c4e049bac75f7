//! All rows of a database: read beside a running server, and put into a new file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row, Transaction, params};

use super::{BUSY, Sqlite, connect, refused};
use crate::control_plane::store::StoreError;
use crate::control_plane::store::dump::{DumpError, Entry, Source, Table, Take};

/// A snapshot of a database; a server may work on beside it.
#[derive(Debug)]
pub struct SqliteDump(Connection);

impl SqliteDump {
    /// Takes a snapshot of the database at `path`. It takes no lock that a server would notice.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> rusqlite::Result<Connection> {
            // Not read-only: after a crash the log can't be read without the right to write its index.
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.execute_batch("BEGIN")?;
            // The snapshot is taken by the first read.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        };
        open().map(Self).map_err(refused("opening its file"))
    }

    /// Whether no document is in it.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let empty = self.0.query_row("SELECT NOT EXISTS (SELECT 1 FROM records)", [], |row| row.get(0));
        empty.map_err(refused("looking for documents"))
    }
}

impl Source for SqliteDump {
    fn each(&mut self, table: Table, take: Take<'_>) -> Result<(), DumpError> {
        let read = refused("reading all rows");
        let mut statement = self.0.prepare(select(table)).map_err(&read)?;
        let mut rows = statement.query([]).map_err(&read)?;
        while let Some(row) = rows.next().map_err(&read)? {
            take(entry(table, row).map_err(&read)?)?;
        }
        Ok(())
    }
}

fn select(table: Table) -> &'static str {
    match table {
        Table::Records => "SELECT account, region, kind, key, version, body FROM records",
        Table::Terms => "SELECT account, region, kind, key, name, value, sort FROM terms",
        Table::Changes => "SELECT account, region, arn, sequence, at, previous, status, detail FROM changes",
        Table::Blobs => "SELECT account, region, kind, key, bytes FROM blobs",
    }
}

fn entry(table: Table, row: &Row<'_>) -> rusqlite::Result<Entry> {
    let (account, region) = (row.get(0)?, row.get(1)?);
    Ok(match table {
        Table::Records => Entry::Record {
            account,
            region,
            kind: row.get(2)?,
            key: row.get(3)?,
            version: row.get(4)?,
            body: row.get(5)?,
        },
        Table::Terms => Entry::Term {
            account,
            region,
            kind: row.get(2)?,
            key: row.get(3)?,
            name: row.get(4)?,
            value: row.get(5)?,
            sort: row.get(6)?,
        },
        Table::Changes => Entry::Change {
            account,
            region,
            arn: row.get(2)?,
            sequence: row.get(3)?,
            at: row.get(4)?,
            previous: row.get(5)?,
            status: row.get(6)?,
            detail: row.get(7)?,
        },
        Table::Blobs => Entry::Blob { account, region, kind: row.get(2)?, key: row.get(3)?, bytes: row.get(4)? },
    })
}

impl Sqlite {
    /// Brings the log of a closed database into its file and removes it: connections that close at the same moment leave
    /// that to each other.
    ///
    /// # Errors
    /// The file is no database.
    pub fn settle(path: &Path) -> Result<(), StoreError> {
        connect(path).map(drop)
    }

    /// Makes a database at `path`, where none is, of the rows that `fill` hands over; all of them or none.
    ///
    /// # Errors
    /// What the database has against it, or what `fill` says.
    pub fn load<T>(path: &Path, fill: impl FnOnce(Take<'_>) -> Result<T, DumpError>) -> Result<T, DumpError> {
        drop(Self::open(path)?);
        let mut connection = connect(path)?;
        let tx = connection.transaction().map_err(refused("beginning to write"))?;
        let told = fill(&mut |entry| {
            put(&tx, &entry).map_err(refused("putting a row back"))?;
            Ok(())
        })?;
        tx.commit().map_err(refused("committing"))?;
        Ok(told)
    }
}

fn put(tx: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    match entry {
        Entry::Record { account, region, kind, key, version, body } => {
            let sql = "INSERT INTO records (account, region, kind, key, version, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            tx.prepare_cached(sql)?.insert(params![account, region, kind, key, version, body])?;
        }
        Entry::Term { account, region, kind, key, name, value, sort } => {
            // A term without its document is refused: its record would be NULL.
            let sql = "INSERT INTO terms (account, region, kind, key, name, value, sort, record)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT id FROM records
                       WHERE account = ?1 AND region = ?2 AND kind = ?3 AND key = ?4))";
            tx.prepare_cached(sql)?.execute(params![account, region, kind, key, name, value, sort])?;
        }
        Entry::Change { account, region, arn, sequence, at, previous, status, detail } => {
            let sql = "INSERT INTO changes (account, region, arn, sequence, at, previous, status, detail)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            tx.prepare_cached(sql)?.execute(params![account, region, arn, sequence, at, previous, status, detail])?;
        }
        Entry::Blob { account, region, kind, key, bytes } => {
            let sql = "INSERT INTO blobs (account, region, kind, key, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
            tx.prepare_cached(sql)?.insert(params![account, region, kind, key, bytes])?;
        }
    }
    Ok(())
}
