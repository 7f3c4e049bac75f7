//! `hadron executor`: who deploys what lies in an environment.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use hadron_model::hadron::{Executor, Operation, SetExecutorInput, SetExecutorOutput};

use super::{Exit, Failure, Form, print, remote};
use crate::settings::Resolved;

#[derive(Debug, Args)]
pub(super) struct ExecutorArgs {
    /// The environment's name
    environment: String,
    /// Who deploys from now on
    executor: Who,
    /// The repository that rendered directories are published to, as Git clones it
    #[arg(long, value_name = "URL", required_if_eq("executor", "pull-request"))]
    repository: Option<String>,
    /// The branch that the requests are for; `main` by default
    #[arg(long, value_name = "BRANCH", requires = "repository")]
    branch: Option<String>,
    /// The environment doesn't exist yet: keep this until it is created, so that its first deployment goes this way
    #[arg(long)]
    ahead: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    /// Hadron's agents
    Agent,
    /// A pipeline outside, which notifies
    Ci,
    /// An agent publishes what it rendered as a request to a repository, where a pipeline applies and notifies
    PullRequest,
}

/// Sets the executor.
pub(super) async fn run(settings: &Resolved, args: ExecutorArgs, form: Form) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    let executor = match args.executor {
        Who::Agent => Executor::Agent,
        Who::Ci => Executor::Ci,
        Who::PullRequest => Executor::PullRequest,
    };
    let ExecutorArgs { environment: environment_name, repository, branch, ahead, .. } = args;
    let input = SetExecutorInput { environment_name, executor, repository, branch, ahead: Some(ahead) };
    let set: SetExecutorOutput = client.call(Operation::SetExecutor, &input).await.map_err(remote::refused)?;
    match form {
        Form::Json => print::json(&set)?,
        Form::Text => writeln!(io::stderr(), "environment {} is deployed by {}", set.environment_name, set.executor)?,
    }
    Ok(Exit::Done)
}
