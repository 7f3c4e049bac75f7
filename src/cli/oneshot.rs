//! What a one-shot agent tells at its end: a line for each deployment or one JSON document, and what GitHub shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Exit, Failure, Form, github, print};
use crate::agent::{Drained, Outcome};
use crate::domain::Verdict;

/// Prints the end, and gives the exit code of the worst.
pub(super) fn tell(drained: &Drained, environment: &BTreeMap<String, String>, form: Form) -> Result<Exit, Failure> {
    github::tell(environment, drained.worst, &drained.outcomes);
    match form {
        Form::Json => print::json(&summary(drained))?,
        Form::Text => print::text(&lines(drained.worst, &drained.outcomes))?,
    }
    Ok(drained.worst.into())
}

fn summary(drained: &Drained) -> Value {
    let Drained { worst, outcomes, broke_off } = drained;
    json!({
        "verdict": worst.name(),
        "exitCode": worst.exit_code(),
        "error": broke_off.as_ref().map(ToString::to_string),
        "deployments": outcomes.iter().map(one).collect::<Vec<_>>(),
    })
}

/// What is said of no deployment at all; None where the error says it.
pub(super) fn nothing(worst: Verdict) -> Option<&'static str> {
    match worst {
        Verdict::Done => Some("nothing to do: no deployment is pending"),
        Verdict::Cancelled => Some("asked to leave before anything was begun"),
        _ => None,
    }
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

fn lines(worst: Verdict, outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    if outcomes.is_empty() {
        text.extend(nothing(worst).iter().flat_map(|words| [words, "\n"]));
    }
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
    use crate::agent::AgentError;
    use crate::domain::Finding;
    use crate::terraform::Changes;

    pub(in crate::cli) fn outcomes() -> [Outcome; 3] {
        let done = Outcome {
            deployment_id: "d-1".into(),
            target: "environment dev".into(),
            target_arn: "arn:aws:proton:us-east-1:123456789012:environment/dev".into(),
            attempt: Some(1),
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

    fn drained(worst: Verdict, outcomes: &[Outcome]) -> Drained {
        Drained { worst, outcomes: outcomes.to_vec(), broke_off: None }
    }

    #[test]
    fn nothing_to_do_is_said() {
        assert_eq!(lines(Verdict::Done, &[]), "nothing to do: no deployment is pending\n");
        let summary = summary(&drained(Verdict::Done, &[]));
        assert_eq!(summary, json!({ "verdict": "done", "exitCode": 0, "error": null, "deployments": [] }));
    }

    #[test]
    fn nothing_done_is_not_called_nothing_to_do() {
        assert_eq!(lines(Verdict::Cancelled, &[]), "asked to leave before anything was begun\n");
        assert_eq!(lines(Verdict::Settings, &[]), "", "the error says it");
        let broke_off = Some(AgentError::BadName("a b".into()));
        let summary = summary(&Drained { broke_off, ..drained(Verdict::Settings, &outcomes()) });
        assert!(summary["error"].as_str().unwrap().contains("a b"));
        assert_eq!((&summary["exitCode"], summary["deployments"].as_array().unwrap().len()), (&json!(3), 3));
    }

    #[test]
    fn each_deployment_has_a_line() {
        insta::assert_snapshot!(lines(Verdict::ApplyFailed, &outcomes()), @"
        environment dev: done, 2 added, 1 changed, 0 destroyed (deployment d-1)
        environment prod: apply failed (deployment d-2)
        environment dev: awaiting approval (deployment d-3)
          hadron approve d-3, then run this again with the same data folder
        ");
    }

    #[test]
    fn scripts_read_the_same_as_json() {
        let summary = summary(&drained(Verdict::ApplyFailed, &outcomes()));
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
