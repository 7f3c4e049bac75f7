//! ListAuditEntries: the account's entries, newest first.

use hadron_model::Timestamp;
use hadron_model::hadron::{
    AuditEntry as Shown, AuditOutcome, ListAuditEntriesInput, ListAuditEntriesOutput, TouchedRecord,
};
use serde::Serialize;

use crate::control_plane::plane::Plane;
use crate::control_plane::records::{AuditEntry, Touched};
use crate::control_plane::store::{Document, Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::paging::Position;
use crate::control_plane::wire::{Call, ProtonError};

/// Entries of a page without `maxResults`, and the most that can be asked for.
const LARGEST_PAGE: usize = 100;

/// How many entries are read at a time.
const CHUNK: usize = 200;

/// How many entries one request looks at: a filter that fits nothing must not read the whole log in one go. A page may
/// therefore be empty and still have a token.
const LOOKED_AT: usize = 5_000;

/// What is asked for; a token is good for exactly this.
#[derive(Debug, Clone, Serialize)]
struct Query {
    account: String,
    since: Option<i64>,
    until: Option<i64>,
    principal: Option<String>,
    action: Option<String>,
    outcome: Option<AuditOutcome>,
}

/// Lists what the caller's account has to do with, and refusals of which nobody knows whose they are.
///
/// # Errors
/// `ValidationException` for a token of another query.
pub(crate) async fn list_audit_entries(
    plane: &Plane,
    call: &mut Call,
    input: ListAuditEntriesInput,
) -> Result<ListAuditEntriesOutput, ProtonError> {
    let query = Query {
        account: call.scope.account.clone(),
        since: input.since.map(|time| time.0),
        until: input.until.map(|time| time.0),
        principal: input.principal,
        action: input.action,
        outcome: input.outcome,
    };
    let text = serde_json::to_string(&("ListAuditEntries", &query))?;
    let start = input.next_token.map(|token| call.page_key.open(&text, &token)).transpose()?;
    let limit = input.max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(LARGEST_PAGE);
    let limit = limit.clamp(1, LARGEST_PAGE);
    let found = plane.store.read(move |tx| query.page(tx, start.clone(), limit)).await;
    let (entries, next) = found.map_err(ProtonError::from)?;
    Ok(ListAuditEntriesOutput {
        entries: entries.into_iter().map(|stored| shown(stored.value)).collect(),
        next_token: next.map(|next| call.page_key.issue(&text, &next)),
    })
}

type Found = Vec<Stored<AuditEntry>>;

impl Query {
    /// A page, and where the next one begins.
    fn page(
        &self,
        tx: &mut dyn Transaction,
        start: Option<Position>,
        limit: usize,
    ) -> Result<(Found, Option<Position>), StoreError> {
        let newest =
            || Position { sort: self.until.map_or_else(|| "~".into(), AuditEntry::time_sort), key: String::new() };
        let mut after = start.unwrap_or_else(newest);
        let (mut found, mut looked_at) = (Found::new(), 0);
        loop {
            let chunk = self.chunk(tx, &after)?;
            let exhausted = chunk.len() < CHUNK;
            looked_at += chunk.len();
            for entry in chunk {
                if self.since.is_some_and(|since| entry.at < since) {
                    return Ok((found, None));
                }
                let at = position(&entry);
                if self.wants(&entry) {
                    if found.len() == limit {
                        return Ok((found, Some(after)));
                    }
                    found.push(entry);
                }
                after = at;
            }
            if exhausted || looked_at >= LOOKED_AT {
                return Ok((found, (!exhausted).then_some(after)));
            }
        }
    }

    /// The account's entries and nobody's, in one order.
    fn chunk(&self, tx: &mut dyn Transaction, after: &Position) -> Result<Found, StoreError> {
        let mut chunk = Found::new();
        for account in [self.account.as_str(), ""] {
            let after = Some((after.sort.as_str(), after.key.as_str()));
            let select = Select { term: AuditEntry::ACCOUNT, value: account, after, descending: true, limit: CHUNK };
            chunk.extend(tx.page::<AuditEntry>(&AuditEntry::scope(), &select)?);
        }
        chunk.sort_by(|one, other| other.sort.cmp(&one.sort));
        chunk.truncate(CHUNK);
        Ok(chunk)
    }

    fn wants(&self, entry: &AuditEntry) -> bool {
        // A name is enough: `admin` for arn:aws:iam::123456789012:user/admin.
        let named = |wanted: &String| {
            let principal = entry.principal.strip_suffix(wanted.as_str());
            principal.is_some_and(|before| before.is_empty() || before.ends_with('/') || before.ends_with(':'))
        };
        self.principal.as_ref().is_none_or(named)
            && self.action.as_ref().is_none_or(|action| *action == entry.action)
            && self.outcome.is_none_or(|outcome| outcome == entry.outcome)
    }
}

fn position(entry: &Stored<AuditEntry>) -> Position {
    Position { sort: entry.sort.clone(), key: entry.key() }
}

fn shown(entry: AuditEntry) -> Shown {
    let touched = |Touched { kind, key, before, after }| TouchedRecord { kind, key, before, after };
    let link = entry.link;
    Shown {
        id: entry.id,
        sequence: link.as_ref().map(|link| link.sequence),
        at: Timestamp(entry.at),
        principal: entry.principal,
        access_key: entry.access_key,
        account: entry.account,
        region: entry.region,
        api: entry.api,
        action: entry.action,
        resource: entry.resource,
        request_id: entry.request_id,
        source_ip: entry.source_ip,
        user_agent: entry.user_agent,
        outcome: entry.outcome,
        reason: entry.reason,
        touched: entry.touched.into_iter().map(touched).collect(),
        previous_hash: link.as_ref().map(|link| link.previous.clone()),
        hash: link.map(|link| link.hash),
    }
}
