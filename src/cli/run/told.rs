//! What `hadron run` shows: Terraform's words while it works, at the end a line or a JSON document for each directory, and
//! what GitHub shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Exit, Failure, Form, github, print};
use crate::domain::Verdict;
use crate::runner::{Directory, Intent, Notified, Outcome, Watcher};

/// GitHub takes a mebibyte per step; so much of each plan goes in.
const LONGEST_PLAN: usize = 60_000;

/// A line for people.
pub(super) fn say(line: &str) {
    // Nobody is left to read when stderr is gone.
    drop(writeln!(io::stderr(), "{line}"));
}

/// Terraform's words on stderr. On GitHub each directory is a group of lines, and nothing that Terraform prints is taken
/// for a command of the runner's.
///
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#stopping-and-starting-workflow-commands>
pub(super) struct Screen {
    /// The word that lets GitHub listen again.
    token: Option<String>,
}

impl Screen {
    pub(super) fn new(on_github: bool) -> Self {
        Self { token: on_github.then(|| Uuid::new_v4().simple().to_string()) }
    }
}

impl Watcher for Screen {
    fn begins(&mut self, directory: &Directory) {
        let title = format!("{} ({})", directory.target, directory.shown());
        match &self.token {
            Some(token) => say(&format!("::group::{title}\n::stop-commands::{token}")),
            None => say(&title),
        }
    }

    fn says(&mut self, text: &str) {
        for line in text.lines() {
            say(&format!("  {line}"));
        }
    }

    fn ended(&mut self, outcome: &Outcome) {
        if let Some(message) = &outcome.message {
            self.says(message);
        }
        if let Some(token) = &self.token {
            say(&format!("::{token}::\n::endgroup::"));
        }
    }
}

/// Prints the end, and gives the exit code of the worst.
pub(super) fn tell(
    environment: &BTreeMap<String, String>,
    intent: Intent,
    outcomes: &[Outcome],
    form: Form,
) -> Result<Exit, Failure> {
    let worst = outcomes.iter().map(|outcome| outcome.verdict).max().unwrap_or(Verdict::Done);
    github::show(environment, &summary(intent, outcomes), &outcomes.iter().map(end).collect::<Vec<_>>());
    match form {
        Form::Json => print::json(&document(intent, worst, outcomes))?,
        Form::Text => print::text(&lines(intent, outcomes))?,
    }
    Ok(worst.into())
}

/// The end in a few words.
fn words(intent: Intent, outcome: &Outcome) -> String {
    let Some(it) = outcome.changes.filter(|_| outcome.verdict == Verdict::Done) else {
        return outcome.verdict.words();
    };
    match (intent, outcome.deleted) {
        (Intent::Plan, _) if outcome.plan.is_none() => "planned, nothing to do".to_owned(),
        (Intent::Plan, _) => {
            format!("planned, {} to add, {} to change, {} to destroy", it.add, it.change, it.remove)
        }
        (Intent::Apply, true) => format!("destroyed, {} resources", it.remove),
        (Intent::Apply, false) => format!("applied, {} added, {} changed, {} destroyed", it.add, it.change, it.remove),
    }
}

fn notified(outcome: &Outcome) -> Option<String> {
    match &outcome.notified {
        Notified::NothingToTell => None,
        Notified::As(status) => Some(format!("notified {status}")),
        Notified::Not(why) => Some(format!("not notified: {why}")),
    }
}

fn lines(intent: Intent, outcomes: &[Outcome]) -> String {
    if outcomes.is_empty() {
        return "nothing to do: no directory that Proton rendered has changed\n".to_owned();
    }
    let mut text = String::new();
    for outcome in outcomes {
        writeln!(text, "{} ({}): {}", outcome.target, outcome.path, words(intent, outcome)).expect("text takes text");
        if let Some(line) = notified(outcome) {
            writeln!(text, "  {line}").expect("text takes text");
        }
    }
    text
}

fn document(intent: Intent, worst: Verdict, outcomes: &[Outcome]) -> Value {
    json!({
        "mode": if intent == Intent::Plan { "plan" } else { "apply" },
        "verdict": worst.name(),
        "exitCode": worst.exit_code(),
        "directories": outcomes.iter().map(one).collect::<Vec<_>>(),
    })
}

fn one(outcome: &Outcome) -> Value {
    let (told, why) = match &outcome.notified {
        Notified::As(status) => (Some(*status), None),
        Notified::Not(why) => (None, Some(why.as_str())),
        Notified::NothingToTell => (None, None),
    };
    json!({
        "directory": outcome.path,
        "target": outcome.target,
        "targetArn": outcome.arn,
        "deploymentId": outcome.deployment_id,
        "destroys": outcome.deleted,
        "verdict": outcome.verdict.name(),
        "exitCode": outcome.verdict.exit_code(),
        "changes": outcome.changes.map(|it| json!({ "add": it.add, "change": it.change, "destroy": it.remove })),
        "outputs": outcome.outputs,
        "message": outcome.message,
        "notified": told,
        "notNotified": why,
    })
}

/// What GitHub shows of the step: a table, each plan, and the message of each that didn't end well.
fn summary(intent: Intent, outcomes: &[Outcome]) -> String {
    let mut text = "### Hadron\n\n".to_owned();
    if outcomes.is_empty() {
        text.push_str("Nothing to do: no directory that Proton rendered has changed.\n\n");
        return text;
    }
    text.push_str("| | target | directory | outcome | Proton |\n|---|---|---|---|---|\n");
    for outcome in outcomes {
        let row = [
            sign(outcome.verdict),
            &outcome.target,
            &outcome.path,
            &words(intent, outcome),
            &notified(outcome).unwrap_or_default(),
        ];
        writeln!(text, "| {} |", row.map(github::cell).join(" | ")).expect("text takes text");
    }
    text.push('\n');
    for outcome in outcomes {
        for shown in [&outcome.message, &outcome.plan].into_iter().flatten() {
            text.push_str(&github::details(&outcome.target, &cut(shown)));
        }
    }
    text
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "✅",
        Verdict::Skipped => "⏭️",
        Verdict::Cancelled => "🚫",
        _ => "❌",
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_PLAN) {
        Some((end, _)) => format!("{}\n[…] the rest is in the log", &text[..end]),
        None => text.to_owned(),
    }
}

/// The ends, of which GitHub's annotations are made.
fn end(outcome: &Outcome) -> github::End<'_> {
    let Outcome { target, verdict, message, findings, .. } = outcome;
    github::End { target, verdict: *verdict, message: message.as_deref(), findings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::Changes;

    fn outcomes() -> [Outcome; 3] {
        let done = Outcome {
            path: "dev".into(),
            target: "environment dev".into(),
            arn: "arn:aws:proton:us-east-1:123456789012:environment/dev".into(),
            deployment_id: Some("d-1".into()),
            deleted: false,
            verdict: Verdict::Done,
            changes: Some(Changes { add: 2, change: 1, remove: 0 }),
            plan: None,
            outputs: vec!["vpc".into()],
            message: None,
            notified: Notified::As("SUCCEEDED"),
            findings: Vec::new(),
        };
        let failed = Outcome {
            path: "dev/api-prod".into(),
            target: "service instance api/prod".into(),
            verdict: Verdict::ApplyFailed,
            changes: None,
            message: Some("terraform apply ended with exit code 1".into()),
            notified: Notified::As("FAILED"),
            ..done.clone()
        };
        let gone = Outcome {
            path: "old".into(),
            target: "environment old".into(),
            deployment_id: None,
            deleted: true,
            changes: Some(Changes { add: 0, change: 0, remove: 3 }),
            notified: Notified::Not("the endpoint doesn't know it".into()),
            ..done.clone()
        };
        [done, failed, gone]
    }

    #[test]
    fn each_directory_has_a_line_and_says_whether_proton_knows() {
        insta::assert_snapshot!(lines(Intent::Apply, &outcomes()), @"
        environment dev (dev): applied, 2 added, 1 changed, 0 destroyed
          notified SUCCEEDED
        service instance api/prod (dev/api-prod): apply failed
          notified FAILED
        environment old (old): destroyed, 3 resources
          not notified: the endpoint doesn't know it
        ");
        assert!(lines(Intent::Plan, &[]).starts_with("nothing to do"));
    }

    #[test]
    fn a_plan_is_shown_whole_unless_it_is_very_long() {
        let [one, ..] = outcomes();
        let planned =
            Outcome { plan: Some("# aws_vpc.main will be created".into()), notified: Notified::NothingToTell, ..one };
        let text = summary(Intent::Plan, std::slice::from_ref(&planned));
        assert!(text.contains("planned, 2 to add") && text.contains("# aws_vpc.main will be created"), "{text}");
        let none = Outcome { plan: None, ..planned };
        assert_eq!(words(Intent::Plan, &none), "planned, nothing to do");
        assert!(cut(&"ü".repeat(LONGEST_PLAN + 1)).ends_with("the rest is in the log"));
    }

    #[test]
    fn scripts_read_the_same_as_json() {
        let document = document(Intent::Apply, Verdict::ApplyFailed, &outcomes());
        assert_eq!((&document["exitCode"], &document["mode"]), (&json!(11), &json!("apply")));
        assert_eq!(document["directories"][0]["notified"], "SUCCEEDED");
        assert_eq!(document["directories"][2]["notNotified"], "the endpoint doesn't know it");
        assert_eq!(document["directories"][2]["deploymentId"], Value::Null);
    }
}
