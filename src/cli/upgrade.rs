//! `hadron upgrade`: moves what is behind to the version that its template recommends, each with its own spec.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use hadron_model::hadron::{StaleRow, Staleness};
use serde::Serialize;

use super::remote::{self, Remote};
use super::report::{self, Filter, short};
use super::{Exit, Failure, Form, print};
use crate::proton::ProtonError;
use crate::settings::Resolved;

/// How often a deployment that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct UpgradeArgs {
    /// environment/NAME, service/NAME/instance/NAME, service/NAME/pipeline, or an ARN
    #[arg(value_name = "TARGET", required_unless_present_any = ["service", "template", "environment"])]
    targets: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Across major versions too, whose inputs may differ
    #[arg(long)]
    major: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Wait until each deployment has ended
    #[arg(long)]
    wait: bool,
}

/// What became of a target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    target: String,
    from: String,
    to: String,
    /// `started`, `would start`, `left alone`, `refused`, or the status that it ended with.
    status: String,
    message: String,
}

/// Starts the deployments, one after another; one refusal doesn't keep the others from being tried.
pub(super) async fn run(settings: &Resolved, args: &UpgradeArgs, form: Form) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    let rows = report::rows(settings, &args.filter, true).await?;
    if rows.is_empty() && args.targets.is_empty() {
        let what = args.filter.to_string();
        writeln!(io::stderr(), "nothing is deployed {what}; `hadron report stale --all` lists every target")?;
    }
    let rows = chosen(rows, &args.targets)?;
    let mut outcomes = Vec::new();
    for row in &rows {
        outcomes.push(upgrade(&remote, row, args).await);
    }
    if args.wait {
        for (row, outcome) in rows.iter().zip(&mut outcomes).filter(|(_, outcome)| outcome.status == "started") {
            (outcome.status, outcome.message) = settled(&remote, row).await.map_err(remote::failure)?;
        }
    }
    tell(&outcomes, form)?;
    let bad = outcomes
        .iter()
        .any(|outcome| !["started", "would start", "left alone", "SUCCEEDED"].contains(&&*outcome.status));
    Ok(if bad { Exit::Unexpected } else { Exit::Done })
}

/// The rows that are meant. What is named must be there; what a filter finds may be nothing.
fn chosen(rows: Vec<StaleRow>, targets: &[String]) -> Result<Vec<StaleRow>, Failure> {
    let behind = |row: &StaleRow| matches!(row.staleness, Staleness::BehindMinor | Staleness::BehindMajor);
    if targets.is_empty() {
        return Ok(rows.into_iter().filter(behind).collect());
    }
    let is = |row: &StaleRow, name: &String| *name == row.target_arn || *name == short(row);
    if let Some(unknown) = targets.iter().find(|name| !rows.iter().any(|row| is(row, name))) {
        return Err(Failure::new(Exit::Usage, anyhow!("there is no {unknown} that lies on a template's version"))
            .hint("`hadron report stale --all` lists every target"));
    }
    Ok(rows.into_iter().filter(|row| targets.iter().any(|name| is(row, name))).collect())
}

async fn upgrade(remote: &Remote, row: &StaleRow, args: &UpgradeArgs) -> Outcome {
    let mut outcome = Outcome {
        target: short(row),
        from: row.deployed.clone(),
        to: row.recommended.clone().unwrap_or_default(),
        status: "left alone".into(),
        message: String::new(),
    };
    let kind = match row.staleness {
        Staleness::BehindMinor => "MINOR_VERSION",
        Staleness::BehindMajor if args.major => "MAJOR_VERSION",
        Staleness::BehindMajor => {
            outcome.message = "another major version may need other inputs; check its schema, then add --major".into();
            return outcome;
        }
        Staleness::UpToDate | Staleness::Unpublished => return outcome,
    };
    if args.dry_run {
        outcome.status = "would start".into();
        return outcome;
    }
    match start(remote, row, kind).await {
        Ok(()) => outcome.status = "started".into(),
        Err(error) => (outcome.status, outcome.message) = ("refused".into(), error.to_string()),
    }
    outcome
}

/// Without a spec Proton takes the one that the target has; a pipeline's is part of its service's.
async fn start(remote: &Remote, row: &StaleRow, kind: &str) -> Result<(), ProtonError> {
    let proton = remote.proton.client();
    let (major, minor) = row.recommended.as_deref().and_then(|it| it.split_once('.')).unwrap_or_default();
    let service = row.service_name.as_deref().unwrap_or_default();
    match row.kind.as_str() {
        "environment" => {
            let update = proton.update_environment().name(&row.name).deployment_type(kind.into());
            update.template_major_version(major).template_minor_version(minor).send().await?;
        }
        "service-instance" => {
            let update =
                proton.update_service_instance().service_name(service).name(&row.name).deployment_type(kind.into());
            update.template_major_version(major).template_minor_version(minor).send().await?;
        }
        _ => {
            let spec = proton.get_service().name(service).send().await?.service.map(|it| it.spec).unwrap_or_default();
            let update = proton.update_service_pipeline().service_name(service).deployment_type(kind.into()).spec(spec);
            update.template_major_version(major).template_minor_version(minor).send().await?;
        }
    }
    Ok(())
}

/// How a target's deployment ended.
async fn settled(remote: &Remote, row: &StaleRow) -> Result<(String, String), ProtonError> {
    loop {
        let (status, message) = stands(remote, row).await?;
        if !["IN_PROGRESS", "CANCELLING"].contains(&status.as_str()) {
            return Ok((status, message));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn stands(remote: &Remote, row: &StaleRow) -> Result<(String, String), ProtonError> {
    let proton = remote.proton.client();
    let service = row.service_name.as_deref().unwrap_or_default();
    let found = match row.kind.as_str() {
        "environment" => {
            let it = proton.get_environment().name(&row.name).send().await?.environment;
            it.map(|it| (it.deployment_status, it.deployment_status_message))
        }
        "service-instance" => {
            let it = proton.get_service_instance().service_name(service).name(&row.name).send().await?.service_instance;
            it.map(|it| (it.deployment_status, it.deployment_status_message))
        }
        _ => {
            let it = proton.get_service().name(service).send().await?.service.and_then(|it| it.pipeline);
            it.map(|it| (it.deployment_status, it.deployment_status_message))
        }
    };
    Ok(found.map(|(status, message)| (status.to_string(), message.unwrap_or_default())).unwrap_or_default())
}

fn tell(outcomes: &[Outcome], form: Form) -> Result<(), Failure> {
    let mut out = print::out();
    if form == Form::Json {
        let text = serde_json::to_string_pretty(outcomes).context("writing what was done as JSON")?;
        return Ok(writeln!(out, "{text}")?);
    }
    if outcomes.is_empty() {
        return Ok(writeln!(out, "nothing is behind")?);
    }
    for Outcome { target, from, to, status, message } in outcomes {
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        writeln!(out, "{target}  {from} -> {to}  {status}{message}")?;
    }
    Ok(())
}
