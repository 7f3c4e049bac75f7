//! The schema's history in PostgreSQL: forward only, each step named, each in a transaction of its own, one server at
//! a time.

use postgres::{Client, Error};

use super::link::said;
use crate::control_plane::store::{Schema, StoreError};

/// One step; its number is its place in [`MIGRATIONS`], counted from 1.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Append only: a released step never changes.
const MIGRATIONS: &[Migration] = &[Migration { name: "record", sql: include_str!("migrations/0001_record.sql") }];

/// Names the lock that a migrating server holds; any number that nobody else uses in this database.
const LOCK: i64 = 0x4841_4452_4f4e;

/// Which schema the database has and which this program knows; changes nothing.
pub(super) fn schema(client: &mut Client) -> Result<Schema, StoreError> {
    let doing = "reading its schema's version";
    let refused = |error: Error| StoreError::Database { doing, source: said(&error).into() };
    let there = client.query_one("SELECT to_regclass('hadron_schema') IS NOT NULL", &[]).map_err(refused)?;
    let found = match there.get(0) {
        true => client.query_one("SELECT coalesce(max(version), 0) FROM hadron_schema", &[]).map_err(refused)?.get(0),
        false => 0,
    };
    Ok(Schema { found, known: i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX) })
}

/// Brings the schema up to what this program knows; other servers that start meanwhile wait for it.
///
/// # Errors
/// [`StoreError::TooNew`] when a later Hadron has been at work; nothing is changed then.
pub(super) fn migrate(client: &mut Client, shown: &str) -> Result<(), StoreError> {
    let doing = "migrating its schema";
    let refused = |error: Error| StoreError::Database { doing, source: said(&error).into() };
    // Steps may take long, and so may the server that we wait for. The lock ends with the session at the latest.
    let lock = format!("SET statement_timeout = 0; SELECT pg_advisory_lock({LOCK})");
    client.batch_execute(&lock).map_err(refused)?;
    let Schema { found, known } = schema(client)?;
    if found > known {
        return Err(StoreError::TooNew { path: shown.to_owned(), found, known });
    }
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or_default()) {
        apply(client, number, migration).map_err(refused)?;
        tracing::info!(migration = migration.name, "the record's schema is now at {number}: {}", migration.name);
    }
    analyse(client).map_err(refused)?;
    client.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK}); RESET statement_timeout")).map_err(refused)
}

/// Gathers statistics of tables that have more than doubled since that was last done, which a restore leaves behind, and
/// a busy first minute. Autovacuum comes to it later; until then the planner takes an index that fits a whole kind for as
/// good as one that fits a document, and each update walks through all documents.
fn analyse(client: &mut Client) -> Result<(), Error> {
    let grown = "SELECT relname::text FROM pg_class
                 WHERE oid IN ('records'::regclass, 'terms'::regclass, 'changes'::regclass, 'blobs'::regclass)
                 AND pg_relation_size(oid) / current_setting('block_size')::bigint > 2 * relpages + 50";
    for line in client.query(grown, &[])? {
        client.batch_execute(&format!("ANALYZE (SKIP_LOCKED) {}", line.get::<_, String>(0)))?;
    }
    Ok(())
}

fn apply(client: &mut Client, number: i64, migration: &Migration) -> Result<(), Error> {
    let mut tx = client.transaction()?;
    tx.batch_execute("CREATE TABLE IF NOT EXISTS hadron_schema (version bigint NOT NULL)")?;
    tx.batch_execute(migration.sql)?;
    tx.batch_execute("DELETE FROM hadron_schema")?;
    tx.execute("INSERT INTO hadron_schema VALUES ($1)", &[&number])?;
    tx.commit()
}
