//! What a one-shot agent tells at its end: a line or a JSON document for each deployment, and what GitHub shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Exit, Failure, Form, github, print};
use crate::agent::Outcome;
use crate::domain::Verdict;

/// Prints the end, and gives the exit code of the worst.
pub(super) fn tell(
    worst: Verdict,
    outcomes: &[Outcome],
    environment: &BTreeMap<String, String>,
    form: Form,
) -> Result<Exit, Failure> {
    github::tell(environment, outcomes);
    match form {
        Form::Json => print::json(&summary(worst, outcomes))?,
        Form::Text => print::text(&lines(outcomes))?,
    }
    Ok(worst.into())
}

fn summary(worst: Verdict, outcomes: &[Outcome]) -> Value {
    json!({
        "verdict": worst.name(),
        "exitCode": worst.exit_code(),
        "deployments": outcomes.iter().map(one).collect::<Vec<_>>(),
    })
}

fn one(outcome: &Outcome) -> Value {
    json!({
        "deploymentId": outcome.deployment_id,
        "target": outcome.target,
        "targetArn": outcome.target_arn,
        "attempt": outcome.attempt,
        "verdict": outcome.verdict.name(),
        "exitCode": outcome.verdict.exit_code(),
        "changes": outcome.changes.map(|it| json!({ "add": it.add, "change": it.change, "destroy": it.remove })),
        "outputs": outcome.outputs,
        "message": outcome.message,
        "runDirectory": outcome.run_dir.as_ref().map(|path| path.display().to_string()),
    })
}

fn lines(outcomes: &[Outcome]) -> String {
    if outcomes.is_empty() {
        return "nothing to do: no deployment is pending\n".to_owned();
    }
    let mut text = String::new();
    for outcome in outcomes {
        let Outcome { target, deployment_id, .. } = outcome;
        write!(text, "{target}: {}", words(outcome)).expect("text takes text");
        writeln!(text, " (deployment {deployment_id})").expect("text takes text");
        if outcome.verdict == Verdict::AwaitingApproval {
            writeln!(text, "  hadron approve {deployment_id}, then run this again with the same data folder")
                .expect("text takes text");
        }
    }
    text
}

/// The end in a few words.
pub(super) fn words(outcome: &Outcome) -> String {
    let verdict = outcome.verdict.words();
    match outcome.changes {
        Some(it) => format!("{verdict}, {} added, {} changed, {} destroyed", it.add, it.change, it.remove),
        None => verdict,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Finding;
    use crate::terraform::Changes;

    pub(in crate::cli) fn outcomes() -> [Outcome; 3] {
        let done = Outcome {
            deployment_id: "d-1".into(),
            target: "environment dev".into(),
            target_arn: "arn:aws:proton:us-east-1:123456789012:environment/dev".into(),
            attempt: 1,
            verdict: Verdict::Done,
            changes: Some(Changes { add: 2, change: 1, remove: 0 }),
            outputs: vec!["vpc".into()],
            message: None,
            run_dir: Some("/data/runs/d-1/1".into()),
            findings: Vec::new(),
        };
        let finding = Finding {
            warning: false,
            file: Some("main.tf".into()),
            line: Some(15),
            summary: "creating EC2 VPC: VpcLimitExceeded".into(),
            detail: "100% of the quota\nis used".into(),
        };
        let failed = Outcome {
            deployment_id: "d-2".into(),
            target: "environment prod".into(),
            verdict: Verdict::ApplyFailed,
            changes: None,
            outputs: Vec::new(),
            message: Some("terraform apply ended with exit code 1\n```quoted```".into()),
            findings: vec![finding],
            ..done.clone()
        };
        let waiting =
            Outcome { deployment_id: "d-3".into(), verdict: Verdict::AwaitingApproval, changes: None, ..done.clone() };
        [done, failed, waiting]
    }

    #[test]
    fn nothing_to_do_is_said() {
        assert_eq!(lines(&[]), "nothing to do: no deployment is pending\n");
        assert_eq!(summary(Verdict::Done, &[]), json!({ "verdict": "done", "exitCode": 0, "deployments": [] }));
    }

    #[test]
    fn each_deployment_has_a_line() {
        insta::assert_snapshot!(lines(&outcomes()), @"
        environment dev: done, 2 added, 1 changed, 0 destroyed (deployment d-1)
        environment prod: apply failed (deployment d-2)
        environment dev: awaiting approval (deployment d-3)
          hadron approve d-3, then run this again with the same data folder
        ");
    }

    #[test]
    fn scripts_read_the_same_as_json() {
        let summary = summary(Verdict::ApplyFailed, &outcomes());
        assert_eq!(summary["exitCode"], 11);
        insta::assert_snapshot!(serde_json::to_string_pretty(&summary["deployments"][0]).unwrap(), @r#"
        {
          "deploymentId": "d-1",
          "target": "environment dev",
          "targetArn": "arn:aws:proton:us-east-1:123456789012:environment/dev",
          "attempt": 1,
          "verdict": "done",
          "exitCode": 0,
          "changes": {
            "add": 2,
            "change": 1,
            "destroy": 0
          },
          "outputs": [
            "vpc"
          ],
          "message": null,
          "runDirectory": "/data/runs/d-1/1"
        }
        "#);
        assert_eq!(summary["deployments"][1]["changes"], Value::Null);
        assert_eq!(summary["deployments"][2]["verdict"], "awaiting-approval");
    }
}
