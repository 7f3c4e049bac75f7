//! A report for people, for programs, and for the pages of a code host.

mod github;
mod sarif;
mod text;

use serde_json::json;

use super::finding::Report;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code scanning: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
    Sarif,
    /// As annotations of a GitHub workflow:
    /// <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>.
    Github,
}

/// A report as text. `shown` gives the path of a file as its reader would write it.
pub fn write(report: &Report, format: Format, shown: impl Fn(&str) -> String) -> String {
    let mut report = report.clone();
    for finding in &mut report.findings {
        finding.problem.file = shown(&finding.problem.file);
    }
    match format {
        Format::Text => text::write(&report),
        Format::Json => pretty(&json!({
            "errors": report.errors(),
            "warnings": report.warnings(),
            "findings": report.findings,
        })),
        Format::Sarif => pretty(&sarif::document(&report)),
        Format::Github => github::write(&report),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests;
