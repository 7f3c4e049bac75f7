//! What a check found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::layout::{HCL, JSON};
use crate::domain::{Files, Problem, Problems};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Registration refuses the bundle, or its deployments fail.
    Error,
    /// It works, perhaps not as its author thinks.
    Warning,
}

/// One finding and the line that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A name for findings of this kind, such as `unknown-input`.
    pub rule: &'static str,
    /// What is wrong, where, and the remedy. Its file is relative to the bundle's root.
    #[serde(flatten)]
    pub problem: Problem,
    /// The text of that line.
    pub source: Option<String>,
}

/// Everything that a check found, as a reader meets it: by file, line and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// How many of them are warnings.
    pub fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }

    /// Whether the bundle may pass; a strict reader minds warnings too.
    pub fn passes(&self, strict: bool) -> bool {
        self.errors() == 0 && !(strict && self.warnings() > 0)
    }

    /// A report of problems that keep a bundle from being looked at any further.
    pub fn of(problems: Problems) -> Self {
        let mut report = Self::default();
        report.refuse(problems);
        report
    }

    /// Adds what registration would say.
    pub(super) fn refuse(&mut self, problems: Problems) {
        for problem in problems.0 {
            let rule = rule(&problem.file);
            self.add(Severity::Error, rule, problem);
        }
    }

    /// Adds what is wrong with a spec, by the name of its file.
    pub(super) fn refuse_spec(&mut self, name: &str, problems: Problems) {
        for problem in problems.0 {
            self.add(Severity::Error, "spec", Problem { file: name.to_owned(), ..problem });
        }
    }

    pub(super) fn error(&mut self, rule: &'static str, problem: Problem) {
        self.add(Severity::Error, rule, problem);
    }

    pub(super) fn warn(&mut self, rule: &'static str, problem: Problem) {
        self.add(Severity::Warning, rule, problem);
    }

    pub(super) fn add(&mut self, severity: Severity, rule: &'static str, problem: Problem) {
        let finding = Finding { severity, rule, problem, source: None };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Puts the findings in order and the source lines beside them.
    pub(super) fn finished(mut self, files: &Files) -> Self {
        let mut texts: BTreeMap<String, Option<String>> = BTreeMap::new();
        for finding in &mut self.findings {
            let Problem { file, line: Some(line), .. } = &finding.problem else { continue };
            let text = texts
                .entry(file.clone())
                .or_insert_with(|| files.get(file).map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
            let source = text.as_deref().and_then(|text| text.lines().nth(line.saturating_sub(1)));
            // Where the line is shown, registration's words for it are said already.
            if source.is_some() && finding.problem.remedy.starts_with("the line is: ") {
                finding.problem.remedy.clear();
            }
            finding.source =
                source.map(|line| line.trim_start_matches('\u{feff}').chars().take(LONGEST_LINE).collect());
        }
        self.findings.sort_by(|a, b| place(a).cmp(&place(b)));
        self
    }
}

/// A line that was generated may be a whole file.
const LONGEST_LINE: usize = 400;

fn place(finding: &Finding) -> (&str, Option<usize>, Option<usize>, Severity) {
    (&finding.problem.file, finding.problem.line, finding.problem.column, finding.severity)
}

/// The kind of what registration says, by where it says it.
fn rule(file: &str) -> &'static str {
    match file {
        file if file.starts_with("schema/") => "schema",
        file if file.ends_with("manifest.yaml") => "manifest",
        file if file.ends_with(HCL) || file.ends_with(JSON) => "terraform",
        "spec" => "spec",
        _ => "bundle",
    }
}
