//! All rows of a database: read in one snapshot, and replaced in one transaction.

use std::path::Path;

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};
use postgres::{Client, Error, Row};

use super::address::Address;
use super::link::said;
use super::text::{restored, stored};
use super::{first_session, migration};
use crate::control_plane::store::StoreError;
use crate::control_plane::store::dump::{DumpError, Entry, Source, Table, Take};

/// A session may take as long as the record is big, and these statements read tables from end to end.
const AT_LENGTH: &str =
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET enable_seqscan = on";

fn refused(doing: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| StoreError::Database { doing, source: said(&error).into() }
}

/// A snapshot of a database; servers may work on beside it. Not to be used inside a runtime.
pub struct PostgresDump(Client);

impl PostgresDump {
    /// Takes a snapshot of the database at a URL.
    ///
    /// # Errors
    /// As [`Postgres::open`](super::Postgres::open).
    pub fn open(url: &str, ca_bundle: Option<&Path>) -> Result<Self, StoreError> {
        let mut client = first_session(&Address::parse(url, ca_bundle)?)?;
        let begin =
            format!("{AT_LENGTH}; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM records LIMIT 1");
        client.batch_execute(&begin).map_err(refused("beginning to read"))?;
        Ok(Self(client))
    }
}

impl Source for PostgresDump {
    fn each(&mut self, table: Table, take: Take<'_>) -> Result<(), DumpError> {
        let read = refused("reading all rows");
        let sql = format!("SELECT {} FROM {}", columns(table), name(table));
        let mut rows = self.0.query_raw(&sql, std::iter::empty::<i64>()).map_err(&read)?;
        while let Some(row) = rows.next().map_err(&read)? {
            take(entry(table, &row))?;
        }
        Ok(())
    }
}

/// A database that nobody else writes to any more, about to be replaced. Not to be used inside a runtime. Dropping it
/// leaves everything as it was.
pub struct PostgresReplacing(Client);

impl PostgresReplacing {
    /// Opens the database at a URL, brings its schema up to date and keeps everybody from writing.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while a server has it open; as [`Postgres::open`](super::Postgres::open).
    pub fn begin(url: &str, ca_bundle: Option<&Path>) -> Result<Self, StoreError> {
        let address = Address::parse(url, ca_bundle)?;
        let mut client = first_session(&address)?;
        migration::migrate(&mut client, &address.shown)?;
        let sql = "SELECT min(pid)::text FROM pg_stat_activity WHERE datname = current_database()
                   AND application_name = 'hadron' AND pid <> pg_backend_pid()";
        let other = client.query_one(sql, &[]).map_err(refused("looking for servers"))?;
        if let Some(pid) = other.get::<_, Option<String>>(0) {
            let holder = format!("{pid} of PostgreSQL, a session of a running hadron");
            return Err(StoreError::InUse { path: address.shown, holder });
        }
        // Who reads is let through: the states that are about to be replaced are looked at from another session.
        let lock = format!("{AT_LENGTH}; BEGIN; LOCK TABLE records, terms, changes, blobs IN EXCLUSIVE MODE");
        client.batch_execute(&lock).map_err(refused("locking the record"))?;
        Ok(Self(client))
    }

    /// Whether no document is in it.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn is_empty(&mut self) -> Result<bool, StoreError> {
        let found = self.0.query_one("SELECT NOT EXISTS (SELECT 1 FROM records)", &[]);
        Ok(found.map_err(refused("looking for documents"))?.get(0))
    }

    /// Replaces all there is by the rows of `source`.
    ///
    /// # Errors
    /// What the database or the source has against it; nothing is changed then.
    pub fn replace(mut self, source: &mut dyn Source) -> Result<(), DumpError> {
        let clear = "TRUNCATE records, terms, changes, blobs";
        self.0.batch_execute(clear).map_err(refused("removing what is replaced"))?;
        for table in Table::ALL {
            self.copy(table, source)?;
        }
        // The planner knows nothing of a table that was filled a moment ago.
        let commit = "COMMIT; ANALYZE records, terms, changes, blobs";
        Ok(self.0.batch_execute(commit).map_err(refused("committing"))?)
    }

    fn copy(&mut self, table: Table, source: &mut dyn Source) -> Result<(), DumpError> {
        let put = refused("putting rows back");
        let sql = format!("COPY {} ({}) FROM STDIN BINARY", name(table), columns(table));
        let mut writer = BinaryCopyInWriter::new(self.0.copy_in(&sql).map_err(&put)?, types(table));
        source.each(table, &mut |entry| Ok(write(&mut writer, &entry).map_err(&put)?))?;
        writer.finish().map_err(&put)?;
        Ok(())
    }
}

fn name(table: Table) -> &'static str {
    match table {
        Table::Records => "records",
        Table::Terms => "terms",
        Table::Changes => "changes",
        Table::Blobs => "blobs",
    }
}

fn columns(table: Table) -> &'static str {
    match table {
        Table::Records => "account, region, kind, key, version, body",
        Table::Terms => "account, region, kind, key, name, value, sort",
        Table::Changes => "account, region, arn, sequence, at, previous, status, detail",
        Table::Blobs => "account, region, kind, key, bytes",
    }
}

fn types(table: Table) -> &'static [Type] {
    const TEXT: Type = Type::TEXT;
    match table {
        Table::Records => &[TEXT, TEXT, TEXT, TEXT, Type::INT8, TEXT],
        Table::Terms => &[TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT],
        Table::Changes => &[TEXT, TEXT, TEXT, Type::INT8, Type::INT8, TEXT, TEXT, TEXT],
        Table::Blobs => &[TEXT, TEXT, TEXT, TEXT, Type::BYTEA],
    }
}

fn write(writer: &mut BinaryCopyInWriter<'_>, entry: &Entry) -> Result<(), Error> {
    let values: &[&(dyn ToSql + Sync)] = match entry {
        Entry::Record { account, region, kind, key, version, body } => {
            &[account, region, kind, &stored(key), version, body]
        }
        Entry::Term { account, region, kind, key, name, value, sort } => {
            &[account, region, kind, &stored(key), name, &stored(value), &stored(sort)]
        }
        Entry::Change { account, region, arn, sequence, at, previous, status, detail } => {
            &[account, region, &stored(arn), sequence, at, previous, status, detail]
        }
        Entry::Blob { account, region, kind, key, bytes } => &[account, region, kind, &stored(key), bytes],
    };
    writer.write(values)
}

fn entry(table: Table, row: &Row) -> Entry {
    let (account, region) = (row.get(0), row.get(1));
    let text = |column: usize| restored(row.get(column));
    match table {
        Table::Records => {
            Entry::Record { account, region, kind: row.get(2), key: text(3), version: row.get(4), body: row.get(5) }
        }
        Table::Terms => Entry::Term {
            account,
            region,
            kind: row.get(2),
            key: text(3),
            name: row.get(4),
            value: text(5),
            sort: text(6),
        },
        Table::Changes => Entry::Change {
            account,
            region,
            arn: text(2),
            sequence: row.get(3),
            at: row.get(4),
            previous: row.get(5),
            status: row.get(6),
            detail: row.get(7),
        },
        Table::Blobs => Entry::Blob { account, region, kind: row.get(2), key: text(3), bytes: row.get(4) },
    }
}
