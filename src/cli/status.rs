//! `hadron status`: everything there is and where it stands, and what is being worked on.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fmt::Write as _;
use std::io::Write;

use anyhow::Context;
use hadron_model::hadron::{
    ListQuarantinedInput, ListRunsInput, ListStatesInput, Operation, QuarantinedTarget, Run, RunStatus, State,
    StateBlock, StateLock,
};
use serde::Serialize;

use super::remote::{self, Remote};
use super::target::short;
use super::{Exit, Failure, Form, print};
use crate::domain::Target;
use crate::proton::ProtonError;
use crate::settings::Resolved;
use crate::support::Clock;

/// One resource.
#[derive(Debug, Serialize)]
struct Row {
    kind: &'static str,
    name: String,
    status: String,
    /// Template and version; empty where there is none.
    template: String,
    /// The last deployment's id, for `hadron logs`.
    deployment: String,
    message: String,
    /// Why its deployment doesn't go on; empty while somebody works on it.
    #[serde(skip_serializing_if = "String::is_empty")]
    waits: String,
    /// Who holds the lock of its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<StateLock>,
    /// Why nobody may work on it, with the commands that lift the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<StateBlock>,
    /// Whether it was imported and nobody has adopted it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    quarantined: bool,
}

impl Row {
    fn new(kind: &'static str, name: String, status: &impl ToString) -> Self {
        let status = status.to_string();
        let (template, deployment, message, waits) = Default::default();
        Self { kind, name, status, template, deployment, message, waits, lock: None, blocked: None, quarantined: false }
    }

    /// Whether it is this target.
    fn is(&self, target: &Target) -> bool {
        match target {
            Target::Environment { name } => self.kind == "environment" && self.name == *name,
            Target::ServiceInstance { service, name } => {
                self.kind == "instance" && self.name == format!("{service}/{name}")
            }
            Target::ServicePipeline { service } => self.kind == "pipeline" && self.name == *service,
            Target::Component { name } => self.kind == "component" && self.name == *name,
        }
    }
}

/// Prints the table.
pub(super) async fn run(settings: &Resolved, form: Form) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    let mut rows = rows(&remote).await.map_err(remote::failure)?;
    mark_runs(&remote, &mut rows).await;
    mark_states(&remote, &mut rows).await;
    mark_quarantined(&remote, &mut rows).await;
    let mut out = print::out();
    match form {
        Form::Json => writeln!(out, "{}", serde_json::to_string_pretty(&rows).context("writing the status as JSON")?)?,
        Form::Text => out.write_all(table(&rows, Clock::system().now()).as_bytes())?,
    }
    Ok(Exit::Done)
}

/// Proton has no word for a deployment that waits for people or stands in line: to it, that is IN_PROGRESS. An endpoint that
/// isn't ours knows none of these, and that is fine.
async fn mark_runs(remote: &Remote, rows: &mut [Row]) {
    for status in [RunStatus::AwaitingApproval, RunStatus::Waiting, RunStatus::Lost] {
        let input = ListRunsInput { status: Some(status), ..ListRunsInput::default() };
        let runs: Vec<Run> = remote.hadron.pages(Operation::ListRuns, &input).await.unwrap_or_default();
        for run in runs {
            let Some(row) = rows.iter_mut().find(|row| row.deployment == run.deployment_id) else { continue };
            if status == RunStatus::AwaitingApproval {
                row.status = status.to_string();
            } else {
                row.waits = run.queue.map(|queue| queue.reason).unwrap_or_default();
            }
        }
    }
}

/// Says of each target whether it is quarantined.
async fn mark_quarantined(remote: &Remote, rows: &mut [Row]) {
    let input = ListQuarantinedInput::default();
    let found: Vec<QuarantinedTarget> =
        remote.hadron.pages(Operation::ListQuarantined, &input).await.unwrap_or_default();
    let targets: Vec<Target> = found.iter().filter_map(|it| Some(Target::parse(&it.target_arn).ok()?.1)).collect();
    for row in rows {
        row.quarantined = targets.iter().any(|target| row.is(target));
    }
}

/// Says of each target whose state is locked who holds the lock, and of each that is blocked why. A target that is gone may
/// have left such a state: it gets a row of its own.
async fn mark_states(remote: &Remote, rows: &mut Vec<Row>) {
    let locked = ListStatesInput { locked: Some(true), ..ListStatesInput::default() };
    let blocked = ListStatesInput { blocked: Some(true), ..ListStatesInput::default() };
    for input in [locked, blocked] {
        let states: Vec<State> = remote.hadron.pages(Operation::ListStates, &input).await.unwrap_or_default();
        for State { target_arn, lock, blocked, .. } in states {
            let target = Target::parse(&target_arn).map(|(_, target)| target);
            let known = target.ok().and_then(|target| rows.iter().position(|row| row.is(&target)));
            let name = short(&target_arn);
            let at = known.or_else(|| rows.iter().position(|row| row.kind == "state" && row.name == name));
            let at = at.unwrap_or_else(|| {
                rows.push(Row::new("state", name, &"GONE"));
                rows.len() - 1
            });
            (rows[at].lock, rows[at].blocked) = (lock, blocked);
        }
    }
}

/// Who holds a lock, for how long, and whether anybody will give it back.
fn held(lock: &StateLock, now: i64) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (run, epoch, agent) = (text(&lock.deployment_id), lock.epoch.unwrap_or_default(), text(&lock.agent));
    let since = lock.since.map(|since| format!(" for {}", length(now - since.0))).unwrap_or_default();
    let life = match (lock.alive, lock.released_at) {
        (true, _) => "alive".to_owned(),
        (false, Some(at)) => format!("orphaned, released by itself at {} unless it writes", print::moment(at)),
        (false, None) => "orphaned, waits for the next claim of that deployment".to_owned(),
    };
    format!("locked by run {run}.{epoch} of agent {agent}{since}: {life}")
}

/// A length of time, to the second.
fn length(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

async fn rows(remote: &Remote) -> Result<Vec<Row>, ProtonError> {
    let proton = remote.proton.client();
    let mut rows = Vec::new();
    let mut environments = proton.list_environments().into_paginator().items().send();
    while let Some(it) = environments.next().await {
        let it = it?;
        rows.push(Row {
            template: version(&it.template_name, &it.template_major_version, &it.template_minor_version),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
            ..Row::new("environment", it.name, &it.deployment_status)
        });
    }
    let mut services = proton.list_services().into_paginator().items().send();
    while let Some(it) = services.next().await {
        service(remote, it?.name, &mut rows).await?;
    }
    let mut components = proton.list_components().into_paginator().items().send();
    while let Some(it) = components.next().await {
        let it = it?;
        rows.push(Row {
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
            ..Row::new("component", it.name, &it.deployment_status)
        });
    }
    Ok(rows)
}

async fn service(remote: &Remote, name: String, rows: &mut Vec<Row>) -> Result<(), ProtonError> {
    let proton = remote.proton.client();
    let Some(service) = proton.get_service().name(&name).send().await?.service else { return Ok(()) };
    rows.push(Row {
        template: service.template_name,
        message: service.status_message.unwrap_or_default(),
        ..Row::new("service", name.clone(), &service.status)
    });
    let mut instances = proton.list_service_instances().service_name(&name).into_paginator().items().send();
    while let Some(it) = instances.next().await {
        let it = it?;
        rows.push(Row {
            template: version(&it.template_name, &it.template_major_version, &it.template_minor_version),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
            ..Row::new("instance", format!("{name}/{}", it.name), &it.deployment_status)
        });
    }
    if let Some(it) = service.pipeline {
        rows.push(Row {
            template: version(&it.template_name, &it.template_major_version, &it.template_minor_version),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
            ..Row::new("pipeline", name, &it.deployment_status)
        });
    }
    Ok(())
}

fn version(template: &str, major: &str, minor: &str) -> String {
    format!("{template} {major}.{minor}")
}

fn table(rows: &[Row], now: i64) -> String {
    if rows.is_empty() {
        return "nothing is deployed yet\n".into();
    }
    let wide = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (name, status, template) = (wide(|row| &row.name), wide(|row| &row.status), wide(|row| &row.template));
    let mut text = String::new();
    for row in rows {
        let Row { kind, deployment, .. } = row;
        let line = format!(
            "{kind:<12} {:<name$}  {:<status$}  {:<template$}  {deployment}",
            row.name, row.status, row.template
        );
        writeln!(text, "{}", line.trim_end()).expect("text takes text");
        for line in row.message.lines().map(str::to_owned).chain(explained(row, now)) {
            let line = format!("             {line}");
            writeln!(text, "{}", line.trim_end()).expect("text takes text");
        }
    }
    text
}

/// What keeps a target waiting, line by line; commands stand alone, to be run as they are.
fn explained(row: &Row, now: i64) -> Vec<String> {
    let mut lines = Vec::new();
    if row.quarantined {
        lines.push("imported and quarantined: nothing is deployed to it before `hadron adopt`".into());
    }
    if !row.waits.is_empty() && row.blocked.is_none() {
        lines.push(row.waits.clone());
    }
    lines.extend(row.lock.as_ref().map(|lock| held(lock, now)));
    if let Some(block) = &row.blocked {
        lines.push(format!("blocked for {}: {}", length(now - block.since.0), block.reason));
        lines.extend(block.commands.iter().map(|command| format!("  {command}")));
    }
    lines
}
