//! `hadron runs`: who works on what, and whether it is still alive.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use hadron_model::hadron::{DescribeRunInput, DescribeRunOutput, ListRunsInput, Operation, Run, RunStatus};

use super::target::{Named, short};
use super::{Exit, Failure, Form, print, remote, show_run};
use crate::hadron::Client;
use crate::settings::Resolved;

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// One run in full, by its deployment's id
    #[arg(conflicts_with_all = ["environment", "target", "status"])]
    deployment: Option<String>,
    /// Only those of what lies in an environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Only those of a target: an ARN, environment/NAME, service/SERVICE/instance/NAME and so on
    #[arg(long)]
    target: Option<Named>,
    /// Only those that stand so
    #[arg(long, value_parser = status_parser())]
    status: Option<RunStatus>,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// What a run did to each resource, its problems and outputs, also while it goes on
    Show(show_run::ShowArgs),
}

/// Prints one run, or a table of them, newest first.
pub(super) async fn run(settings: &Resolved, args: RunsArgs, form: Form) -> Result<Exit, Failure> {
    if let Some(RunsCommand::Show(show)) = &args.command {
        return show_run::run(settings, show, form).await;
    }
    let client = remote::hadron(settings)?;
    match args.deployment {
        Some(deployment_id) => one(&client, deployment_id, form).await?,
        None => list(&client, args, form).await?,
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, args: RunsArgs, form: Form) -> Result<(), Failure> {
    let target_arn = match &args.target {
        Some(target) => Some(target.arn(client).await?),
        None => None,
    };
    let (environment_name, status) = (args.environment, args.status);
    let input = ListRunsInput { target_arn, environment_name, status, ..ListRunsInput::default() };
    let runs = client.pages(Operation::ListRuns, &input).await.map_err(remote::refused)?;
    print::list(form, &runs, ["DEPLOYMENT", "TARGET", "STATUS", "AGENT", "STARTED", "ENDED"], |run: &Run| {
        let (started, ended) = (print::maybe(run.started_at), print::maybe(run.ended_at));
        let agent = run.agent.clone().unwrap_or_default();
        [run.deployment_id.clone(), short(&run.target_arn), run.status.to_string(), agent, started, ended]
    })
}

async fn one(client: &Client, deployment_id: String, form: Form) -> Result<(), Failure> {
    let input = DescribeRunInput { deployment_id };
    let DescribeRunOutput { run } = client.call(Operation::DescribeRun, &input).await.map_err(remote::refused)?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let lines = [
        ("deployment", run.deployment_id.clone()),
        ("target", run.target_arn.clone()),
        ("status", run.status.to_string()),
        ("agent", text(&run.agent)),
        ("epoch", number(run.epoch)),
        ("started", print::maybe(run.started_at)),
        ("claimed", print::maybe(run.claimed_at)),
        ("lease until", print::maybe(run.lease_until)),
        ("ended", print::maybe(run.ended_at)),
        ("lock", run.lock.as_ref().map(|lock| lock.lock_id.clone()).unwrap_or_default()),
        ("plan", text(&run.plan_summary)),
        ("plan digest", text(&run.plan_digest)),
        ("decision", run.decision.map(|decision| decision.to_string()).unwrap_or_default()),
        ("decided by", text(&run.decided_by)),
        ("decided", print::maybe(run.decided_at)),
        ("comment", text(&run.decision_comment)),
        ("waits", run.queue.as_ref().map(|queue| queue.reason.clone()).unwrap_or_default()),
        ("message", text(&run.message)),
    ];
    print::one(form, &run, &lines)
}

fn status_parser() -> impl TypedValueParser<Value = RunStatus> {
    PossibleValuesParser::new(RunStatus::ALL.iter().map(|status| status.as_str())).map(|name| {
        let found = RunStatus::ALL.iter().find(|status| status.as_str() == name);
        *found.expect("only the statuses' names are possible")
    })
}
