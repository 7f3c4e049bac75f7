//! The command line: one file a verb. stdout is data, stderr is talk.

mod client;
mod failure;
mod keys;
mod settings;
mod supervise;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use failure::{Exit, Failure};

use crate::settings::{File, Resolved, SettingsError, Surroundings};

/// Proton after Proton: a Terraform provisioning agent and a Proton-compatible control plane
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct GlobalArgs {
    /// The settings file; ./hadron.toml by default, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the record, the objects and the agent's runs
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t = Form::Text)]
    output: Form,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one step of Terraform and write down how it ended; the agent starts this by itself
    #[command(hide = true)]
    Supervise(supervise::Args),
    #[command(flatten)]
    Verb(Verb),
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set up AWS clients on this machine
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Show every setting, its value and where it comes from
    Settings,
}

/// Runs the command that argv names.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // First of all: it must cost next to nothing, and needs neither settings nor a runtime.
    let verb = match arguments.command {
        Command::Supervise(args) => return supervise::run(&args),
        Command::Verb(verb) => verb,
    };
    match run(arguments.global, verb) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            // Nothing is left to tell when stderr is gone.
            drop(io::stderr().write_all(failure.words().as_bytes()));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(global: GlobalArgs, verb: Verb) -> Result<Exit, Failure> {
    let GlobalArgs { config, data, output } = global;
    let flags = [("data", data)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let settings = resolve(config.as_deref(), flags)?;
    match verb {
        Verb::Client(command) => client::run(&command, &settings)?,
        Verb::Settings => settings::run(&settings, output)?,
    }
    Ok(Exit::Done)
}

fn resolve(config: Option<&Path>, flags: BTreeMap<&'static str, String>) -> Result<Resolved, SettingsError> {
    let path = config.unwrap_or(Path::new("hadron.toml"));
    let file = match fs::read_to_string(path) {
        Ok(text) => File::parse(path, &text)?,
        Err(error) if config.is_none() && error.kind() == io::ErrorKind::NotFound => File::default(),
        Err(error) => return Err(SettingsError::File { path: path.to_owned(), message: error.to_string() }),
    };
    Ok(Resolved::new(flags, Surroundings::take(), file))
}
