//! What a transaction reads and writes, statement by statement.

use rusqlite::{Connection, OptionalExtension, params};

use super::refused;
use crate::control_plane::store::{Row, Select, StatusChange, StoreError, Term, Transaction};
use crate::domain::Scope;

/// A transaction that someone else begins and ends.
pub(super) struct Open<'c>(pub(super) &'c Connection);

impl Transaction for Open<'_> {
    fn fetch(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError> {
        let sql = "SELECT key, version, body, '' FROM records
                   WHERE account = ?1 AND region = ?2 AND kind = ?3 AND key = ?4";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("reading a document"))?;
        let row = statement.query_row(params![scope.account, scope.region, kind, key], row).optional();
        row.map_err(refused("reading a document"))
    }

    fn insert(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO records (account, region, kind, key, version, body) VALUES (?1, ?2, ?3, ?4, 1, ?5)
                   ON CONFLICT DO NOTHING RETURNING id";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("adding a document"))?;
        let id = statement.query_row(params![scope.account, scope.region, kind, key, body], |row| row.get(0));
        let id = id.optional().map_err(refused("adding a document"))?;
        let id = id.ok_or_else(|| StoreError::Exists { kind, key: key.to_owned() })?;
        self.index(scope, kind, key, id, terms).map_err(refused("indexing a document"))
    }

    fn update(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        version: i64,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        let sql = "UPDATE records SET version = version + 1, body = ?6
                   WHERE account = ?1 AND region = ?2 AND kind = ?3 AND key = ?4 AND version = ?5 RETURNING id";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("changing a document"))?;
        let id = statement.query_row(params![scope.account, scope.region, kind, key, version, body], |row| row.get(0));
        let id = id.optional().map_err(refused("changing a document"))?;
        let id = id.ok_or_else(|| StoreError::Stale { kind, key: key.to_owned() })?;
        self.index_anew(scope, kind, key, id, terms).map_err(refused("indexing a document"))
    }

    fn remove(&mut self, scope: &Scope, kind: &'static str, key: &str, version: i64) -> Result<(), StoreError> {
        // Its terms go with it by their foreign key.
        let sql = "DELETE FROM records
                   WHERE account = ?1 AND region = ?2 AND kind = ?3 AND key = ?4 AND version = ?5";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("removing a document"))?;
        let count = statement.execute(params![scope.account, scope.region, kind, key, version]);
        match count.map_err(refused("removing a document"))? {
            0 => Err(StoreError::Stale { kind, key: key.to_owned() }),
            _ => Ok(()),
        }
    }

    fn select(&mut self, scope: &Scope, kind: &'static str, select: &Select<'_>) -> Result<Vec<Row>, StoreError> {
        self.rows(scope, kind, select).map_err(refused("listing documents"))
    }

    fn count(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        (term, value): (&str, &str),
        limit: usize,
    ) -> Result<usize, StoreError> {
        // The index alone: documents of a kind may lie far from each other.
        let sql = "SELECT count(*) FROM (SELECT 1 FROM terms WHERE account = ?1 AND region = ?2 AND kind = ?3
                   AND name = ?4 AND value = ?5 LIMIT ?6)";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("counting documents"))?;
        let values = params![scope.account, scope.region, kind, term, value, at_most(limit)];
        let count = statement.query_row(values, |row| row.get::<_, i64>(0)).map_err(refused("counting documents"))?;
        Ok(usize::try_from(count).unwrap_or(limit))
    }

    fn scopes(&mut self, kind: &'static str) -> Result<Vec<Scope>, StoreError> {
        let scopes = || -> rusqlite::Result<Vec<Scope>> {
            let mut statement = self.0.prepare_cached(SCOPES)?;
            let scopes = statement.query_map([kind], |row| Ok(Scope { account: row.get(0)?, region: row.get(1)? }))?;
            scopes.collect()
        };
        scopes().map_err(refused("listing scopes"))
    }

    fn append_change(&mut self, scope: &Scope, change: &StatusChange) -> Result<i64, StoreError> {
        let sql = "INSERT INTO changes (account, region, arn, sequence, at, previous, status, detail)
                   SELECT ?1, ?2, ?3, coalesce(max(sequence), 0) + 1, ?4, ?5, ?6, ?7 FROM changes
                   WHERE account = ?1 AND region = ?2 AND arn = ?3 RETURNING sequence";
        let StatusChange { arn, at, previous, status, detail, sequence: _ } = change;
        let mut statement = self.0.prepare_cached(sql).map_err(refused("adding to a history"))?;
        let values = params![scope.account, scope.region, arn, at, previous, status, detail];
        statement.query_row(values, |row| row.get(0)).map_err(refused("adding to a history"))
    }

    fn changes(&mut self, scope: &Scope, arn: &str, after: i64, limit: usize) -> Result<Vec<StatusChange>, StoreError> {
        let changes = || -> rusqlite::Result<Vec<StatusChange>> {
            let sql = "SELECT arn, sequence, at, previous, status, detail FROM changes
                       WHERE account = ?1 AND region = ?2 AND arn = ?3 AND sequence > ?4 ORDER BY sequence LIMIT ?5";
            let mut statement = self.0.prepare_cached(sql)?;
            let values = params![scope.account, scope.region, arn, after, at_most(limit)];
            statement.query_map(values, change)?.collect()
        };
        changes().map_err(refused("reading a history"))
    }

    fn put_blob(&mut self, scope: &Scope, kind: &'static str, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO blobs (account, region, kind, key, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT (account, region, kind, key) DO UPDATE SET bytes = excluded.bytes";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("writing a blob"))?;
        let count = statement.execute(params![scope.account, scope.region, kind, key, bytes]);
        count.map(|_| ()).map_err(refused("writing a blob"))
    }

    fn blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM blobs WHERE account = ?1 AND region = ?2 AND kind = ?3 AND key = ?4";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("reading a blob"))?;
        let bytes = statement.query_row(params![scope.account, scope.region, kind, key], |row| row.get(0));
        bytes.optional().map_err(refused("reading a blob"))
    }

    fn remove_blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM blobs WHERE account = ?1 AND region = ?2 AND kind = ?3 AND key = ?4";
        let mut statement = self.0.prepare_cached(sql).map_err(refused("removing a blob"))?;
        let count = statement.execute(params![scope.account, scope.region, kind, key]);
        count.map(|_| ()).map_err(refused("removing a blob"))
    }
}

impl Open<'_> {
    fn index(&self, scope: &Scope, kind: &str, key: &str, id: i64, terms: &[Term]) -> rusqlite::Result<()> {
        let sql = "INSERT INTO terms (account, region, kind, name, value, sort, key, record)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
        let mut statement = self.0.prepare_cached(sql)?;
        for term in terms {
            statement.execute(params![scope.account, scope.region, kind, term.name, term.value, term.sort, key, id])?;
        }
        Ok(())
    }

    /// Most updates leave every term as it was: those write nothing here.
    fn index_anew(&self, scope: &Scope, kind: &str, key: &str, id: i64, terms: &[Term]) -> rusqlite::Result<()> {
        let present = self.terms_of(id)?;
        let is = |(name, value, sort): &(String, String, String), term: &Term| {
            name == term.name && *value == term.value && *sort == term.sort
        };
        for gone in present.iter().filter(|old| !terms.iter().any(|term| is(old, term))) {
            let sql = "DELETE FROM terms WHERE account = ?1 AND region = ?2 AND kind = ?3
                       AND name = ?4 AND value = ?5 AND sort = ?6 AND key = ?7";
            let mut statement = self.0.prepare_cached(sql)?;
            statement.execute(params![scope.account, scope.region, kind, gone.0, gone.1, gone.2, key])?;
        }
        let new: Vec<Term> = terms.iter().filter(|term| !present.iter().any(|old| is(old, term))).cloned().collect();
        self.index(scope, kind, key, id, &new)
    }

    fn terms_of(&self, id: i64) -> rusqlite::Result<Vec<(String, String, String)>> {
        let mut statement = self.0.prepare_cached("SELECT name, value, sort FROM terms WHERE record = ?1")?;
        let terms = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        terms.collect()
    }

    fn rows(&self, scope: &Scope, kind: &str, select: &Select<'_>) -> rusqlite::Result<Vec<Row>> {
        let Select { term, value, after, descending, limit } = *select;
        let (Scope { account, region }, limit) = (scope, at_most(limit));
        let mut statement = self.0.prepare_cached(page_sql(after.is_some(), descending))?;
        match after {
            None => statement.query_map(params![account, region, kind, term, value, limit], row)?.collect(),
            Some((sort, key)) => {
                statement.query_map(params![account, region, kind, term, value, limit, sort, key], row)?.collect()
            }
        }
    }
}

/// The scopes of a kind: from each scope straight to the next one, however many documents lie between, and a look into
/// each for the kind. A comparison of both columns at once would use the index for the first one alone.
const SCOPES: &str = "WITH RECURSIVE first (id) AS (
        SELECT (SELECT id FROM records ORDER BY account, region LIMIT 1)
        UNION ALL
        SELECT coalesce(
            (SELECT next.id FROM records AS next WHERE next.account = here.account AND next.region > here.region
             ORDER BY next.region LIMIT 1),
            (SELECT next.id FROM records AS next WHERE next.account > here.account
             ORDER BY next.account, next.region LIMIT 1))
        FROM first JOIN records AS here ON here.id = first.id
    )
    SELECT here.account, here.region FROM first JOIN records AS here ON here.id = first.id
    WHERE EXISTS (SELECT 1 FROM records AS any
                  WHERE any.account = here.account AND any.region = here.region AND any.kind = ?1)
    ORDER BY here.account, here.region";

/// One text for each shape of page, so that each is prepared once.
fn page_sql(continues: bool, descending: bool) -> &'static str {
    macro_rules! page {
        ($behind:literal, $order:literal) => {
            concat!(
                "SELECT terms.key, version, body, sort FROM terms JOIN records ON records.id = terms.record
                 WHERE terms.account = ?1 AND terms.region = ?2 AND terms.kind = ?3 AND name = ?4 AND value = ?5 ",
                $behind,
                " ORDER BY sort ",
                $order,
                ", terms.key ",
                $order,
                " LIMIT ?6"
            )
        };
    }
    match (continues, descending) {
        (false, false) => page!("", "ASC"),
        (false, true) => page!("", "DESC"),
        (true, false) => page!("AND (sort, terms.key) > (?7, ?8)", "ASC"),
        (true, true) => page!("AND (sort, terms.key) < (?7, ?8)", "DESC"),
    }
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row { key: row.get(0)?, version: row.get(1)?, body: row.get(2)?, sort: row.get(3)? })
}

fn change(row: &rusqlite::Row<'_>) -> rusqlite::Result<StatusChange> {
    Ok(StatusChange {
        arn: row.get(0)?,
        sequence: row.get(1)?,
        at: row.get(2)?,
        previous: row.get(3)?,
        status: row.get(4)?,
        detail: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::StatementStatus;

    use super::*;
    use crate::control_plane::store::sqlite::connect;
    use crate::control_plane::store::sqlite::migration::migrate;

    #[test]
    fn the_scopes_of_a_kind_are_found_without_walking_through_its_documents() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x")).unwrap();
        let scopes = [Scope::new("1", "a"), Scope::new("1", "b"), Scope::new("2", "a")];
        for (scope, kind) in scopes.iter().zip(["thing", "other", "thing"]) {
            for n in 0..2_000 {
                Open(&connection).insert(scope, kind, &n.to_string(), "{}", &[]).unwrap();
            }
        }
        let found = Open(&connection).scopes("thing").unwrap();
        assert_eq!(found, [scopes[0].clone(), scopes[2].clone()]);
        let mut statement = connection.prepare(SCOPES).unwrap();
        let count = statement.query_map(["thing"], |_| Ok(())).unwrap().count();
        let steps = statement.get_status(StatementStatus::VmStep);
        assert!(count == 2 && steps < 500, "{count} scopes took {steps} steps");
    }

    #[test]
    fn a_page_is_compiled_once_whatever_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = connect(&folder.path().join("x.db")).unwrap();
        migrate(&mut connection, Path::new("x")).unwrap();
        let scope = Scope::new("1", "a");
        for limit in [1, 10, 100] {
            let select = Select { term: "all", value: "", after: None, descending: false, limit };
            Open(&connection).select(&scope, "thing", &select).unwrap();
        }
        let page = connection.prepare_cached(page_sql(false, false)).unwrap();
        assert_eq!(page.get_status(StatementStatus::Run), 3);
        assert_eq!(page.get_status(StatementStatus::RePrepare), 0);
    }
}
