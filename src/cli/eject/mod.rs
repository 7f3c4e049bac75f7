//! `hadron eject`: every target as a plain Terraform root, with its state in a bucket, so that nobody needs Hadron.

mod material;
mod state;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use hadron_model::hadron::{ListQuarantinedInput, Operation, QuarantinedTarget};
use serde::Serialize;

use super::agent::environments;
use super::remote::{Remote, refused};
use super::{Exit, Failure, Form, print};
use crate::agent::EnvironmentConfig;
use crate::domain::Files;
use crate::eject::{RootLine, StatePlace, backend, folder, handover};
use crate::settings::Resolved;
use crate::support::files;
use state::{Found, States};
use targets::Ejected;

#[derive(Debug, Args)]
pub(super) struct EjectArgs {
    /// The folder that the roots are written to; what is there already must be the same
    dir: PathBuf,
    /// Where the states go: s3://BUCKET or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL", required_unless_present = "local_state")]
    state: Option<String>,
    /// The bucket's region; by default `state.region`
    #[arg(long, value_name = "REGION", requires = "state")]
    state_region: Option<String>,
    /// The bucket's endpoint, if not AWS; by default `state.endpoint`
    #[arg(long, value_name = "URL", requires = "state")]
    state_endpoint: Option<String>,
    /// Write each state beside its root instead
    #[arg(long, conflicts_with = "state")]
    local_state: bool,
    /// Let Hadron go on deploying: a rehearsal, whose states will be behind
    #[arg(long)]
    rehearse: bool,
}

/// A root, ready to be written.
struct Root {
    ejected: Ejected,
    folder: String,
    files: Files,
    state: Found,
    secret: Vec<String>,
}

/// What became of a target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    target: String,
    folder: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<i64>,
    /// Files that aren't to be committed.
    secret: Vec<String>,
}

/// Reads everything, then writes the roots, then moves the states; what fails before the last changes nothing in Hadron.
pub(super) async fn run(settings: &Resolved, args: &EjectArgs, form: Form) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    let states = States::new(settings, args)?;
    let all = targets::all(&remote).await?;
    if all.is_empty() {
        return Err(Failure::new(Exit::Usage, anyhow!("there is nothing in this account and region to eject")));
    }
    targets::must_be_at_rest(&all)?;
    let roots = roots(settings, &remote, &states, all).await?;
    states.bucket_must_be_there().await?;
    write(&args.dir, &roots, &states)?;
    for root in &roots {
        if !args.rehearse {
            state::close(&remote, root, &states).await?;
        }
        states.keep(root, &args.dir).await?;
    }
    let exit = tell(&roots, &states, form)?;
    let foreign: Vec<QuarantinedTarget> =
        remote.hadron.pages(Operation::ListQuarantined, &ListQuarantinedInput::default()).await.map_err(refused)?;
    if !foreign.is_empty() {
        let count = foreign.len();
        writeln!(io::stderr(), "{count} of them were imported and never adopted: plan each before you apply it")?;
    }
    Ok(exit)
}

async fn roots(
    settings: &Resolved,
    remote: &Remote,
    states: &States<'_>,
    all: Vec<Ejected>,
) -> Result<Vec<Root>, Failure> {
    let mut found = BTreeMap::new();
    for ejected in &all {
        found.insert(ejected.target.clone(), states.find(remote, ejected).await?);
    }
    let sites = environments(settings)?;
    let mut roots = Vec::new();
    for ejected in all {
        let mut files =
            material::of(&EnvironmentConfig::of(&sites, &ejected.environment), remote, &ejected, &found).await?;
        let secret = files.keys().filter(|path| *path == material::SECRETS).cloned().collect();
        let folder = folder(&ejected.target);
        let state = found.get(&ejected.target).cloned().unwrap_or(Found::None);
        files.extend([backend(&states.place(&folder, &state))]);
        roots.push(Root { ejected, folder, files, state, secret });
    }
    Ok(roots)
}

/// Writes the roots and what lies beside them. A file that is there with other content is nobody's to overwrite.
fn write(dir: &Path, roots: &[Root], states: &States<'_>) -> Result<(), Failure> {
    let lines: Vec<RootLine> = roots.iter().map(|root| line(root, states)).collect();
    let mut all: Vec<(PathBuf, &[u8])> = Vec::new();
    let beside = handover(&lines);
    all.extend(beside.iter().map(|(path, bytes)| (dir.join(path), &**bytes)));
    for root in roots {
        all.extend(root.files.iter().map(|(path, bytes)| (dir.join(&root.folder).join(path), bytes.as_slice())));
    }
    let differs = |(path, bytes): &&(PathBuf, &[u8])| fs::read(path).is_ok_and(|there| there != *bytes);
    if let Some((path, _)) = all.iter().find(differs) {
        return Err(Failure::new(Exit::Usage, anyhow!("{} is there with other content", path.display()))
            .hint("name a new folder, or take that file away"));
    }
    for (path, bytes) in all {
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        // Only its owner may read what it makes, which secrets need and Git doesn't mind.
        files::write_atomically(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn line(root: &Root, states: &States<'_>) -> RootLine {
    RootLine {
        folder: root.folder.clone(),
        arn: root.ejected.arn.clone(),
        state: words(root, states),
        secret: root.secret.clone(),
    }
}

fn words(root: &Root, states: &States<'_>) -> String {
    match (states.place(&root.folder, &root.state), &root.state) {
        (_, Found::None) => "none yet".to_owned(),
        (StatePlace::S3 { bucket, key, .. }, _) => format!("s3://{bucket}/{key}"),
        (StatePlace::Beside, _) => "terraform.tfstate".to_owned(),
    }
}

fn tell(roots: &[Root], states: &States<'_>, form: Form) -> Result<Exit, Failure> {
    let outcomes: Vec<Outcome> = roots
        .iter()
        .map(|root| Outcome {
            target: root.ejected.target.resource(),
            folder: root.folder.clone(),
            state: words(root, states),
            serial: root.state.serial(),
            secret: root.secret.clone(),
        })
        .collect();
    print::list(form, &outcomes, ["TARGET", "ROOT", "STATE", "SERIAL"], |it: &Outcome| {
        let serial = it.serial.map(|serial| serial.to_string()).unwrap_or_default();
        [it.target.clone(), it.folder.clone(), it.state.clone(), serial]
    })?;
    for root in roots.iter().filter(|root| !root.secret.is_empty()) {
        writeln!(io::stderr(), "{}/{} holds secrets; .gitignore names it", root.folder, root.secret.join(", "))?;
    }
    Ok(Exit::Done)
}
