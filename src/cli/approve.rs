//! `hadron approve` and `hadron reject`: people decide on a plan before it is applied.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::anyhow;
use clap::Args;
use hadron_model::hadron::{
    ApproveRunInput, ApproveRunOutput, Decision, DescribeRunInput, DescribeRunOutput, Operation, RejectRunInput,
    RejectRunOutput, Run, RunStatus,
};

use super::target::short;
use super::{Exit, Failure, Form, print, remote};
use crate::hadron::Client;
use crate::settings::Resolved;

#[derive(Debug, Args)]
pub(super) struct DecisionArgs {
    /// The deployment's id; `hadron runs --status AWAITING_APPROVAL` lists them
    deployment: String,
    /// The digest of the plan that was read; without it, a terminal is asked
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Why, for whoever reads the run or the audit log
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// Sends the decision, on exactly the plan that was named or shown.
pub(super) async fn run(
    settings: &Resolved,
    args: DecisionArgs,
    decision: Decision,
    form: Form,
) -> Result<Exit, Failure> {
    let client = remote::hadron(settings)?;
    let DecisionArgs { deployment, plan, comment } = args;
    let plan = match plan {
        Some(plan) => plan,
        None => match confirmed(&client, &deployment, decision).await? {
            Some(plan) => plan,
            None => return Ok(Exit::Cancelled),
        },
    };
    let run = send(&client, deployment, plan, comment, decision).await?;
    match form {
        Form::Json => print::json(&run)?,
        Form::Text => {
            let (target, summary) = (short(&run.target_arn), run.plan_summary.unwrap_or_default());
            print::text(&format!("{}: {target}, {summary}\n", run.decision.unwrap_or(decision)))?;
        }
    }
    Ok(Exit::Done)
}

async fn send(
    client: &Client,
    deployment_id: String,
    plan_digest: String,
    comment: Option<String>,
    decision: Decision,
) -> Result<Run, Failure> {
    match decision {
        Decision::Approved => {
            let input = ApproveRunInput { deployment_id, plan_digest, comment };
            let answer = client.call::<_, ApproveRunOutput>(Operation::ApproveRun, &input).await;
            Ok(answer.map_err(remote::refused)?.run)
        }
        Decision::Rejected => {
            let input = RejectRunInput { deployment_id, plan_digest, comment };
            let answer = client.call::<_, RejectRunOutput>(Operation::RejectRun, &input).await;
            Ok(answer.map_err(remote::refused)?.run)
        }
    }
}

/// The digest of the present plan, if whoever sits at the terminal agrees; a script has to say which plan it means.
async fn confirmed(client: &Client, deployment: &str, decision: Decision) -> Result<Option<String>, Failure> {
    let input = DescribeRunInput { deployment_id: deployment.to_owned() };
    let DescribeRunOutput { run } = client.call(Operation::DescribeRun, &input).await.map_err(remote::refused)?;
    let Some(digest) = run.plan_digest.filter(|_| run.status == RunStatus::AwaitingApproval) else {
        return Err(anyhow!("deployment {deployment} isn't awaiting approval: it is {}", run.status).into());
    };
    let verb = verb(decision);
    let mut talk = io::stderr().lock();
    writeln!(talk, "{}: {}", short(&run.target_arn), run.plan_summary.unwrap_or_default())?;
    writeln!(talk, "plan {digest}; `hadron logs {deployment} --plan` shows it in full")?;
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Failure::new(Exit::Usage, anyhow!("without a terminal, --plan must say which plan you mean"))
            .hint(format!("hadron {verb} {deployment} --plan {digest}")));
    }
    write!(talk, "{verb} this plan? Only `yes` counts: ")?;
    talk.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok((answer.trim() == "yes").then_some(digest))
}

fn verb(decision: Decision) -> &'static str {
    match decision {
        Decision::Approved => "approve",
        Decision::Rejected => "reject",
    }
}
