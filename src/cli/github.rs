//! What GitHub shows of a one-shot agent: a step summary, and an annotation for each thing that is wrong.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write};

use super::oneshot::{nothing, words};
use crate::agent::Outcome;
use crate::domain::{Finding, Verdict};

/// GitHub shows ten of each kind per step.
const MOST_ANNOTATIONS: usize = 10;

/// How something ended, as far as annotations tell it.
pub(super) struct End<'a> {
    /// The target, in words.
    pub(super) target: &'a str,
    pub(super) verdict: Verdict,
    pub(super) message: Option<&'a str>,
    pub(super) findings: &'a [Finding],
}

impl<'a> End<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let Outcome { target, verdict, message, findings, .. } = outcome;
        Self { target, verdict: *verdict, message: message.as_deref(), findings }
    }
}

/// Writes both, where the environment is GitHub's.
pub(super) fn tell(environment: &BTreeMap<String, String>, worst: Verdict, outcomes: &[Outcome]) {
    let ends: Vec<End<'_>> = outcomes.iter().map(End::of).collect();
    show(environment, &summary(worst, outcomes), &ends);
}

/// The same with a summary of the caller's. One that can't be written is no reason to fail.
pub(super) fn show(environment: &BTreeMap<String, String>, summary: &str, ends: &[End<'_>]) {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    if let Some(path) = set("GITHUB_STEP_SUMMARY") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(summary.as_bytes())) {
            tracing::warn!(%error, "the step summary {path} can't be written");
        }
    }
    if set("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // On stderr, since stdout is data; the runner reads both.
        drop(io::stderr().write_all(annotations(ends).as_bytes()));
    }
}

/// A table of all, and the message of each that didn't end well.
fn summary(worst: Verdict, outcomes: &[Outcome]) -> String {
    let mut text = "### Hadron\n\n".to_owned();
    if outcomes.is_empty() {
        let words = nothing(worst).unwrap_or("nothing was done, see the step's log");
        writeln!(text, "{} {words}\n", sign(worst)).expect("text takes text");
        return text;
    }
    text.push_str("| | target | outcome | outputs | deployment |\n|---|---|---|---|---|\n");
    for outcome in outcomes {
        let row = [sign(outcome.verdict), &outcome.target, &words(outcome), &outcome.outputs.join(", ")].map(cell);
        writeln!(text, "| {} | `{}` |", row.join(" | "), outcome.deployment_id).expect("text takes text");
    }
    text.push('\n');
    for outcome in outcomes {
        let Some(message) = &outcome.message else { continue };
        text.push_str(&details(&outcome.target, message));
    }
    text
}

/// Text that is unfolded on demand.
pub(super) fn details(title: &str, text: &str) -> String {
    let fence = fence(text);
    format!("<details><summary>{}</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>\n\n", escaped(title))
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "✅",
        Verdict::AwaitingApproval => "⏳",
        Verdict::Cancelled => "🚫",
        _ => "❌",
    }
}

/// Text within a cell of a table.
pub(super) fn cell(text: &str) -> String {
    escaped(text).replace('|', "\\|").replace(['\r', '\n'], " ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A fence that the text doesn't close.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

fn annotations(ends: &[End<'_>]) -> String {
    let mut text = String::new();
    for warning in [false, true] {
        let all = ends.iter().flat_map(|end| end.findings.iter().map(move |finding| (end.target, finding)));
        for (target, finding) in all.filter(|(_, finding)| finding.warning == warning).take(MOST_ANNOTATIONS) {
            text.push_str(&annotation(target, finding));
        }
    }
    // What failed without a diagnostic is shown as well.
    for end in ends.iter().filter(|it| it.findings.is_empty() && it.verdict.exit_code() != 0) {
        let kind = if end.verdict == Verdict::AwaitingApproval { "notice" } else { "error" };
        let message = end.message.unwrap_or_default();
        writeln!(text, "::{kind} title={}::{}", property(end.target), data(message)).expect("text takes text");
    }
    text
}

fn annotation(target: &str, finding: &Finding) -> String {
    let mut properties = Vec::new();
    if let Some(file) = &finding.file {
        properties.push(format!("file={}", property(file)));
        properties.extend(finding.line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(&format!("{target}: {}", finding.summary))));
    let kind = if finding.warning { "warning" } else { "error" };
    let message = if finding.detail.trim().is_empty() { &finding.summary } else { &finding.detail };
    format!("::{kind} {}::{}\n", properties.join(","), data(message))
}

/// A command's text, as `@actions/core` escapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::oneshot::tests::outcomes;
    use super::*;

    #[test]
    fn an_annotation_is_escaped_as_github_wants_it() {
        insta::assert_snapshot!(annotations(&outcomes().each_ref().map(End::of)), @"
        ::error file=main.tf,line=15,title=environment prod%3A creating EC2 VPC%3A VpcLimitExceeded::100%25 of the quota%0Ais used
        ::notice title=environment dev::
        ");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
        assert_eq!(data("a:b,c%\r\n"), "a:b,c%25%0D%0A");
    }

    #[test]
    fn the_summary_shows_every_deployment_and_why_one_failed() {
        insta::assert_snapshot!(summary(Verdict::ApplyFailed, &outcomes()), @"
        ### Hadron

        | | target | outcome | outputs | deployment |
        |---|---|---|---|---|
        | ✅ | environment dev | done, 2 added, 1 changed, 0 destroyed | vpc | `d-1` |
        | ❌ | environment prod | apply failed |  | `d-2` |
        | ⏳ | environment dev | awaiting approval | vpc | `d-3` |

        <details><summary>environment prod</summary>

        ````text
        terraform apply ended with exit code 1
        ```quoted```
        ````

        </details>
        ");
        assert!(summary(Verdict::Done, &[]).contains("✅ nothing to do"));
    }

    #[test]
    fn nothing_of_a_message_ends_its_fence_or_its_cell() {
        assert_eq!(fence("a ```` b"), "`````");
        assert_eq!(fence("plain"), "```");
        assert_eq!(cell("a|b\n<c>"), "a\\|b &lt;c&gt;");
    }

    #[test]
    fn a_summary_is_appended_to_what_earlier_steps_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "before\n").unwrap();
        let environment = [("GITHUB_STEP_SUMMARY".to_owned(), path.display().to_string())].into();
        tell(&environment, Verdict::Done, &[]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before\n### Hadron"), "{text}");
    }
}
