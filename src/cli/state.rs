//! `hadron state`: Terraform's states as the server keeps them, and how to put one right.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use hadron_model::hadron::{
    DescribeStateInput, DescribeStateOutput, GetStateVersionInput, GetStateVersionOutput, ListStateVersionsInput,
    ListStatesInput, Operation, PushStateInput, PushStateOutput, ReleaseLockInput, ReleaseLockOutput, State, StateLock,
    StateVersion, UnblockStateInput, UnblockStateOutput,
};

use super::target::{Named, short};
use super::{Exit, Failure, Form, print, remote};
use crate::hadron::{Client, HadronError};
use crate::settings::Resolved;

/// Look into Terraform's states, put one back, release a lock
#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// List all states, with who holds their locks
    List {
        /// Only those that are locked
        #[arg(long)]
        locked: bool,
    },
    /// Show a target's state and its lock
    Show {
        /// An ARN, environment/NAME, service/SERVICE/instance/NAME, service/SERVICE/pipeline or component/NAME
        target: Named,
    },
    /// List every version of a target's state, newest first
    Versions {
        /// See `show`
        target: Named,
    },
    /// Print a target's state as Terraform wrote it
    Pull {
        /// See `show`
        target: Named,
        /// The last version that had this serial; the current one by default
        #[arg(long, value_name = "N")]
        serial: Option<i64>,
    },
    /// Make a file the target's current state
    Push {
        /// See `show`
        target: Named,
        /// The file; - for stdin
        file: PathBuf,
        /// Even if it doesn't continue the history: another lineage, or a serial that isn't higher
        #[arg(long)]
        force: bool,
    },
    /// Release the lock of a run that is over
    Unlock {
        /// See `show`
        target: Named,
        /// The lock's id, as `hadron state show` tells it
        lock_id: String,
    },
    /// Let a state be locked and written again that a restore has blocked
    Unblock {
        /// See `show`
        target: Named,
        /// The serial of the newest version here, which you have compared with what is deployed
        #[arg(long, value_name = "N")]
        serial: i64,
    },
}

pub(super) async fn run(settings: &Resolved, command: StateCommand, form: Form) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    match command {
        StateCommand::List { locked } => list(&client, locked, form).await?,
        StateCommand::Show { target } => show(&client, &target, form).await?,
        StateCommand::Versions { target } => versions(&client, &target, form).await?,
        StateCommand::Pull { target, serial } => pull(&client, &target, serial).await?,
        StateCommand::Push { target, file, force } => push(&client, &target, &file, force, form).await?,
        StateCommand::Unlock { target, lock_id } => unlock(&client, &target, lock_id, form).await?,
        StateCommand::Unblock { target, serial } => unblock(&client, &target, serial, form).await?,
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, locked: bool, form: Form) -> Result<(), Failure> {
    let input = ListStatesInput { locked: locked.then_some(true), ..ListStatesInput::default() };
    let states = client.pages(Operation::ListStates, &input).await.map_err(remote::refused)?;
    print::list(form, &states, ["TARGET", "SERIAL", "WRITTEN", "LOCK", "HELD BY"], |state: &State| {
        let lock = state.lock.as_ref();
        let (serial, written) = (state.serial.to_string(), print::maybe(state.written_at));
        let id = lock.map(|lock| lock.lock_id.clone()).unwrap_or_default();
        [short(&state.target_arn), serial, written, id, lock.map(holder).unwrap_or_default()]
    })
}

/// Who holds a lock, and whether that run is alive.
fn holder(lock: &StateLock) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let life = if lock.alive { "alive" } else { "dead" };
    format!("{} of {} ({life})", text(&lock.deployment_id), text(&lock.agent))
}

async fn show(client: &Client, target: &Named, form: Form) -> Result<(), Failure> {
    let input = DescribeStateInput { target_arn: target.arn(client).await? };
    let DescribeStateOutput { state } = client.call(Operation::DescribeState, &input).await.map_err(remote::refused)?;
    shown(&state, form)
}

fn shown(state: &State, form: Form) -> Result<(), Failure> {
    let lock = state.lock.as_ref();
    let of = |member: fn(&StateLock) -> String| lock.map(member).unwrap_or_default();
    let lines = [
        ("target", state.target_arn.clone()),
        ("lineage", state.lineage.clone()),
        ("serial", state.serial.to_string()),
        ("digest", state.digest.clone()),
        ("size", state.size.map(|size| size.to_string()).unwrap_or_default()),
        ("written", print::maybe(state.written_at)),
        ("lock", of(|lock| lock.lock_id.clone())),
        ("held by", of(holder)),
        ("held since", of(|lock| print::maybe(lock.since))),
        ("terraform", of(|lock| lock.operation.clone().unwrap_or_default())),
        ("blocked", state.blocked.as_ref().map(|block| block.reason.clone()).unwrap_or_default()),
    ];
    print::one(form, state, &lines)
}

async fn versions(client: &Client, target: &Named, form: Form) -> Result<(), Failure> {
    let target_arn = target.arn(client).await?;
    let input = ListStateVersionsInput { target_arn, max_results: None, next_token: None };
    let versions = client.pages(Operation::ListStateVersions, &input).await.map_err(remote::refused)?;
    print::list(form, &versions, ["SERIAL", "WRITTEN", "SIZE", "DEPLOYMENT", "BY", "LINEAGE"], |it: &StateVersion| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (serial, written, size) = (it.serial.to_string(), print::moment(it.written_at), it.size.to_string());
        [serial, written, size, text(&it.deployment_id), text(&it.written_by), it.lineage.clone()]
    })
}

async fn pull(client: &Client, target: &Named, serial: Option<i64>) -> Result<(), Failure> {
    let input = GetStateVersionInput { target_arn: target.arn(client).await?, serial };
    let found: GetStateVersionOutput =
        client.call(Operation::GetStateVersion, &input).await.map_err(remote::refused)?;
    print::text(&found.body)
}

async fn push(client: &Client, target: &Named, file: &PathBuf, force: bool, form: Form) -> Result<(), Failure> {
    let body = if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let body = body.with_context(|| format!("reading {}", file.display()))?;
    let input = PushStateInput { target_arn: target.arn(client).await?, body, force: force.then_some(true) };
    let PushStateOutput { state } = client.call(Operation::PushState, &input).await.map_err(at_risk)?;
    writeln!(io::stderr(), "serial {} is the current state of {}", state.serial, target.target)?;
    shown(&state, form)
}

async fn unlock(client: &Client, target: &Named, lock_id: String, form: Form) -> Result<(), Failure> {
    let input = ReleaseLockInput { target_arn: target.arn(client).await?, lock_id };
    let ReleaseLockOutput { state } = client.call(Operation::ReleaseLock, &input).await.map_err(at_risk)?;
    writeln!(io::stderr(), "the state of {} isn't locked any more", target.target)?;
    shown(&state, form)
}

/// What is refused here is refused because state could be lost.
fn at_risk(error: HadronError) -> Failure {
    let risk = error.is_conflict();
    let failure = remote::refused(error);
    if risk { Failure { exit: Exit::StateAtRisk, ..failure } } else { failure }
}

async fn unblock(client: &Client, target: &Named, serial: i64, form: Form) -> Result<(), Failure> {
    let input = UnblockStateInput { target_arn: target.arn(client).await?, serial };
    let UnblockStateOutput { state } = client.call(Operation::UnblockState, &input).await.map_err(at_risk)?;
    shown(&state, form)
}
