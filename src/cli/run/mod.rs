//! `hadron run`: the one step of a pipeline over a provisioning repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::agent::{self, Access};
use super::serve::data_folder;
use super::{Exit, Failure, Form, trust};
use crate::lifecycle::Lifecycle;
use crate::runner::{Changed, Choices, Directory, Identities, Intent, Pipeline, Runner, Since, changed, in_order};
use crate::settings::Resolved;
use crate::support::{AwsAccess, Secret};

mod told;

/// How long Terraform waits for a state that somebody else has locked.
const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Directories that Proton rendered; without any, all that the commit changes
    #[arg(value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// All directories whose metadata the commit changes, in the order in which they rest on each other
    #[arg(long, conflicts_with = "directories")]
    changed: bool,
    /// Where the change begins: a commit, or a branch that this one left; by default what the pipeline says
    #[arg(long, value_name = "REV", conflicts_with = "directories")]
    base: Option<String>,
    /// Show what would be done; nothing is changed and nobody is told
    #[arg(long, conflicts_with = "apply")]
    plan: bool,
    /// Do it, and tell Proton
    #[arg(long)]
    apply: bool,
}

/// Plans or applies, as the pipeline or the arguments say.
pub(super) async fn run(settings: &Resolved, args: &RunArgs, form: Form) -> Result<Exit, Failure> {
    let (environment, _) = settings.surroundings();
    let pipeline = Pipeline::of(environment, settings.text("run.branch").as_deref());
    let (intent, because) = match (args.plan, args.apply) {
        (true, _) => (Intent::Plan, "--plan"),
        (_, true) => (Intent::Apply, "--apply"),
        _ => (pipeline.intent, pipeline.because.as_str()),
    };
    let word = if intent == Intent::Plan { "planning" } else { "applying" };
    told::say(&format!("{word}: {because}"));
    let directories = directories(args, &pipeline)?;
    let lifecycle = Lifecycle::listen()?;
    let runner = runner(settings, pipeline.link.clone())?;
    let on_github = environment.get("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let mut screen = told::Screen::new(on_github);
    let outcomes = tokio::select! {
        outcomes = runner.run(intent, &directories, &lifecycle.soft, &mut screen) => outcomes,
        // The second signal: nobody waits any longer, and Terraform ends under its supervisor as long as the machine lives.
        () = lifecycle.hard.cancelled() => return Ok(Exit::Cancelled),
    };
    told::tell(environment, intent, &outcomes, form)
}

/// What is to be done, in order.
fn directories(args: &RunArgs, pipeline: &Pipeline) -> Result<Vec<Directory>, Failure> {
    let folders = if args.directories.is_empty() { of_the_change(args, pipeline)? } else { args.directories.clone() };
    let read = |folder: &PathBuf| Directory::read(folder);
    let directories: Result<Vec<_>, _> = folders.iter().map(read).collect();
    Ok(in_order(directories.map_err(|error| Failure::new(Exit::InvalidBundle, error))?))
}

/// The directories that the change means.
fn of_the_change(args: &RunArgs, pipeline: &Pipeline) -> Result<Vec<PathBuf>, Failure> {
    let since = match &args.base {
        Some(base) => Since::Branch(base.clone()),
        None => pipeline.since.clone(),
    };
    let Changed { folders, removed } = changed(Path::new("."), &since).map_err(|error| {
        Failure::new(Exit::Usage, error).hint("name the directories to run, or a commit with --base")
    })?;
    for path in removed {
        told::say(&format!("{path} is gone from the repository: nothing to do for it"));
    }
    Ok(folders)
}

fn runner(settings: &Resolved, link: Option<String>) -> Result<Runner, Failure> {
    let access = Access::of(settings)?;
    let (process, _) = settings.surroundings();
    let keys: Vec<String> = access.credentials.iter().map(|(id, _)| id.clone()).collect();
    let child_env = agent::terraform_environment(settings, &access, &keys)?;
    let data = data_folder(settings)?;
    let variable = |name: &str| process.get(name).filter(|value| !value.is_empty());
    let github = variable("ACTIONS_ID_TOKEN_REQUEST_URL").zip(variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    let identities = Identities {
        token: settings.text("run.oidc_token").map(Secret::new),
        token_file: variable("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from),
        github: github.map(|(address, token)| (address.clone(), Secret::new(token))),
        sts_endpoint: settings.text("run.sts_endpoint"),
    };
    let Access { endpoint, credentials, .. } = access;
    Ok(Runner {
        terraform: agent::find_terraform(settings)?,
        supervisor: std::env::current_exe()?,
        runs: data.join("pipeline"),
        child_env,
        choices: choices(settings),
        state_endpoint: settings.text("state.endpoint"),
        providers: agent::provider_store(settings)?,
        lock_timeout: LOCK_TIMEOUT,
        proton: endpoint.map(|endpoint| AwsAccess {
            endpoint: Some(endpoint),
            region: None,
            credentials,
            trust: access.trust.clone(),
        }),
        identities,
        trust: trust::of(settings)?,
        link,
    })
}

/// What the settings say of each environment, and of all others.
fn choices(settings: &Resolved) -> BTreeMap<String, Choices> {
    let bucket = settings.text("state.bucket");
    let choices = |site: &crate::settings::Environment| Choices {
        region: site.region.clone(),
        role: site.role.clone(),
        state_bucket: site.state_bucket.clone().or_else(|| bucket.clone()),
        state_region: settings.text("state.region"),
        lock_table: site.lock_table.clone(),
        overlay: site.overlay.clone(),
        variables: site.variables.clone(),
    };
    let mut all: BTreeMap<_, _> =
        settings.environments().iter().map(|(name, site)| (name.clone(), choices(site))).collect();
    all.entry("*".to_owned()).or_insert_with(|| choices(&crate::settings::Environment::default()));
    all
}
