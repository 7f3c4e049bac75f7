//! `hadron status`: everything there is and where it stands, and what is being worked on.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::Context;
use hadron_model::hadron::{ListRunsInput, Operation, Run, RunStatus};
use serde::Serialize;

use super::remote::{self, Remote};
use super::{Exit, Failure, Form};
use crate::proton::ProtonError;
use crate::settings::Resolved;

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
}

/// Prints the table.
pub(super) async fn run(settings: &Resolved, form: Form) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    let mut rows = rows(&remote).await.map_err(remote::failure)?;
    mark_awaiting(&remote, &mut rows).await;
    let mut out = io::stdout().lock();
    match form {
        Form::Json => writeln!(out, "{}", serde_json::to_string_pretty(&rows).context("writing the status as JSON")?)?,
        Form::Text => out.write_all(table(&rows).as_bytes())?,
    }
    Ok(Exit::Done)
}

/// Proton has no word for a deployment that waits for people: to it, that is IN_PROGRESS. An endpoint that isn't ours knows
/// none of these, and that is fine.
async fn mark_awaiting(remote: &Remote, rows: &mut [Row]) {
    let input = ListRunsInput { status: Some(RunStatus::AwaitingApproval), ..ListRunsInput::default() };
    let waiting: Vec<Run> = remote.hadron.pages(Operation::ListRuns, &input).await.unwrap_or_default();
    for row in rows.iter_mut().filter(|row| waiting.iter().any(|run| run.deployment_id == row.deployment)) {
        row.status = RunStatus::AwaitingApproval.to_string();
    }
}

async fn rows(remote: &Remote) -> Result<Vec<Row>, ProtonError> {
    let proton = remote.proton.client();
    let mut rows = Vec::new();
    let mut environments = proton.list_environments().into_paginator().items().send();
    while let Some(it) = environments.next().await {
        let it = it?;
        rows.push(Row {
            kind: "environment",
            template: version(&it.template_name, &it.template_major_version, &it.template_minor_version),
            name: it.name,
            status: it.deployment_status.to_string(),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
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
            kind: "component",
            name: it.name,
            status: it.deployment_status.to_string(),
            template: String::new(),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
        });
    }
    Ok(rows)
}

async fn service(remote: &Remote, name: String, rows: &mut Vec<Row>) -> Result<(), ProtonError> {
    let proton = remote.proton.client();
    let Some(service) = proton.get_service().name(&name).send().await?.service else { return Ok(()) };
    rows.push(Row {
        kind: "service",
        name: name.clone(),
        status: service.status.to_string(),
        template: service.template_name,
        deployment: String::new(),
        message: service.status_message.unwrap_or_default(),
    });
    let mut instances = proton.list_service_instances().service_name(&name).into_paginator().items().send();
    while let Some(it) = instances.next().await {
        let it = it?;
        rows.push(Row {
            kind: "instance",
            name: format!("{name}/{}", it.name),
            status: it.deployment_status.to_string(),
            template: version(&it.template_name, &it.template_major_version, &it.template_minor_version),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
        });
    }
    if let Some(it) = service.pipeline {
        rows.push(Row {
            kind: "pipeline",
            name,
            status: it.deployment_status.to_string(),
            template: version(&it.template_name, &it.template_major_version, &it.template_minor_version),
            deployment: it.last_attempted_deployment_id.unwrap_or_default(),
            message: it.deployment_status_message.unwrap_or_default(),
        });
    }
    Ok(())
}

fn version(template: &str, major: &str, minor: &str) -> String {
    format!("{template} {major}.{minor}")
}

fn table(rows: &[Row]) -> String {
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
        for message in row.message.lines() {
            writeln!(text, "             {message}").expect("text takes text");
        }
    }
    text
}
