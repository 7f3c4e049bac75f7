//! `hadron runs show`: one run as data, resource by resource, while it goes on and after it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use anyhow::{Context, anyhow};
use clap::Args;
use hadron_model::{DeploymentStatus, Timestamp};
use serde::Serialize;

use super::run_records::RunRecords;
use super::{Exit, Failure, Form, print};
use crate::agent::RunSummary;
use crate::settings::Resolved;
use crate::terraform::{Event, EventKind, Lines, Outcome, OutputTold, ResourceTimeline, Timeline};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The deployment's id; `hadron runs` lists them
    deployment: String,
    /// Which attempt; the last one by default
    #[arg(long, value_name = "N")]
    attempt: Option<u64>,
}

/// A run's summary, or what its events tell until now.
#[derive(Debug, Serialize)]
struct Shown {
    /// Whether it still goes on.
    running: bool,
    /// Whether its agent has said how it ended.
    summarised: bool,
    #[serde(flatten)]
    run: RunSummary,
}

/// Prints a run.
pub(super) async fn run(settings: &Resolved, args: &ShowArgs, form: Form) -> Result<Exit, Failure> {
    let records = RunRecords::of(settings, &args.deployment).await?;
    let attempt = records.attempt(args.attempt).await?.ok_or_else(|| {
        let status = &records.deployment.status;
        let words = "no agent has sent records of this deployment yet";
        Failure::new(Exit::Unexpected, anyhow!("{words}; it is {status}"))
    })?;
    let shown = shown(&records, args, attempt).await?;
    match form {
        Form::Json => print::json(&shown)?,
        Form::Text => print::text(&shown.text(settings.coloured(io::stdout().is_terminal())))?,
    }
    Ok(Exit::Done)
}

async fn shown(records: &RunRecords, args: &ShowArgs, attempt: u64) -> Result<Shown, Failure> {
    let newest = args.attempt.is_none() || records.last_attempt().await? == Some(attempt);
    let running = newest && records.is_running().await;
    if let Some(text) = records.document(attempt, "summary.json").await? {
        let mut run: RunSummary = serde_json::from_slice(&text).context("reading the run's summary.json")?;
        if run.steps.is_empty() {
            // An older agent wrote it; its events tell the rest.
            run.timeline = so_far(records, attempt).await?.timeline;
            run.timeline.close();
        }
        return Ok(Shown { running: false, summarised: true, run });
    }
    let mut run = so_far(records, attempt).await?;
    if !running {
        run.timeline.close();
    }
    let deletes = [DeploymentStatus::DeleteInProgress, DeploymentStatus::DeleteFailed];
    run.action = if deletes.contains(&records.deployment.status) { "destroy" } else { "apply" }.into();
    run.deployment_id.clone_from(&args.deployment);
    run.target = records.deployment.target.to_string();
    run.attempt = attempt;
    Ok(Shown { running, summarised: false, run })
}

/// What the events tell that have arrived until now.
async fn so_far(records: &RunRecords, attempt: u64) -> Result<RunSummary, Failure> {
    let (mut run, mut lines) = (RunSummary::default(), Lines::default());
    let mut note = |line: &str| {
        let event = Event::parse(line);
        if let EventKind::Version { terraform, .. } = &event.kind {
            run.terraform.clone_from(terraform);
        }
        if run.started_at == 0 {
            run.started_at = event.moment().unwrap_or_default();
        }
        run.timeline.note(&event);
    };
    let mut next = 0;
    for piece in records.pieces(attempt, "events", None).await? {
        let bytes = records.piece(&piece).await?;
        let known = usize::try_from(piece.begin.max(next) - piece.begin).unwrap_or(usize::MAX);
        lines.take(bytes.get(known..).unwrap_or_default(), &mut note);
        next = next.max(piece.end);
    }
    lines.finish(&mut note);
    Ok(run)
}

impl Shown {
    fn text(&self, styled: bool) -> String {
        let timeline = &self.run.timeline;
        let mut text = print::lines(&self.header());
        section(&mut text, "resources", &resources(timeline, self.run.started_at));
        let drift: Vec<[String; 2]> = timeline.drift.iter().map(|it| [it.address.clone(), it.action.clone()]).collect();
        section(&mut text, "changed outside Terraform", &rows(["RESOURCE", "ACTION"], &drift));
        for diagnostic in &timeline.diagnostics {
            text.push('\n');
            text.push_str(&diagnostic.drawn(styled));
        }
        let outputs = timeline.values.iter().map(|(name, told)| format!("{name} = {}\n", value(told)));
        section(&mut text, "outputs", &outputs.collect::<String>());
        text
    }

    fn header(&self) -> [(&'static str, String); 12] {
        let run = &self.run;
        let moment = |at: i64| if at == 0 { String::new() } else { print::moment(Timestamp(at)) };
        let took = u64::try_from(run.ended_at - run.started_at).ok().filter(|_| run.ended_at > 0);
        let took = took.map(|took| format!(" (after {})", duration(took))).unwrap_or_default();
        let [add, change, remove] = run.changes;
        let changes = || format!("{add} added, {change} changed, {remove} destroyed");
        [
            ("deployment", run.deployment_id.clone()),
            ("target", run.target.clone()),
            ("attempt", run.attempt.to_string()),
            ("agent", run.agent.clone()),
            ("terraform", run.terraform.clone()),
            ("action", run.action.clone()),
            ("status", self.status()),
            ("started", moment(run.started_at)),
            ("ended", format!("{}{took}", moment(run.ended_at))),
            ("changes", if run.succeeded { changes() } else { String::new() }),
            ("peak memory", run.peak_rss.map(|bytes| format!("{} MiB", bytes.div_ceil(1 << 20))).unwrap_or_default()),
            ("error", run.error.as_deref().and_then(|error| error.lines().next()).unwrap_or_default().to_owned()),
        ]
    }

    fn status(&self) -> String {
        let words = match (self.summarised, self.running, self.run.succeeded) {
            (true, _, true) => "succeeded",
            (true, _, false) => "failed",
            (false, true, _) => "running",
            (false, false, _) => "over; its agent left no summary, so this is what its events told",
        };
        let memory = if self.run.oom { "; the kernel killed something for memory meanwhile" } else { "" };
        format!("{words}{memory}")
    }
}

fn section(text: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        write!(text, "\n{title}\n{body}").expect("text takes text");
    }
}

fn rows<const N: usize>(headers: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() { String::new() } else { print::table(headers, rows) }
}

fn resources(timeline: &Timeline, since: i64) -> String {
    let row = |it: &ResourceTimeline| {
        let begun = it.started_at.and_then(|at| u64::try_from(at - since).ok());
        [
            it.address.clone(),
            it.action.clone(),
            outcome(it.outcome).to_owned(),
            begun.map(|after| format!("+{}", duration(after))).unwrap_or_default(),
            it.duration_ms.map(duration).unwrap_or_default(),
            it.id.clone().unwrap_or_default(),
            it.reason.clone().unwrap_or_default(),
        ]
    };
    let all: Vec<_> = timeline.by_start().into_iter().map(row).collect();
    rows(["RESOURCE", "ACTION", "OUTCOME", "BEGUN", "TOOK", "ID", "REASON"], &all)
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Planned => "planned",
        Outcome::Running => "running",
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Skipped => "not begun",
        Outcome::Partial => "half replaced",
        Outcome::Unknown => "unknown",
    }
}

fn value(told: &OutputTold) -> String {
    match &told.value {
        _ if told.sensitive => "(sensitive value)".to_owned(),
        // Of a plan; what is null after an apply, Terraform doesn't name.
        serde_json::Value::Null => "(not known)".to_owned(),
        value => value.to_string(),
    }
}

/// Milliseconds for people.
fn duration(milliseconds: u64) -> String {
    let (seconds, tenths) = (milliseconds / 1000, milliseconds % 1000 / 100);
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{tenths} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stream: &str) -> Shown {
        let mut run = RunSummary {
            deployment_id: "d1".into(),
            target: "environment/dev".into(),
            attempt: 1,
            action: "apply".into(),
            started_at: 1_795_385_303_600,
            ended_at: 1_795_385_305_000,
            error: Some("terraform apply ended with exit code 1\nmain.tf:15: …".into()),
            peak_rss: Some(70 << 20),
            ..RunSummary::default()
        };
        stream.lines().for_each(|line| run.timeline.note(&Event::parse(line)));
        run.timeline.close();
        Shown { running: false, summarised: true, run }
    }

    #[test]
    fn a_run_is_told_with_its_resources_problems_and_outputs() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/failed.jsonl");
        let text = shown(stream).text(false);
        for words in [
            "deployment   d1\n",
            "status       failed\nstarted      2026-11-22T22:08:23Z\nended        2026-11-22T22:08:25Z (after 1.4 s)\n",
            "peak memory  70 MiB\nerror        terraform apply ended with exit code 1\n\nresources\nRESOURCE ",
            "\nterraform_data.broken  create  failed   +111 ms  2 ms\n\n╷\n│ Error: local-exec provisioner error\n│\n",
            "╵\n\noutputs\nlist = (not known)\nplain = (not known)\nsecret = (sensitive value)\n",
        ] {
            assert!(text.contains(words), "no `{words}` in:\n{text}");
        }
    }

    #[test]
    fn as_json_it_has_the_members_of_the_summary() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/update.jsonl");
        let json = serde_json::to_value(shown(stream)).unwrap();
        assert_eq!((&json["running"], &json["attempt"]), (&serde_json::json!(false), &serde_json::json!(1)));
        assert_eq!(json["timeline"][0]["address"], "terraform_data.gone");
        assert_eq!(json["values"]["secret"], serde_json::json!({"sensitive": true}));
    }

    #[test]
    fn times_are_for_people() {
        let told: Vec<String> = [7, 1200, 59_999, 61_000, 7_260_000].map(duration).into();
        assert_eq!(told, ["7 ms", "1.2 s", "59.9 s", "1 min 1 s", "2 h 1 min"]);
    }
}
