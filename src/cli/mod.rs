//! The command line: one file a verb. stdout is data, stderr is talk.

mod adopt;
mod agent;
mod approve;
mod audit;
mod backup;
mod buckets;
mod bundle;
mod cancel;
mod client;
mod completions;
mod data_key;
mod demo;
mod doctor;
mod eject;
mod events;
mod executor;
mod failure;
mod github;
mod health;
mod host;
mod import;
mod key;
mod keys;
mod logs;
mod man;
mod migrate;
mod oneshot;
mod outside;
mod pid1;
mod policy;
mod print;
mod profile;
mod providers;
mod recorded;
#[cfg(test)]
mod reference;
mod remote;
mod report;
mod restore;
mod run;
mod run_records;
mod running;
mod runs;
mod serve;
mod settings;
mod show_run;
mod state;
mod states;
mod status;
mod supervise;
mod target;
mod tree;
mod trust;
mod up;
mod upgrade;
mod version;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use failure::{Exit, Failure};
use hadron_model::hadron::Decision;

use crate::settings::{File, Resolved, SettingsError, Surroundings};
use crate::support::proxy;
use crate::telemetry;
use crate::workbench::Format;

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
    #[arg(long, global = true, value_enum, default_value_t = OutputForm::Text)]
    output: OutputForm,
}

/// What `--output` takes: [`Form`], and for `hadron bundle` what code hosts read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputForm {
    Text,
    Json,
    /// Code scanning; of `hadron bundle` only
    #[value(hide = true)]
    Sarif,
    /// Annotations of a GitHub workflow; of `hadron bundle` only
    #[value(hide = true)]
    Github,
}

impl OutputForm {
    fn form(self) -> Result<Form, Failure> {
        match self {
            Self::Text => Ok(Form::Text),
            Self::Json => Ok(Form::Json),
            Self::Sarif | Self::Github => {
                let error = anyhow::anyhow!("only `hadron bundle` writes its output in this form");
                Err(Failure::new(Exit::Usage, error).hint("use --output text or --output json"))
            }
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Sarif => Format::Sarif,
            Self::Github => Format::Github,
        }
    }
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
    #[command(flatten)]
    Alone(Alone),
}

// What needs neither settings nor anybody else, and so works where those are broken. A docstring here would become the
// whole program's.
#[derive(Debug, Subcommand)]
enum Alone {
    /// Print a script that makes a shell complete these commands
    Completions(completions::CompletionsArgs),
    /// Write man pages
    Man(man::ManArgs),
    /// Say what this binary is, and what it was built from
    Version(version::VersionArgs),
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The whole story on this machine, offline, with real Terraform
    Demo(demo::DemoArgs),
    /// Proton on one machine: control plane, object store, state server and agent in one process
    Up(UpArgs),
    /// The control plane alone
    Serve(ServerArgs),
    /// The agent alone
    Agent(agent::AgentArgs),
    /// Plan or apply what Proton rendered into a repository, and tell Proton: the one step of a pipeline
    Run(run::RunArgs),
    /// Show everything there is and where it stands
    Status,
    /// Show what a deployment's Terraform said
    Logs(logs::LogsArgs),
    /// Say how things stand
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Move what is behind to the version that its template recommends
    Upgrade(upgrade::UpgradeArgs),
    /// Who changed what, who was refused, and whether the log is still whole
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The keys that the record is sealed under
    #[command(subcommand)]
    DataKey(data_key::DataKeyCommand),
    /// Show who works on what, and whether it is still alive
    Runs(runs::RunsArgs),
    /// Let a run apply the plan that it awaits approval of
    Approve(approve::DecisionArgs),
    /// End a run without applying the plan that it awaits approval of
    Reject(approve::DecisionArgs),
    /// Call off what is being deployed
    Cancel(cancel::CancelArgs),
    /// Look into Terraform's states, put one back, release a lock
    #[command(subcommand)]
    State(state::StateCommand),
    /// Make, list, rotate and revoke access keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Say who deploys what lies in an environment: agents, or a pipeline outside
    Executor(executor::ExecutorArgs),
    /// Bring the schema of the record up to date, or tell whether it is
    Migrate(migrate::MigrateArgs),
    /// Put the whole record into one file, while servers run
    Backup(backup::BackupArgs),
    /// Make a backup the record, of the same kind of database or of another
    Restore(restore::RestoreArgs),
    /// Bring back what AWS Proton left in Git: show it, and prove that it was understood
    Import(import::ImportArgs),
    /// Leave Hadron: every target as a plain Terraform root, with its state in a bucket
    Eject(eject::EjectArgs),
    /// Look at what was imported before anything is deployed to it, and lift its quarantine
    Adopt(adopt::AdoptArgs),
    /// Say what is missing on this machine and how to get it
    Doctor,
    /// Say whether the server and the agent here work; for health checks of containers
    Health(health::HealthArgs),
    /// Rewrite rules for our events; list and replay events that couldn't be delivered
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Set up AWS clients on this machine
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Check and show the policies that say who may do what
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The providers that this machine keeps for all runs
    #[command(subcommand)]
    Providers(providers::ProvidersCommand),
    /// An author's tools: start, check, render, plan, test, pack and register a template bundle
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Show every setting, its value and where it comes from
    Settings,
}

#[derive(Debug, Args)]
struct UpArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Only the control plane and its stores; agents work elsewhere
    #[arg(long)]
    no_agent: bool,
}

#[derive(Debug, Args)]
struct ServerArgs {
    /// Address and port to serve on; port 0 means any
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The record: sqlite:PATH, or postgres://… for several servers
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The bucket for bundles and run records: s3://NAME
    #[arg(long, value_name = "URL", conflicts_with = "objects")]
    bucket: Option<String>,
    /// Folder of the embedded object store
    #[arg(long, value_name = "DIR")]
    objects: Option<String>,
    /// Serve health, readiness and numbers alone on this address and port, too
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
}

#[derive(Debug, Args)]
struct TlsArgs {
    /// Serve TLS with this certificate and its chain (PEM)
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Serve other machines without TLS
    #[arg(long)]
    insecure_http: bool,
}

impl TlsArgs {
    fn flags(&self) -> [(&'static str, Option<String>); 3] {
        let insecure = self.insecure_http.then(|| "true".to_owned());
        [("tls.cert", self.tls_cert.clone()), ("tls.key", self.tls_key.clone()), ("insecure_http", insecure)]
    }
}

impl ServerArgs {
    fn flags(&self) -> [(&'static str, Option<String>); 5] {
        let Self { listen, database, bucket, objects, metrics_listen, tls: _ } = self;
        let metrics = ("metrics.listen", metrics_listen);
        [("listen", listen), ("database", database), ("bucket", bucket), ("objects", objects), metrics]
            .map(|(name, value)| (name, value.clone()))
    }
}

/// Runs the command that argv names.
pub fn main() -> ExitCode {
    // First of all: it must cost next to nothing, and needs neither settings nor a runtime.
    if let Some(exit) = supervise::asked_by_agent() {
        return exit;
    }
    let arguments = Arguments::parse();
    let verb = match arguments.command {
        Command::Supervise(args) => return supervise::run(&args),
        Command::Alone(alone) => return ended(run_alone(&alone, arguments.global.output)),
        Command::Verb(verb) => verb,
    };
    // The first process of a container only looks after the one that does the work.
    if matches!(verb, Verb::Agent(_) | Verb::Up(_) | Verb::Serve(_) | Verb::Demo(_))
        && let Some(exit) = pid1::stand_in()
    {
        return exit;
    }
    ended(run(arguments.global, verb))
}

/// Says what went wrong, if anything did.
fn ended(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            // Nothing is left to tell when stderr is gone.
            drop(io::stderr().write_all(failure.words().as_bytes()));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run_alone(alone: &Alone, output: OutputForm) -> Result<Exit, Failure> {
    match alone {
        Alone::Completions(args) => completions::run(args, output),
        Alone::Man(args) => man::run(args, output.form()?),
        Alone::Version(args) => version::run(args, output.form()?),
    }
}

fn run(global: GlobalArgs, verb: Verb) -> Result<Exit, Failure> {
    let GlobalArgs { config, data, output } = global;
    let mut flags = vec![("data", data)];
    if let Verb::Serve(server) | Verb::Up(UpArgs { server, .. }) = &verb {
        flags.extend(server.flags());
        flags.extend(server.tls.flags());
    }
    if let Verb::Agent(args) = &verb {
        flags.push(("agent.listen", args.listen.clone()));
    }
    if let Verb::Health(args) = &verb {
        flags.push(("listen", args.listen.clone()));
    }
    if let Verb::Migrate(args) = &verb {
        flags.push(("database", args.database.clone()));
    }
    if let Verb::Backup(backup::BackupArgs { database, .. }) | Verb::Restore(restore::RestoreArgs { database, .. }) =
        &verb
    {
        flags.push(("database", database.clone()));
    }
    let flags = flags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let settings = resolve(config.as_deref(), flags)?;
    // The two that show what is wrong with settings.
    if !matches!(verb, Verb::Settings | Verb::Doctor) {
        settings.check()?;
    }
    let settings = if let Verb::Demo(_) = verb { demo::in_own_folder(settings)? } else { settings };
    proxy::choose(settings.surroundings().0);
    let _telemetry = telemetry::start(&settings)?;
    if let Verb::Bundle(command) = &verb {
        return bundle::run(&settings, command, output);
    }
    let output = output.form()?;
    match verb {
        Verb::Bundle(_) => Ok(Exit::Done),
        Verb::Demo(args) => wait_for(demo::run(&settings, &args, output)),
        Verb::Up(args) => {
            let with_agent = if args.no_agent { up::WithAgent::No } else { up::WithAgent::Yes };
            wait_for(up::run(&settings, with_agent, output))
        }
        Verb::Serve(_) => wait_for(serve::run(&settings, output)),
        Verb::Agent(args) => wait_for(agent::run(&settings, &args, output)),
        Verb::Run(args) => wait_for(run::run(&settings, &args, output)),
        Verb::Status => wait_for(status::run(&settings, output)),
        Verb::Logs(args) => wait_for(logs::run(&settings, &args, output)),
        Verb::Report(command) => wait_for(report::run(&settings, &command, output)),
        Verb::Upgrade(args) => wait_for(upgrade::run(&settings, &args, output)),
        Verb::Audit(command) => wait_for(audit::run(&settings, command, output)),
        Verb::DataKey(command) => wait_for(data_key::run(&settings, command, output)),
        Verb::Runs(args) => wait_for(runs::run(&settings, args, output)),
        Verb::Approve(args) => wait_for(approve::run(&settings, args, Decision::Approved, output)),
        Verb::Reject(args) => wait_for(approve::run(&settings, args, Decision::Rejected, output)),
        Verb::Cancel(args) => wait_for(cancel::run(&settings, args, output)),
        Verb::State(command) => wait_for(state::run(&settings, command, output)),
        Verb::Key(command) => wait_for(key::run(&settings, command, output)),
        Verb::Executor(args) => wait_for(executor::run(&settings, args, output)),
        Verb::Migrate(args) => migrate::run(&settings, &args, output),
        Verb::Backup(args) => backup::run(&settings, &args, output),
        Verb::Restore(args) => restore::run(&settings, &args, output),
        Verb::Import(args) => wait_for(import::run(&settings, &args, output)),
        Verb::Eject(args) => wait_for(eject::run(&settings, &args, output)),
        Verb::Adopt(args) => wait_for(adopt::run(&settings, args, output)),
        Verb::Doctor => doctor::run(&settings, output),
        Verb::Health(args) => wait_for(health::run(&settings, &args, output)),
        Verb::Events(command) => wait_for(events::run(command, &settings, output)),
        Verb::Client(command) => client::run(&command, &settings, output).map(|()| Exit::Done),
        Verb::Policy(command) => policy::run(&command, &settings, output).map(|()| Exit::Done),
        Verb::Providers(command) => providers::run(&settings, &command, output),
        Verb::Settings => settings::run(&settings, output).map(|()| Exit::Done),
    }
}

/// Runs a command that waits for others; the rest needs no runtime.
fn wait_for(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(command)
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
