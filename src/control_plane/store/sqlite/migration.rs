//! The schema's history: forward only, each step named, each in a transaction of its own.

use std::path::Path;

use rusqlite::Connection;

use super::refused;
use crate::control_plane::store::{Schema, StoreError};

/// One step; its number is its place in [`MIGRATIONS`], counted from 1, and stands in the database's `user_version`.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Append only: a released step never changes.
const MIGRATIONS: &[Migration] = &[Migration { name: "record", sql: include_str!("migrations/0001_record.sql") }];

/// Which schema the database has and which this program knows; changes nothing.
pub(super) fn schema(connection: &Connection) -> Result<Schema, StoreError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let found = found.map_err(refused("reading its schema's version"))?;
    Ok(Schema { found, known: i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX) })
}

/// Brings the schema up to what this program knows.
///
/// # Errors
/// [`StoreError::TooNew`] when a later Hadron has been at work; nothing is changed then.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let Schema { found, known } = schema(connection)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if found > known {
        return Err(StoreError::TooNew { path: path.display().to_string(), found, known });
    }
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip(done) {
        apply(connection, number, migration).map_err(refused("migrating its schema"))?;
        tracing::info!(migration = migration.name, "the record's schema is now at {number}: {}", migration.name);
    }
    Ok(())
}

fn apply(connection: &mut Connection, number: i64, migration: &Migration) -> rusqlite::Result<()> {
    let tx = connection.transaction()?;
    tx.execute_batch(migration.sql)?;
    tx.pragma_update(None, "user_version", number)?;
    tx.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing_the_second_time() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x")).unwrap();
        migrate(&mut connection, Path::new("x")).unwrap();
    }

    #[test]
    fn a_newer_database_is_refused_with_a_remedy() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection, Path::new("/data/hadron.db")).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("/data/hadron.db"), "{error}");
        assert!(error.to_string().contains("newer hadron"), "{error}");
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }
}
