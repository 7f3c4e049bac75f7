//! Walking the chain: is every entry there, in its place, as it was written?

use super::canonical;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{AuditEntry, AuditHead};
use crate::control_plane::store::{ALL, Document, Row, Select, StoreError, Transaction, Typed};

/// How many entries are read in one transaction; in between others get their turn.
const PAGE: usize = 500;

/// How long an entry may wait for its link, in milliseconds, before nobody seems to link any more.
const PATIENCE: i64 = 60_000;

/// How far the walk has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last entry that was found right.
    pub(crate) last: AuditHead,
    /// Whether the hash that somebody kept elsewhere was met.
    pub(crate) witnessed: bool,
}

/// What is wrong, and at which entry if that can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: Option<i64>,
    pub(crate) problem: String,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) progress: Progress,
    /// What the record says the end is.
    pub(crate) head: AuditHead,
    /// None while nothing is wrong.
    pub(crate) broken: Option<Broken>,
    /// Whether the end was reached; otherwise the walk goes on from `progress`.
    pub(crate) complete: bool,
    /// How many entries wait for their link.
    pub(crate) unchained: i64,
}

/// Where every walk begins.
pub(crate) fn beginning() -> Progress {
    Progress { last: canonical::beginning(), witnessed: false }
}

/// Walks on from `progress` over about `limit` entries. `witness` is the hash of any entry that somebody wrote down
/// elsewhere: if the chain doesn't have it, it was written anew since.
pub(crate) async fn walk(
    plane: &Plane,
    progress: Progress,
    witness: Option<String>,
    limit: i64,
) -> Result<Walked, StoreError> {
    let (until, now) = (progress.last.sequence.saturating_add(limit), plane.clock.now());
    let (mut progress, mut longest) = (progress, PAGE);
    loop {
        let from = progress.last.sequence;
        let limit = usize::try_from(until.saturating_sub(from)).unwrap_or(1).clamp(1, longest);
        let Page { head, rows, end } = match plane.store.read(move |tx| page(tx, from, limit)).await {
            Ok(page) => page,
            // One of these can't be read: which one?
            Err(StoreError::Corrupt { .. }) if limit > 1 => {
                longest = 1;
                continue;
            }
            Err(error @ StoreError::Corrupt { .. }) => return Ok(unreadable(progress, &error)),
            Err(error) => return Err(error),
        };
        let mut broken = rows.iter().try_for_each(|row| step(&mut progress, row, witness.as_deref())).err();
        let complete = end || broken.is_some();
        if !complete && progress.last.sequence < until {
            continue;
        }
        let mut unchained = 0;
        if complete && broken.is_none() {
            let (count, oldest) = plane.store.read(waiting).await?;
            unchained = count;
            broken = end_of(&progress, head.as_ref(), witness.is_some()).or_else(|| late(oldest, now));
        }
        return Ok(Walked { progress, head: head.unwrap_or_else(canonical::beginning), broken, complete, unchained });
    }
}

fn unreadable(progress: Progress, error: &StoreError) -> Walked {
    let next = progress.last.sequence + 1;
    let broken = Broken { at: Some(next), problem: format!("entry {next} can't be read: {error}") };
    let head = progress.last.clone();
    Walked { progress, head, broken: Some(broken), complete: true, unchained: 0 }
}

/// A piece of the chain and its end, in one snapshot.
struct Page {
    head: Option<AuditHead>,
    rows: Vec<Row>,
    end: bool,
}

fn page(tx: &mut dyn Transaction, from: i64, limit: usize) -> Result<Page, StoreError> {
    let scope = AuditEntry::scope();
    let head = tx.get::<AuditHead>(&scope, AuditHead::KEY)?.map(|stored| stored.value);
    let next = AuditEntry::chained_sort(from + 1);
    let select = Select { term: ALL, value: "", after: Some((&next, "")), descending: false, limit };
    let mut rows = tx.select(&scope, AuditEntry::KIND, &select)?;
    rows.retain(|row| !row.sort.starts_with(AuditEntry::UNCHAINED));
    Ok(Page { head, end: rows.len() < limit, rows })
}

/// Holds one entry against the one before.
fn step(progress: &mut Progress, row: &Row, witness: Option<&str>) -> Result<(), Broken> {
    let next = progress.last.sequence + 1;
    let broken = |at: i64, problem: String| Err(Broken { at: Some(at), problem });
    let Ok(entry) = serde_json::from_str::<AuditEntry>(&row.body) else {
        return broken(next, format!("entry {next} can't be read"));
    };
    let Some(link) = &entry.link else {
        return broken(next, format!("entry {next} has lost its link"));
    };
    let hash = canonical::hash(&entry, link.sequence, &link.previous).unwrap_or_default();
    if hash != link.hash {
        let at = link.sequence;
        return broken(
            at,
            format!("entry {at} isn't what was written: its hash is {}, its content's {hash}", link.hash),
        );
    }
    if row.key != entry.id || row.sort != entry.sort() {
        return broken(next, format!("in place of entry {next} lies entry {}", link.sequence));
    }
    match link.sequence - next {
        0 => {}
        1 => return broken(next, format!("entry {next} is missing")),
        ..0 => return broken(link.sequence, format!("there is a second entry {}", link.sequence)),
        _ => return broken(next, format!("entries {next} to {} are missing", link.sequence - 1)),
    }
    if link.previous != progress.last.hash {
        let before = next - 1;
        let problem = format!(
            "entry {next} continues {}, but entry {before} has the hash {}: one of the two was replaced",
            link.previous, progress.last.hash
        );
        return broken(next, problem);
    }
    progress.witnessed |= witness == Some(&link.hash);
    progress.last = AuditHead { sequence: next, hash };
    Ok(())
}

/// Holds the last entry against what the record says the end is, and against what somebody kept elsewhere.
fn end_of(progress: &Progress, head: Option<&AuditHead>, has_witness: bool) -> Option<Broken> {
    let Progress { last, witnessed } = progress;
    let head = head.cloned().unwrap_or_else(canonical::beginning);
    let (at, problem) = if head.sequence > last.sequence {
        let at = last.sequence + 1;
        (
            Some(at),
            format!(
                "the log was cut off: its last entry is {}, but entries up to {} were written",
                last.sequence, head.sequence
            ),
        )
    } else if head != *last {
        let said = format!("the record says that the log ends with entry {}, {}", head.sequence, head.hash);
        (Some(last.sequence), format!("{said}, but it ends with entry {}, {}", last.sequence, last.hash))
    } else if has_witness && !witnessed {
        (None, "no entry has the hash that was given: the log was written anew since that hash was noted".to_owned())
    } else {
        return None;
    };
    Some(Broken { at, problem })
}

/// How many entries wait for their link, and since when.
fn waiting(tx: &mut dyn Transaction) -> Result<(i64, Option<i64>), StoreError> {
    let (mut count, mut oldest) = (0, None);
    let mut after = (AuditEntry::UNCHAINED.to_owned(), String::new());
    loop {
        let select = Select { term: ALL, value: "", after: Some((&after.0, &after.1)), descending: false, limit: PAGE };
        let rows = tx.page::<AuditEntry>(&AuditEntry::scope(), &select)?;
        oldest = oldest.or_else(|| rows.first().map(|entry| entry.at));
        count += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        match rows.last() {
            Some(last) if rows.len() == PAGE => after = (last.sort.clone(), last.key()),
            _ => return Ok((count, oldest)),
        }
    }
}

fn late(oldest: Option<i64>, now: i64) -> Option<Broken> {
    let waited = now - oldest?;
    (waited > PATIENCE).then(|| {
        let problem =
            format!("an entry has waited for its link for {} seconds: no server links any more", waited / 1000);
        Broken { at: None, problem }
    })
}
