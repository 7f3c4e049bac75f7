//! For people: the place, what is wrong, the line, and what to do.

use std::fmt::Write as _;

use crate::workbench::finding::{Finding, Report, Severity};

pub(super) fn write(report: &Report) -> String {
    let texts: Vec<String> = report.findings.iter().map(finding).collect();
    texts.join("\n")
}

fn finding(finding: &Finding) -> String {
    let problem = &finding.problem;
    let mut text = problem.file.clone();
    for part in [problem.line, problem.column].into_iter().flatten() {
        write!(text, ":{part}").expect("text takes text");
    }
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    writeln!(text, ": {severity}: {} [{}]", problem.message, finding.rule).expect("text takes text");
    if let (Some(source), Some(line)) = (&finding.source, problem.line) {
        let number = line.to_string();
        let gap = " ".repeat(number.len());
        writeln!(text, "  {number} | {}", source.trim_end()).expect("text takes text");
        if let Some(column) = problem.column {
            // A tab stays one, so that the mark stands below its character.
            let before: String = source.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(text, "  {gap} | {before}^").expect("text takes text");
        }
    }
    if !problem.remedy.is_empty() {
        writeln!(text, "  = {}", problem.remedy).expect("text takes text");
    }
    text
}
