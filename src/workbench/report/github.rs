//! Annotations of a GitHub workflow: one line each.

use crate::workbench::finding::{Report, Severity};

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let problem = &finding.problem;
        let word = if finding.severity == Severity::Error { "error" } else { "warning" };
        let mut place = format!("file={}", property(&problem.file));
        if let Some(line) = problem.line {
            place += &format!(",line={line}");
        }
        if let Some(column) = problem.column {
            place += &format!(",col={column}");
        }
        let remedy = if problem.remedy.is_empty() { String::new() } else { format!(" ({})", problem.remedy) };
        let message = data(&format!("{}{remedy}", problem.message));
        text += &format!("::{word} {place},title={}::{message}\n", property(finding.rule));
    }
    text
}

/// A message, in which line ends would end the command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, in which commas and colons mean something, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
