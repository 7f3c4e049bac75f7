//! SARIF 2.1.0, which code hosts show beside the code.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::workbench::finding::{Finding, Report, Severity};

pub(super) fn document(report: &Report) -> Value {
    let rules: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, &rules)).collect();
    let declared: Vec<Value> = rules.iter().map(|rule| json!({ "id": rule })).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "hadron bundle check",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": declared,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding, rules: &[&str]) -> Value {
    let problem = &finding.problem;
    let remedy = if problem.remedy.is_empty() { String::new() } else { format!(" ({})", problem.remedy) };
    let mut place = json!({ "artifactLocation": { "uri": uri(&problem.file) } });
    if let Some(line) = problem.line {
        place["region"] = json!({ "startLine": line });
        if let Some(column) = problem.column {
            place["region"]["startColumn"] = json!(column);
        }
        if let Some(source) = &finding.source {
            place["region"]["snippet"] = json!({ "text": source });
        }
    }
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.rule),
        "level": if finding.severity == Severity::Error { "error" } else { "warning" },
        "message": { "text": format!("{}{remedy}", problem.message) },
        "locations": [{ "physicalLocation": place }],
    })
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let encoded = utf8_percent_encode(path, KEPT).to_string();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
