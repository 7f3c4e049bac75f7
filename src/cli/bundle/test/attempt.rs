//! One case, from what it gives to what it misses.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::super::super::{Exit, Failure};
use super::super::refused;
use super::{TestArgs, expected, plan};
use crate::domain::{Files, Problem, Problems};
use crate::settings::Resolved;
use crate::workbench::cases::{Case, CaseTarget, Given as Named, Outcome, PlanRule, PlanSeen, with_counts};
use crate::workbench::{Choice, Given, Rendering, Severity, Source, WorkbenchError, render, values};

/// What all cases of a bundle share.
pub(super) struct Attempt<'a> {
    pub(super) settings: &'a Resolved,
    pub(super) args: &'a TestArgs,
    /// All files of the bundle's tests, expected ones among them.
    pub(super) files: &'a Files,
    pub(super) source: Source,
}

/// How a case ended.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// Whether only the plan isn't as expected.
    pub(super) only_the_plan: bool,
    /// Whether expectations were written anew.
    pub(super) updated: bool,
}

impl Ended {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self { outcome, only_the_plan: false, updated: false }
    }

    fn failed(miss: impl Into<String>) -> Self {
        Self::of(Outcome::Failed(vec![miss.into()]))
    }
}

/// What comes of rendering: the files, or what is wrong with bundle, spec and values.
type Rendered = Result<Vec<Rendering>, Problems>;

impl Attempt<'_> {
    /// Runs a case; `text` is its file's.
    pub(super) async fn run(&self, case: &Case, text: &str) -> Result<Ended, Failure> {
        let given = match self.given(case) {
            Ok(given) => given,
            Err(problems) => return Ok(Ended::failed(problems.to_string())),
        };
        let renderings = match (self.render(&given)?, case.expect.refused.is_empty()) {
            (Err(problems), true) => return Ok(Ended::failed(format!("is refused:\n{problems}"))),
            (Err(problems), false) => return Ok(Ended::of(outcome(case.expect.misses_in_refusal(&problems)))),
            (Ok(_), false) => return Ok(Ended::failed("is accepted, and was expected to be refused")),
            (Ok(renderings), true) => renderings,
        };
        let [rendering] = &renderings[..] else {
            let names: Vec<&str> = renderings.iter().filter_map(|it| it.folder.as_deref()).collect();
            return Ok(Ended::failed(format!("the spec has several instances: say which, of {}", names.join(", "))));
        };
        self.judged(case, text, rendering).await
    }

    /// Holds a rendering, and what Terraform plans for it, against what was expected.
    async fn judged(&self, case: &Case, text: &str, rendering: &Rendering) -> Result<Ended, Failure> {
        let before = expected::read(self.files, &case.name);
        let mut updated = self.args.update && case.expect.snapshot && before.as_ref() != Some(&rendering.files);
        if updated {
            expected::write(&self.source.root, &case.name, &rendering.files)?;
        }
        let snapshot = if updated { Some(&rendering.files) } else { before.as_ref() };
        let mut misses = case.expect.misses_in_files(&rendering.files, snapshot);
        let only_the_plan = misses.is_empty();
        let Some(rule) = &case.expect.plan else { return Ok(Ended { updated, ..Ended::of(outcome(misses)) }) };
        if self.args.no_plan {
            let outcome = if only_the_plan { skipped() } else { Outcome::Failed(misses) };
            return Ok(Ended { updated, ..Ended::of(outcome) });
        }
        match plan::of(self.settings, &rendering.files).await? {
            Ok(document) => {
                let seen = PlanSeen::of(&document);
                let (rule, rewritten) = self.up_to_date(case, text, rule, &seen)?;
                updated |= rewritten;
                misses.extend(rule.misses(&seen));
            }
            Err(words) => misses.extend(rule.misses_in_failure(&words)),
        }
        Ok(Ended { outcome: outcome(misses), only_the_plan, updated })
    }

    /// The rule for a plan; with `--update` the counts in the case's file are written anew first.
    fn up_to_date(
        &self,
        case: &Case,
        text: &str,
        rule: &PlanRule,
        seen: &PlanSeen,
    ) -> Result<(PlanRule, bool), Failure> {
        let rewritten = match with_counts(&case.file, text, seen) {
            Ok(rewritten) if self.args.update && rewritten != text => rewritten,
            _ => return Ok((rule.clone(), false)),
        };
        fs::write(self.source.root.join(&case.file), &rewritten)?;
        let case = Case::parse(&case.file, &rewritten).map_err(|problems| refused(&problems))?;
        Ok((case.expect.plan.unwrap_or_default(), true))
    }

    fn render(&self, given: &Given) -> Result<Rendered, Failure> {
        match render(&self.source, given) {
            Ok(renderings) => Ok(Ok(renderings)),
            Err(WorkbenchError::Invalid(report)) => {
                let errors = report.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
                Ok(Err(Problems(errors.map(|finding| finding.problem).collect())))
            }
            Err(WorkbenchError::Refused { what, remedy }) => Ok(Err(Problem::of("case", what, remedy).into())),
            Err(error) => Err(Failure::new(Exit::Unexpected, error)),
        }
    }

    /// What the case gives, read from where it lies.
    fn given(&self, case: &Case) -> Result<Given, Problems> {
        let spec = match &case.spec {
            Some(Named::File(path)) => Some(self.text(case, path)?),
            // JSON is YAML, too.
            Some(Named::Here(document)) => Some(document.to_string()),
            None => None,
        };
        let values = match &case.values {
            Some(Named::File(path)) => Some(values(path, &self.text(case, path)?)?),
            Some(Named::Here(document)) => Some(document.clone()),
            None => None,
        };
        let choice = match &case.target {
            CaseTarget::TheOne => Choice::All,
            CaseTarget::Instance(name) => Choice::Instance(name.clone()),
            CaseTarget::Pipeline => Choice::Pipeline,
        };
        Ok(Given { spec, values, choice, ..Given::default() })
    }

    /// The text of a file that a case names, relative to the case's own.
    fn text(&self, case: &Case, path: &str) -> Result<String, Problems> {
        let beside = self.source.root.join(&case.file);
        let whole: PathBuf = beside.parent().unwrap_or(Path::new(".")).join(path);
        fs::read_to_string(&whole).map_err(|error| {
            let message = match error.kind() {
                io::ErrorKind::NotFound => format!("there is no file {path}"),
                _ => format!("{path} can't be read: {error}"),
            };
            Problem::of(&case.file, message, "its path is relative to the case's file").into()
        })
    }
}

fn outcome(misses: Vec<String>) -> Outcome {
    if misses.is_empty() { Outcome::Passed } else { Outcome::Failed(misses) }
}

fn skipped() -> Outcome {
    Outcome::PassedPartly("its plan was left out: --no-plan".into())
}
