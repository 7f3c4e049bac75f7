//! `hadron state`: Terraform's states as the server keeps them, and how to put one right.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use hadron_model::hadron::{
    AdoptResourcesInput, AdoptResourcesOutput, Adoption, DescribeStateInput, DescribeStateOutput, GetStateVersionInput,
    GetStateVersionOutput, ListStateVersionsInput, ListStatesInput, Operation, PushStateInput, PushStateOutput,
    ReleaseLockInput, ReleaseLockOutput, State, StateBlock, StateLock, StateVersion, Suspect, UnblockStateInput,
    UnblockStateOutput,
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
        /// One that a run has parked, since it couldn't push it
        #[arg(long)]
        parked: bool,
    },
    /// Make a file, or the state that a run has parked, the target's current state
    Push {
        /// See `show`
        target: Named,
        /// The file; - for stdin
        #[arg(required_unless_present = "parked")]
        file: Option<PathBuf>,
        /// Even if it doesn't continue the history: another lineage, or a serial that isn't higher
        #[arg(long)]
        force: bool,
        /// The newest state that a run has parked, by force; this unblocks the target
        #[arg(long, conflicts_with_all = ["file", "force"])]
        parked: bool,
        /// With --parked: of the suspects whose ids aren't known none exists
        #[arg(long, requires = "parked")]
        none: bool,
    },
    /// Name resources that exist and aren't in the state, so that the next run brings them in
    Adopt {
        /// See `show`
        target: Named,
        /// A resource's address in the configuration, and its id as `terraform import` takes it
        #[arg(value_name = "ADDRESS=ID", value_parser = adoption, required_unless_present = "none")]
        resources: Vec<Adoption>,
        /// None of the other suspects exists
        #[arg(long)]
        none: bool,
    },
    /// Release the lock of a run that is over
    Unlock {
        /// See `show`
        target: Named,
        /// The lock's id, as `hadron state show` tells it
        lock_id: String,
    },
    /// Let a blocked state be used again as it is here: what is parked is dropped
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
        StateCommand::Pull { target, serial, parked } => pull(&client, &target, serial, parked).await?,
        StateCommand::Push { target, file: Some(file), force, .. } => {
            push(&client, &target, &file, force, form).await?;
        }
        StateCommand::Push { target, none, .. } => push_parked(&client, &target, none, form).await?,
        StateCommand::Adopt { target, resources, none } => adopt(&client, &target, resources, none, form).await?,
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
        ("released", of(|lock| print::maybe(lock.released_at))),
    ];
    // Where the control plane doesn't keep it.
    let elsewhere = state.at.iter().map(|at| ("lies at", format!("s3://{}/{}", at.bucket, at.key)));
    let more = elsewhere.chain(state.blocked.iter().flat_map(blocked)).chain(owed(state));
    print::one(form, state, &lines.into_iter().chain(more).collect::<Vec<_>>())
}

/// What a block says: why, what is in question, and the commands that lift it, each on a line of its own.
fn blocked(block: &StateBlock) -> Vec<(&'static str, String)> {
    let mut lines = vec![("blocked", block.reason.clone()), ("blocked since", print::moment(block.since))];
    if let (Some(deployment), Some(epoch)) = (&block.deployment_id, block.epoch) {
        let agent = block.agent.as_deref().unwrap_or_default();
        lines.push(("blocked by", format!("run {deployment}.{epoch} of agent {agent}")));
    }
    let suspect = |it: &Suspect| {
        let id = it.id.as_ref().map_or_else(|| "id unknown".to_owned(), |id| format!("id {id}"));
        ("suspect", format!("{} ({}), {id}: {}", it.address, it.resource_type, it.why))
    };
    lines.extend(block.suspects.iter().flatten().map(suspect));
    lines.extend(block.parked.iter().flatten().map(|it| {
        let (serial, size, run) = (it.serial, it.size, format!("{}.{}", it.deployment_id, it.epoch));
        ("parked", format!("serial {serial}, {size} bytes, of run {run}, {}", print::moment(it.parked_at)))
    }));
    lines.extend(block.commands.iter().map(|command| ("way out", command.clone())));
    lines
}

/// What the next run must see to.
fn owed(state: &State) -> Vec<(&'static str, String)> {
    let adoptions = state.adoptions.iter().flatten().map(|it| ("to adopt", format!("{} = {}", it.address, it.id)));
    adoptions.chain(state.unsettled_runs.iter().flatten().map(|run| ("unsettled", run.clone()))).collect()
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

async fn pull(client: &Client, target: &Named, serial: Option<i64>, parked: bool) -> Result<(), Failure> {
    let parked = parked.then_some(true);
    let input = GetStateVersionInput { target_arn: target.arn(client).await?, serial, parked };
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
    let (target_arn, force) = (target.arn(client).await?, force.then_some(true));
    let input = PushStateInput { target_arn, body: Some(body), force, parked: None, none: None, moves: None };
    pushed(client, target, &input, form).await
}

async fn push_parked(client: &Client, target: &Named, none: bool, form: Form) -> Result<(), Failure> {
    let (target_arn, none) = (target.arn(client).await?, none.then_some(true));
    let input = PushStateInput { target_arn, body: None, force: None, parked: Some(true), none, moves: None };
    pushed(client, target, &input, form).await
}

async fn pushed(client: &Client, target: &Named, input: &PushStateInput, form: Form) -> Result<(), Failure> {
    let PushStateOutput { state } = client.call(Operation::PushState, input).await.map_err(at_risk)?;
    writeln!(io::stderr(), "serial {} is the current state of {}", state.serial, target.target)?;
    still_blocked(&state)?;
    shown(&state, form)
}

async fn adopt(
    client: &Client,
    target: &Named,
    resources: Vec<Adoption>,
    none: bool,
    form: Form,
) -> Result<(), Failure> {
    let adoptions = Some(resources).filter(|resources| !resources.is_empty());
    let input = AdoptResourcesInput { target_arn: target.arn(client).await?, adoptions, none: none.then_some(true) };
    let AdoptResourcesOutput { state } =
        client.call(Operation::AdoptResources, &input).await.map_err(remote::refused)?;
    still_blocked(&state)?;
    shown(&state, form)
}

/// Says it when something is left to be decided.
fn still_blocked(state: &State) -> io::Result<()> {
    let Some(block) = &state.blocked else { return Ok(()) };
    let command = block.commands.first().map(String::as_str).unwrap_or_default();
    writeln!(io::stderr(), "the state is still blocked: {command}")
}

/// Reads `ADDRESS=ID`. Both may hold `=`: the address in the quotes of its index, the id anywhere.
fn adoption(text: &str) -> Result<Adoption, String> {
    let mut quoted = false;
    let split = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '=' && !quoted
    });
    match split.map(|(at, _)| (&text[..at], &text[at + 1..])) {
        Some((address, id)) if !address.is_empty() && !id.is_empty() => {
            Ok(Adoption { address: address.into(), id: id.into() })
        }
        _ => Err("write ADDRESS=ID, such as aws_sqs_queue.q=https://…".into()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adoption_is_split_behind_its_address() {
        for (text, address, id) in [
            ("aws_sqs_queue.q=https://q?a=b", "aws_sqs_queue.q", "https://q?a=b"),
            (r#"module.m["a=b"].t.x["c=d"]=i"#, r#"module.m["a=b"].t.x["c=d"]"#, "i"),
        ] {
            assert_eq!(adoption(text), Ok(Adoption { address: address.into(), id: id.into() }));
        }
        for text in ["", "t.x", "=i", "t.x=", r#"t.x["a=b"]"#] {
            assert!(adoption(text).is_err(), "{text}");
        }
    }
}
