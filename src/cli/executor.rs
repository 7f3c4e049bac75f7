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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    /// Hadron's agents
    Agent,
    /// A pipeline outside, which notifies
    Ci,
}

/// Sets the executor.
pub(super) async fn run(settings: &Resolved, args: ExecutorArgs, form: Form) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    let executor = match args.executor {
        Who::Agent => Executor::Agent,
        Who::Ci => Executor::Ci,
    };
    let input = SetExecutorInput { environment_name: args.environment, executor };
    let set: SetExecutorOutput = client.call(Operation::SetExecutor, &input).await.map_err(remote::refused)?;
    match form {
        Form::Json => print::json(&set)?,
        Form::Text => writeln!(io::stderr(), "environment {} is deployed by {}", set.environment_name, set.executor)?,
    }
    Ok(Exit::Done)
}
