//! What a transaction reads and writes, a statement each: the way to the server is what takes time.

use postgres::types::ToSql;
use postgres::{Error, Row as Line};

use super::link::{Meaning, Session, meaning, said, unavailable};
use super::text::{restored, stored};
use crate::control_plane::store::{Row, Select, StatusChange, StoreError, Term, Transaction};
use crate::domain::Scope;

/// A transaction that someone else begins and ends.
pub(super) struct Open<'s> {
    session: &'s mut Session,
    /// The first error: PostgreSQL takes nothing more in a transaction that has had one.
    pub(super) trouble: Option<Error>,
}

type Values<'v> = &'v [&'v (dyn ToSql + Sync)];

impl<'s> Open<'s> {
    pub(super) fn new(session: &'s mut Session) -> Self {
        Self { session, trouble: None }
    }

    fn lines(&mut self, doing: &'static str, sql: &'static str, values: Values<'_>) -> Result<Vec<Line>, StoreError> {
        let lines = self.session.statement(sql).and_then(|statement| self.session.client.query(&statement, values));
        lines.map_err(|error| self.refused(doing, error))
    }

    fn line(&mut self, doing: &'static str, sql: &'static str, values: Values<'_>) -> Result<Option<Line>, StoreError> {
        Ok(self.lines(doing, sql, values)?.pop())
    }

    /// Whether a statement that counts what it did did anything.
    fn did(&mut self, doing: &'static str, sql: &'static str, values: Values<'_>) -> Result<bool, StoreError> {
        let line = self.line(doing, sql, values)?;
        Ok(line.is_some_and(|line| line.get::<_, i64>(0) > 0))
    }

    fn refused(&mut self, doing: &'static str, error: Error) -> StoreError {
        let told = match meaning(&error) {
            Meaning::Lost => unavailable(&error),
            Meaning::Conflict | Meaning::Refused => StoreError::Database { doing, source: said(&error).into() },
        };
        self.trouble.get_or_insert(error);
        told
    }
}

impl Transaction for Open<'_> {
    fn fetch(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Row>, StoreError> {
        let sql = "SELECT version, body FROM records WHERE kind = $1 AND account = $2 AND region = $3 AND key = $4";
        let line = self.line("reading a document", sql, &[&kind, &scope.account, &scope.region, &stored(key)])?;
        Ok(line.map(|line| Row { key: key.to_owned(), version: line.get(0), body: line.get(1), sort: String::new() }))
    }

    fn insert(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        key: &str,
        body: &str,
        terms: &[Term],
    ) -> Result<(), StoreError> {
        let sql = "WITH added AS (
                       INSERT INTO records (kind, account, region, key, version, body)
                       VALUES ($1::text, $2::text, $3::text, $4::text, 1, $5) ON CONFLICT DO NOTHING RETURNING 1
                   ), indexed AS (
                       INSERT INTO terms (kind, account, region, key, name, value, sort)
                       SELECT $1::text, $2::text, $3::text, $4::text, t.name, t.value, t.sort
                       FROM added, unnest($6::text[], $7::text[], $8::text[]) AS t (name, value, sort)
                       ON CONFLICT DO NOTHING
                   )
                   SELECT count(*) FROM added";
        let (account, region) = (&scope.account, &scope.region);
        let Columns { names, values, sorts } = Columns::of(terms);
        let all: Values<'_> = &[&kind, account, region, &stored(key), &body, &names, &values, &sorts];
        match self.did("adding a document", sql, all)? {
            true => Ok(()),
            false => Err(StoreError::Exists { kind, key: key.to_owned() }),
        }
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
        // All parts see the terms as they were, so what goes and what comes never meet.
        let sql = "WITH changed AS (
                       UPDATE records SET version = version + 1, body = $5
                       WHERE kind = $1 AND account = $2 AND region = $3 AND key = $4 AND version = $6 RETURNING 1
                   ), gone AS (
                       DELETE FROM terms AS old USING changed
                       WHERE old.kind = $1 AND old.account = $2 AND old.region = $3 AND old.key = $4 AND NOT EXISTS (
                           SELECT FROM unnest($7::text[], $8::text[], $9::text[]) AS t (name, value, sort)
                           WHERE t.name = old.name AND t.value = old.value AND t.sort = old.sort)
                   ), indexed AS (
                       INSERT INTO terms (kind, account, region, key, name, value, sort)
                       SELECT $1::text, $2::text, $3::text, $4::text, t.name, t.value, t.sort
                       FROM changed, unnest($7::text[], $8::text[], $9::text[]) AS t (name, value, sort)
                       ON CONFLICT DO NOTHING
                   )
                   SELECT count(*) FROM changed";
        let (account, region) = (&scope.account, &scope.region);
        let Columns { names, values, sorts } = Columns::of(terms);
        let all: Values<'_> = &[&kind, account, region, &stored(key), &body, &version, &names, &values, &sorts];
        match self.did("changing a document", sql, all)? {
            true => Ok(()),
            false => Err(StoreError::Stale { kind, key: key.to_owned() }),
        }
    }

    fn remove(&mut self, scope: &Scope, kind: &'static str, key: &str, version: i64) -> Result<(), StoreError> {
        let sql = "WITH gone AS (
                       DELETE FROM records
                       WHERE kind = $1 AND account = $2 AND region = $3 AND key = $4 AND version = $5 RETURNING 1
                   ), cleared AS (
                       DELETE FROM terms USING gone WHERE kind = $1 AND account = $2 AND region = $3 AND key = $4
                   )
                   SELECT count(*) FROM gone";
        let all: Values<'_> = &[&kind, &scope.account, &scope.region, &stored(key), &version];
        match self.did("removing a document", sql, all)? {
            true => Ok(()),
            false => Err(StoreError::Stale { kind, key: key.to_owned() }),
        }
    }

    fn select(&mut self, scope: &Scope, kind: &'static str, select: &Select<'_>) -> Result<Vec<Row>, StoreError> {
        let Select { term, value, after, descending, limit } = *select;
        let (account, region, value, limit) = (&scope.account, &scope.region, stored(value), at_most(limit));
        let sql = page_sql(after.is_some(), descending);
        let doing = "listing documents";
        let lines = match after {
            None => self.lines(doing, sql, &[&kind, account, region, &term, &value, &limit])?,
            Some((sort, key)) => {
                let (sort, key) = (stored(sort), stored(key));
                self.lines(doing, sql, &[&kind, account, region, &term, &value, &limit, &sort, &key])?
            }
        };
        let row = |line: Line| Row {
            key: restored(line.get(0)),
            version: line.get(1),
            body: line.get(2),
            sort: restored(line.get(3)),
        };
        Ok(lines.into_iter().map(row).collect())
    }

    fn count(
        &mut self,
        scope: &Scope,
        kind: &'static str,
        (term, value): (&str, &str),
        limit: usize,
    ) -> Result<usize, StoreError> {
        // The index alone: documents of a kind may lie far from each other, and would have to be sent.
        let sql = "SELECT count(*) FROM (SELECT FROM terms WHERE kind = $1 AND account = $2 AND region = $3
                   AND name = $4 AND value = $5 LIMIT $6) AS few";
        let all: Values<'_> = &[&kind, &scope.account, &scope.region, &term, &stored(value), &at_most(limit)];
        let line = self.line("counting documents", sql, all)?;
        Ok(line.map_or(0, |line| usize::try_from(line.get::<_, i64>(0)).unwrap_or(limit)))
    }

    fn scopes(&mut self, kind: &'static str) -> Result<Vec<Scope>, StoreError> {
        // From each scope straight to the next one, however many documents lie between.
        let sql = "WITH RECURSIVE found (account, region) AS (
                       (SELECT account, region FROM records WHERE kind = $1 ORDER BY account, region LIMIT 1)
                       UNION ALL
                       SELECT next.account, next.region FROM found CROSS JOIN LATERAL (
                           SELECT account, region FROM records
                           WHERE kind = $1 AND (account, region) > (found.account, found.region)
                           ORDER BY account, region LIMIT 1) AS next
                   )
                   SELECT account, region FROM found";
        let lines = self.lines("listing scopes", sql, &[&kind])?;
        Ok(lines.into_iter().map(|line| Scope { account: line.get(0), region: line.get(1) }).collect())
    }

    fn append_change(&mut self, scope: &Scope, change: &StatusChange) -> Result<i64, StoreError> {
        let sql = "INSERT INTO changes (account, region, arn, sequence, at, previous, status, detail)
                   SELECT $1::text, $2::text, $3::text, coalesce(max(sequence), 0) + 1,
                          $4::bigint, $5::text, $6::text, $7::text
                   FROM changes WHERE account = $1 AND region = $2 AND arn = $3 RETURNING sequence";
        let StatusChange { arn, at, previous, status, detail, sequence: _ } = change;
        let all: Values<'_> = &[&scope.account, &scope.region, &stored(arn), at, previous, status, detail];
        let doing = "adding to a history";
        let line = self.line(doing, sql, all)?;
        let none = || StoreError::Database { doing, source: "no number came back".into() };
        line.map(|line| line.get(0)).ok_or_else(none)
    }

    fn changes(&mut self, scope: &Scope, arn: &str, after: i64, limit: usize) -> Result<Vec<StatusChange>, StoreError> {
        let sql = "SELECT sequence, at, previous, status, detail FROM changes
                   WHERE account = $1 AND region = $2 AND arn = $3 AND sequence > $4 ORDER BY sequence LIMIT $5";
        let all: Values<'_> = &[&scope.account, &scope.region, &stored(arn), &after, &at_most(limit)];
        let change = |line: Line| StatusChange {
            arn: arn.to_owned(),
            sequence: line.get(0),
            at: line.get(1),
            previous: line.get(2),
            status: line.get(3),
            detail: line.get(4),
        };
        Ok(self.lines("reading a history", sql, all)?.into_iter().map(change).collect())
    }

    fn put_blob(&mut self, scope: &Scope, kind: &'static str, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO blobs (kind, account, region, key, bytes) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (kind, account, region, key) DO UPDATE SET bytes = excluded.bytes";
        let all: Values<'_> = &[&kind, &scope.account, &scope.region, &stored(key), &bytes];
        self.lines("writing a blob", sql, all).map(|_| ())
    }

    fn blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM blobs WHERE kind = $1 AND account = $2 AND region = $3 AND key = $4";
        let line = self.line("reading a blob", sql, &[&kind, &scope.account, &scope.region, &stored(key)])?;
        Ok(line.map(|line| line.get(0)))
    }

    fn remove_blob(&mut self, scope: &Scope, kind: &'static str, key: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM blobs WHERE kind = $1 AND account = $2 AND region = $3 AND key = $4";
        let all: Values<'_> = &[&kind, &scope.account, &scope.region, &stored(key)];
        self.lines("removing a blob", sql, all).map(|_| ())
    }
}

/// Terms by column, as one statement takes them.
struct Columns<'t> {
    names: Vec<&'t str>,
    values: Vec<std::borrow::Cow<'t, str>>,
    sorts: Vec<std::borrow::Cow<'t, str>>,
}

impl<'t> Columns<'t> {
    fn of(terms: &'t [Term]) -> Self {
        Self {
            names: terms.iter().map(|term| term.name).collect(),
            values: terms.iter().map(|term| stored(&term.value)).collect(),
            sorts: terms.iter().map(|term| stored(&term.sort)).collect(),
        }
    }
}

/// One text for each shape of page, so that each is prepared once.
fn page_sql(continues: bool, descending: bool) -> &'static str {
    macro_rules! page {
        ($behind:literal, $order:literal) => {
            concat!(
                "SELECT t.key, r.version, r.body, t.sort FROM terms AS t
                 JOIN records AS r ON r.kind = $1 AND r.account = $2 AND r.region = $3 AND r.key = t.key
                 WHERE t.kind = $1 AND t.account = $2 AND t.region = $3 AND t.name = $4 AND t.value = $5 ",
                $behind,
                " ORDER BY t.sort ",
                $order,
                ", t.key ",
                $order,
                " LIMIT $6"
            )
        };
    }
    match (continues, descending) {
        (false, false) => page!("", "ASC"),
        (false, true) => page!("", "DESC"),
        (true, false) => page!("AND (t.sort, t.key) > ($7, $8)", "ASC"),
        (true, true) => page!("AND (t.sort, t.key) < ($7, $8)", "DESC"),
    }
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
