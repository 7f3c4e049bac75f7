//! Who is told: a report to a sink that was asked for, and a notice to each owner when a template has a newer version.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hadron_model::hadron::{StaleRow, Staleness};
use serde_json::json;

use super::Wanted;
use crate::control_plane::events::{Events, Notice, STALE_REPORT, UPGRADE_AVAILABLE};
use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::store::{StoreError, Transaction};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// Rows of one notice: an EventBridge entry holds 256 KiB, a Slack message less.
const MOST: usize = 100;

/// Sends everything that is behind, or was given outputs that have changed, to a sink; tells how many rows that is.
///
/// # Errors
/// `ResourceNotFoundException` if there is no such sink.
pub(crate) fn send_report(
    events: &Events,
    tx: &mut dyn Transaction,
    scope: &Scope,
    sink: &str,
    now: i64,
) -> Result<usize, ProtonError> {
    let wanted = Wanted { all: false, environment_name: None, service_name: None, template_name: None };
    let rows = wanted.rows(tx, scope)?;
    let text = match rows.len() {
        0 => "Nothing is behind its template.".to_owned(),
        1 => format!("1 resource is behind:\n{}", lines(&rows)),
        count => format!("{count} resources are behind:\n{}", lines(&rows)),
    };
    let notice = notice(STALE_REPORT, &rows, &text, None, now);
    events.notice_to(tx, scope, sink, &notice)?;
    Ok(rows.len())
}

/// Tells each owner of something that lies behind a template's recommended version that there is a newer one, in one
/// notice an owner; what belongs to nobody is told in one of its own.
///
/// # Errors
/// That the store refuses.
pub(crate) fn upgrade_available(
    events: &Events,
    tx: &mut dyn Transaction,
    scope: &Scope,
    template: &Template,
    now: i64,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let name = Some(template.name.clone());
    let wanted = Wanted { all: false, environment_name: None, service_name: None, template_name: name };
    let mut owners: BTreeMap<Option<String>, Vec<StaleRow>> = BTreeMap::new();
    for row in wanted.rows(tx, scope)? {
        let of_this_kind = (row.kind == "environment") == (template.kind == TemplateKind::Environment);
        if of_this_kind && matches!(row.staleness, Staleness::BehindMinor | Staleness::BehindMajor) {
            owners.entry(row.owner.clone()).or_default().push(row);
        }
    }
    for (owner, rows) in owners {
        let version = template.recommended.map(|it| it.to_string()).unwrap_or_default();
        let text = format!("{} {version} is published; behind it:\n{}", template.name, lines(&rows));
        events.notice(tx, scope, &notice(UPGRADE_AVAILABLE, &rows, &text, owner.as_deref(), now))?;
    }
    Ok(())
}

fn notice(detail_type: &'static str, rows: &[StaleRow], text: &str, owner: Option<&str>, at: i64) -> Notice {
    let shown = &rows[..rows.len().min(MOST)];
    let mut detail = json!({ "text": text, "count": rows.len(), "rows": shown });
    if let Some(owner) = owner {
        detail["owner"] = owner.into();
    }
    Notice { detail_type, resources: shown.iter().map(|row| row.target_arn.clone()).collect(), detail, at }
}

/// One line a row; what is too much is counted.
fn lines(rows: &[StaleRow]) -> String {
    let mut text = String::new();
    for row in rows.iter().take(MOST) {
        let place = row.service_name.as_ref().map_or_else(String::new, |service| format!("{service}/"));
        let newest = row.recommended.as_deref().unwrap_or("-");
        let changed = if row.outputs_changed { ", outputs changed" } else { "" };
        let owner = row.owner.as_ref().map_or_else(String::new, |owner| format!(" ({owner})"));
        let (kind, name, template) = (&row.kind, &row.name, &row.template_name);
        writeln!(text, "{kind} {place}{name}: {template} {} -> {newest}{changed}{owner}", row.deployed)
            .expect("text takes text");
    }
    if let Some(more) = rows.len().checked_sub(MOST).filter(|more| *more > 0) {
        writeln!(text, "and {more} more").expect("text takes text");
    }
    text.trim_end().to_owned()
}
