//! `hadron audit`: who changed what, who was refused, and whether the log is still whole.

use std::fmt::Write as _;
use std::io::Write;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use hadron_model::Timestamp;
use hadron_model::hadron::{
    AuditEntry, AuditOutcome, ListAuditEntriesInput, ListAuditEntriesOutput, Operation, TouchedRecord,
    VerifyAuditInput, VerifyAuditOutput,
};
use serde_json::Value;

use super::{Exit, Failure, Form, print, remote};
use crate::hadron::Client;
use crate::settings::Resolved;
use crate::support::Clock;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List changes and refusals, newest first
    List(ListArgs),
    /// Check that no entry was changed, taken out or put in; exits with 1 if one was
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// From when on: 2h, 30m, 7d ago, or a time like 2026-11-22T09:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when, exclusively
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Whose: an ARN or its last part
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Which operation: CreateService
    #[arg(long, value_name = "OPERATION")]
    action: Option<String>,
    /// Refusals only
    #[arg(long)]
    refused: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The hash of any earlier entry, as it was written down elsewhere: the log must still have it
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

/// Prints entries, or whether the log is whole.
pub(super) async fn run(settings: &Resolved, command: AuditCommand, form: Form) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    match command {
        AuditCommand::List(args) => list(&client, args, form).await,
        AuditCommand::Verify(args) => verify(&client, args, form).await,
    }
}

async fn list(client: &Client, args: ListArgs, form: Form) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let time = |text: Option<String>| text.map(|text| moment(&text, now).map(Timestamp)).transpose();
    let mut input = ListAuditEntriesInput {
        since: time(args.since)?,
        until: time(args.until)?,
        principal: args.principal,
        action: args.action,
        outcome: args.refused.then_some(AuditOutcome::Refused),
        max_results: None,
        next_token: None,
    };
    let mut entries = Vec::new();
    loop {
        let called = client.call(Operation::ListAuditEntries, &input).await;
        let page: ListAuditEntriesOutput = called.map_err(remote::refused)?;
        entries.extend(page.entries);
        input.next_token = page.next_token;
        if input.next_token.is_none() || entries.len() >= args.limit {
            break;
        }
    }
    entries.truncate(args.limit);
    print(&entries, form)
}

fn print(entries: &[AuditEntry], form: Form) -> Result<Exit, Failure> {
    let mut out = print::out();
    match form {
        Form::Json => {
            let entries: Vec<Value> = entries.iter().map(json).collect::<Result<_, _>>()?;
            let text = serde_json::to_string_pretty(&entries).context("writing the entries as JSON")?;
            writeln!(out, "{text}")?;
        }
        Form::Text if entries.is_empty() => writeln!(out, "there is no such entry")?,
        Form::Text => entries.iter().try_for_each(|entry| out.write_all(lines(entry).as_bytes()))?,
    }
    Ok(Exit::Done)
}

/// An entry as its hash has it, with a readable time; `jq -cS 'del(.hash, .previousHash)'` is the hashed text.
fn json(entry: &AuditEntry) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(entry).context("writing an entry as JSON")?;
    value["at"] = time(entry.at).into();
    Ok(value)
}

/// An entry for people: when, who from where, what, and below it what it touched or why it was refused.
fn lines(entry: &AuditEntry) -> String {
    let sequence = entry.sequence.map_or_else(|| "-".to_owned(), |sequence| sequence.to_string());
    let who = entry.principal.rsplit_once(":user/").map_or(entry.principal.as_str(), |(_, name)| name);
    let from = entry.source_ip.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
    let outcome = if entry.outcome == AuditOutcome::Refused { "refused " } else { "" };
    let what = format!("{outcome}{}:{}", entry.api, entry.action);
    let about = entry.resource.as_ref().map(|resource| format!(" {resource}")).unwrap_or_default();
    let mut text = format!("{sequence:>6}  {}  {who}{from}  {what}{about}\n", time(entry.at));
    if let Some(reason) = &entry.reason {
        writeln!(text, "        {}", reason.trim_end()).expect("text takes text");
    }
    for TouchedRecord { kind, key, before, after } in &entry.touched {
        let version = |version: &Option<i64>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        writeln!(text, "        {kind} {key}  {} > {}", version(before), version(after)).expect("text takes text");
    }
    text
}

async fn verify(client: &Client, args: VerifyArgs, form: Form) -> Result<Exit, Failure> {
    let mut input = VerifyAuditInput { head: args.head, from: None };
    let verified = loop {
        let called = client.call(Operation::VerifyAudit, &input).await;
        let output: VerifyAuditOutput = called.map_err(remote::refused)?;
        match &output.next {
            Some(next) if output.intact => input.from = Some(next.clone()),
            _ => break output,
        }
    };
    let mut out = print::out();
    match form {
        Form::Json => {
            let text = serde_json::to_string_pretty(&verified).context("writing the result as JSON")?;
            writeln!(out, "{text}")?;
        }
        Form::Text => out.write_all(verdict(&verified).as_bytes())?,
    }
    Ok(if verified.intact { Exit::Done } else { Exit::Unexpected })
}

fn verdict(verified: &VerifyAuditOutput) -> String {
    let VerifyAuditOutput { intact, entries, head, head_sequence, problem, unchained, .. } = verified;
    let mut text = match (intact, problem) {
        (true, _) => format!("intact: {entries} entries\n"),
        (false, problem) => {
            let problem = problem.as_deref().unwrap_or("the server doesn't say why");
            format!("BROKEN: {problem}\n{entries} entries before that are intact\n")
        }
    };
    if let (true, Some(sequence), Some(hash)) = (intact, head_sequence, head) {
        writeln!(text, "head:   {hash} (entry {sequence})").expect("text takes text");
    }
    if *unchained > 0 {
        writeln!(text, "{unchained} newer entries are about to be linked").expect("text takes text");
    }
    text
}

fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |time| format!("{time:.3}"))
}

/// A moment in milliseconds since the epoch: a time, or how long ago.
fn moment(text: &str, now: i64) -> Result<i64, Failure> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let ago = || {
        let unit = text.chars().next_back()?;
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        Some(now.saturating_sub(count.checked_mul(seconds * 1000)?))
    };
    ago().ok_or_else(|| {
        Failure::new(Exit::Usage, anyhow!("{text} is no time")).hint("write 2h, 30m, 7d or 2026-11-22T09:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        assert_eq!(moment("2h", 7_200_001).unwrap(), 1);
        assert_eq!(moment("1970-01-01T00:00:01Z", 0).unwrap(), 1000);
        for text in ["", "h", "2y", "-", "yesterday", "9223372036854775807d"] {
            assert_eq!(moment(text, 0).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn an_entry_is_a_line_and_what_it_touched_below() {
        let touched = TouchedRecord { kind: "environment".into(), key: "dev".into(), before: None, after: Some(1) };
        let entry = AuditEntry {
            id: "i".into(),
            sequence: Some(7),
            at: Timestamp(1_795_305_600_000),
            principal: "arn:aws:iam::123456789012:user/admin".into(),
            access_key: None,
            account: "123456789012".into(),
            region: "us-east-1".into(),
            api: "proton".into(),
            action: "CreateEnvironment".into(),
            resource: Some("arn:dev".into()),
            request_id: "r".into(),
            source_ip: Some("127.0.0.1".into()),
            user_agent: None,
            outcome: AuditOutcome::Changed,
            reason: None,
            touched: vec![touched],
            previous_hash: None,
            hash: None,
        };
        let expected = "     7  2026-11-22T00:00:00.000Z  admin from 127.0.0.1  proton:CreateEnvironment arn:dev\n\
                        \u{20}       environment dev  - > 1\n";
        assert_eq!(lines(&entry), expected);
    }
}
