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
    let away = away(&run);
    match form {
        Form::Json => print::json(&run)?,
        Form::Text => {
            let (target, summary) = (short(&run.target_arn), run.plan_summary.unwrap_or_default());
            print::text(&format!("{}: {target}, {summary}\n", run.decision.unwrap_or(decision)))?;
        }
    }
    if let Some(words) = away {
        writeln!(io::stderr(), "{words}")?;
    }
    Ok(Exit::Done)
}

/// What keeps the decision from being carried out at once. A one-shot that didn't wait has gone long before people come to
/// its plan, and with its lease the run counts as lost.
fn away(run: &Run) -> Option<String> {
    let agent = run.agent.as_deref().unwrap_or_default();
    let gone = run.status == RunStatus::Lost;
    gone.then(|| format!("agent {agent}, which asked, is away: the decision is kept, and carried out when it is back"))
}

/// The plan that nobody has decided on yet. Whether the agent that asked is still there is no part of the question.
fn undecided(run: &Run) -> Option<String> {
    let open = matches!(run.status, RunStatus::AwaitingApproval | RunStatus::Lost) && run.decision.is_none();
    run.plan_digest.clone().filter(|_| open)
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
    let Some(digest) = undecided(&run) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(status: RunStatus, plan_digest: Option<&str>, decision: Option<Decision>) -> Run {
        Run {
            deployment_id: "d".into(),
            target_arn: "arn:aws:proton:us-east-1:123456789012:environment/dev".into(),
            status,
            agent: Some("one".into()),
            plan_digest: plan_digest.map(str::to_owned),
            decision,
            attempt: None,
            epoch: None,
            claimed_at: None,
            lease_until: None,
            started_at: None,
            ended_at: None,
            plan_summary: None,
            decided_by: None,
            decided_at: None,
            decision_comment: None,
            lock: None,
            queue: None,
            message: None,
        }
    }

    #[test]
    fn a_plan_can_be_decided_on_whether_its_agent_is_there_or_away() {
        for (status, away) in [(RunStatus::AwaitingApproval, false), (RunStatus::Lost, true)] {
            let asked = run(status, Some("abc"), None);
            assert_eq!(undecided(&asked).as_deref(), Some("abc"));
            assert_eq!(super::away(&asked).is_some_and(|words| words.contains("one, which asked, is away")), away);
        }
    }

    #[test]
    fn what_has_no_plan_or_is_decided_on_or_goes_on_is_no_question() {
        let lost = RunStatus::Lost;
        assert_eq!(undecided(&run(lost, None, None)), None);
        assert_eq!(undecided(&run(lost, Some("abc"), Some(Decision::Approved))), None);
        assert_eq!(undecided(&run(RunStatus::Running, Some("abc"), None)), None);
    }
}
