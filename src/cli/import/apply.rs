//! `hadron import --apply`: registers what was rebuilt, in requests that each are one transaction.

mod requests;

use std::collections::BTreeSet;

use anyhow::Context;
use hadron_model::hadron::{ImportEstateInput, ImportEstateOutput, ImportOutcome, ImportResult, Operation};
use serde::Serialize;
use serde_json::Value;

use self::requests::Request;
use super::state;
use crate::cli::{Exit, Failure, Form, print, remote};
use crate::estate::{Estate, Rebuilt};
use crate::hadron::{Client, HadronError};
use crate::settings::Resolved;

/// What is done with a control plane, and with the buckets that hold states; to be flattened into the verb's arguments.
#[derive(Debug, Default, clap::Args)]
pub(in crate::cli) struct ApplyArgs {
    /// Register everything in the control plane, quarantined; nothing is deployed
    #[arg(long)]
    apply: bool,
    /// Copy the states into the control plane's state server; without it they stay where they are
    #[arg(long, requires = "apply")]
    copy_state: bool,
    /// Read outputs that no file tells out of the state objects; AWS credentials must allow that
    #[arg(long)]
    outputs_from_state: bool,
}

impl ApplyArgs {
    /// Whether anything is registered.
    pub(super) fn registers(&self) -> bool {
        self.apply
    }
}

/// Completes what was rebuilt, before it is shown, compared or registered. What couldn't be read is told.
///
/// # Errors
/// There are no AWS credentials to ask the state buckets with.
pub(in crate::cli) async fn complete(
    settings: &Resolved,
    args: &ApplyArgs,
    rebuilt: &mut [Rebuilt],
) -> Result<Vec<String>, Failure> {
    if args.outputs_from_state { state::outputs(settings, rebuilt).await } else { Ok(Vec::new()) }
}

/// Registers what was rebuilt if that was asked for, and tells what became of it, and which states nobody owns.
/// As JSON it becomes a member of the document `compared`, if there is one.
///
/// # Errors
/// As [`run`].
pub(in crate::cli) async fn finish(
    settings: &Resolved,
    args: &ApplyArgs,
    (estate, rebuilt): (&Estate, &[Rebuilt]),
    form: Form,
    compared: Option<Value>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    if args.apply {
        let summary = match run(settings, rebuilt, args.copy_state).await {
            Ok(summary) => summary,
            Err(failure) => {
                compared.iter().try_for_each(print::json)?;
                return Err(failure);
            }
        };
        exit = summary.exit();
        match (form, compared) {
            (Form::Text, _) => print::text(&summary.text())?,
            (Form::Json, None) => print::json(&summary)?,
            (Form::Json, Some(mut document)) => {
                document["registered"] = serde_json::to_value(&summary).context("writing the summary as JSON")?;
                print::json(&document)?;
            }
        }
    }
    if args.apply {
        tell_regions(&settings.value::<String>("region")?, rebuilt);
    }
    if args.apply || args.outputs_from_state {
        tell_orphans(settings, estate, rebuilt).await;
    }
    Ok(exit)
}

/// Tells in which regions things lie where other commands, and agents, don't look for them.
fn tell_regions(looked_in: &str, rebuilt: &[Rebuilt]) {
    for region in rebuilt.iter().map(|estate| &estate.scope.region).filter(|region| *region != looked_in) {
        tracing::warn!(
            "what is registered lies in {region}, and commands and agents look in {looked_in}: set HADRON_REGION={region} for \
             them, and --region {region} for the AWS CLI"
        );
    }
}

/// Tells which states hold resources and belong to nobody: what unmerged delete requests have left running. Without access
/// to the buckets that can't be known, and everything else goes on.
async fn tell_orphans(settings: &Resolved, estate: &Estate, rebuilt: &[Rebuilt]) {
    match state::orphans(settings, estate, rebuilt).await {
        Ok((orphans, troubles)) => {
            for state::Orphan { bucket, key, resources } in orphans {
                tracing::warn!("s3://{bucket}/{key} manages {resources} resources and belongs to nothing that lives");
            }
            for trouble in troubles {
                tracing::warn!("whether a state is left over can't be told: {trouble}");
            }
        }
        Err(failure) => tracing::warn!("whether states are left over can't be told: {}", failure.error),
    }
}

/// What became of everything.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Summary {
    /// What was counted; a service that is registered member by member is told of more than once.
    #[serde(skip)]
    counted: BTreeSet<String>,
    /// New here now.
    pub(in crate::cli) imported: usize,
    /// Here already, as the same.
    pub(in crate::cli) unchanged: usize,
    /// Left out, each with its reason.
    pub(in crate::cli) refused: Vec<Refused>,
    /// ARNs whose state was copied into the state server, or lies there already as the same.
    pub(in crate::cli) copied: Vec<String>,
}

/// Something that wasn't registered, or whose state wasn't copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Refused {
    pub(in crate::cli) arn: String,
    pub(in crate::cli) why: String,
}

impl Summary {
    /// The exit code: what was left out is to be looked at.
    pub(in crate::cli) fn exit(&self) -> Exit {
        if self.refused.is_empty() { Exit::Done } else { Exit::Unexpected }
    }

    /// The summary for people.
    pub(in crate::cli) fn text(&self) -> String {
        let mut lines = vec![format!("{} registered, {} unchanged", self.imported, self.unchanged)];
        if !self.copied.is_empty() {
            lines.push(format!("{} states copied into the state server", self.copied.len()));
        }
        for Refused { arn, why } in &self.refused {
            lines.push(format!("left out: {arn}: {why}"));
        }
        lines.join("\n") + "\n"
    }

    fn note(&mut self, results: Vec<ImportResult>) {
        for ImportResult { arn, outcome, message } in results {
            if !self.counted.insert(arn.clone()) {
                continue;
            }
            match outcome {
                ImportOutcome::Imported => self.imported += 1,
                ImportOutcome::Unchanged => self.unchanged += 1,
                ImportOutcome::Conflict => self.refuse(arn, message.unwrap_or_default()),
            }
        }
    }

    pub(super) fn refuse(&mut self, arn: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Refused { arn: arn.into(), why: why.into() });
    }
}

/// Registers everything of the key's account, region by region; `copy_state` brings the states into the state server.
///
/// # Errors
/// No server, no key, or nothing is of the key's account.
pub(in crate::cli) async fn run(
    settings: &Resolved,
    rebuilt: &[Rebuilt],
    copy_state: bool,
) -> Result<Summary, Failure> {
    let own = remote::hadron(settings)?.scope().await.map_err(remote::refused)?;
    let mut summary = Summary::default();
    if !rebuilt.is_empty() && rebuilt.iter().all(|estate| estate.scope.account != own.account) {
        return Err(of_another_account(&own.account, &rebuilt[0].scope.account));
    }
    for estate in rebuilt {
        if estate.scope.account != own.account {
            let why = of_another_account(&own.account, &estate.scope.account).words();
            for arn in arns(estate) {
                summary.refuse(arn, why.trim());
            }
            continue;
        }
        let client = remote::hadron_in(settings, &estate.scope.region)?;
        let requests = requests::of(estate).map_err(|error| Failure::new(Exit::InvalidBundle, error))?;
        for request in requests {
            register(&client, request, &mut summary).await?;
        }
        if copy_state {
            state::copy(settings, &client, estate, &mut summary).await?;
        }
    }
    Ok(summary)
}

/// Registers a request; one that is refused is taken apart, so that what is wrong with a thing keeps only that thing out.
async fn register(client: &Client, request: Request, summary: &mut Summary) -> Result<(), Failure> {
    let mut open = vec![request];
    while let Some(request) = open.pop() {
        let input: &ImportEstateInput = request.input();
        let answer: Result<ImportEstateOutput, HadronError> = client.call(Operation::ImportEstate, input).await;
        match answer {
            Ok(ImportEstateOutput { results }) => summary.note(results),
            Err(error) if is_refusal(&error) => match request.halves() {
                // The first half first, as what comes later may need it.
                Ok((first, second)) => open.extend([second, first]),
                Err(arns) => arns.into_iter().for_each(|arn| summary.refuse(arn, error.to_string())),
            },
            Err(error) => return Err(remote::refused(error)),
        }
    }
    Ok(())
}

fn is_refusal(error: &HadronError) -> bool {
    matches!(error.code(), Some("ValidationException" | "ConflictException" | "ResourceNotFoundException"))
}

fn of_another_account(own: &str, theirs: &str) -> Failure {
    let words = format!("it is of account {theirs}, and the key that this is signed with of {own}");
    Failure::new(Exit::Settings, anyhow::anyhow!(words)).hint(format!(
        "ARNs keep their account: register it in a control plane of that account, started first with HADRON_ACCOUNT={theirs} \
         and a data folder of its own, or with HADRON_ACCESS_KEY_ID and HADRON_SECRET_ACCESS_KEY of a key of that account"
    ))
}

fn arns(estate: &Rebuilt) -> Vec<&String> {
    let environments = estate.environments.iter().map(|it| &it.arn);
    environments
        .chain(estate.services.iter().map(|it| &it.arn))
        .chain(estate.components.iter().map(|it| &it.arn))
        .collect()
}
