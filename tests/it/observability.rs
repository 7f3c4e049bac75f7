//! Holds docs/observability.md against the code: its tables of metrics are the code's, and it knows every field of the log.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hadron::support::metrics::{Metric, PROCESS};
use regex::Regex;

const BEGIN: &str = "<!-- metrics -->\n";
const END: &str = "<!-- /metrics -->";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/observability.md")
}

fn table(heading: &str, metrics: &[Metric]) -> String {
    let mut text = format!("\n### {heading}\n\n| metric | type | labels | tells |\n|---|---|---|---|\n");
    for Metric { name, kind, labels, help } in metrics {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(" ");
        writeln!(text, "| `{name}` | {} | {labels} | {help} |", kind.word()).unwrap();
    }
    text
}

#[test]
fn the_tables_of_metrics_are_those_of_the_code() {
    let tables = [
        table("Of a server", hadron::control_plane::metrics::METRICS),
        table("Of an agent", hadron::agent::METRICS),
        table("Of every process", PROCESS),
    ]
    .concat()
        + "\n";
    let text = fs::read_to_string(docs()).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("HADRON_UPDATE").is_some() {
        fs::write(docs(), format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
        return;
    }
    assert!(found == tables, "docs/observability.md is stale: HADRON_UPDATE=1 cargo test --test it observability");
}

#[test]
fn metrics_are_named_by_prometheus_conventions() {
    let name = Regex::new("^(hadron|process)_[a-z]+(_[a-z]+)*$").unwrap();
    for metric in [hadron::control_plane::metrics::METRICS, hadron::agent::METRICS, PROCESS].concat() {
        assert!(name.is_match(metric.name), "{}", metric.name);
        let (counts, kind) = (metric.name.ends_with("_total"), metric.kind.word());
        assert_eq!(counts, kind == "counter", "{}: only counters end in _total", metric.name);
        assert!(kind != "histogram" || metric.name.ends_with("_seconds"), "{} has no unit", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
        let names = ["name", "id", "account", "region", "arn", "agent"];
        assert!(!metric.labels.iter().any(|label| names.contains(label)), "{} has too many values", metric.name);
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => {}
        }
    }
}

/// The fields in front of the message of each line that the code logs, and those of its spans.
fn logged(text: &str) -> BTreeSet<String> {
    let call = Regex::new(r"\b(?:tracing::(?:info|warn|error|debug|trace)|error_span)!\(").unwrap();
    let literal = Regex::new(r#""(?s:\\.|[^"\\])*""#).unwrap();
    let field = Regex::new(r"^(?:([a-z_][a-z_.]*)\s*=(?:[^=].*)?|[%?]?([a-z_][a-z_.]*))$").unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    // A quote as a character begins no text, nor does a raw text's.
    let raw = Regex::new("r#\"(?s:.*?)\"#").unwrap();
    let code = raw.replace_all(&code.join("\n"), "\"\"").into_owned();
    let code = code.replace("'\"'", "' '");
    let code = literal.replace_all(&code, "\"\"");
    let mut found = BTreeSet::new();
    for call in call.find_iter(&code) {
        let (mut depth, mut parts) = (0_i32, vec![String::new()]);
        for c in code[call.end()..].chars() {
            match c {
                ')' if depth == 0 => break,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            match c {
                ',' if depth == 0 => parts.push(String::new()),
                c => parts.last_mut().unwrap().push(c),
            }
        }
        let spans = call.as_str().starts_with("error_span");
        let parts = parts.iter().map(|part| part.trim().replace('\n', " "));
        // What follows the message fills it in; a span has a name in its place.
        let parts: Vec<String> =
            if spans { parts.skip(1).collect() } else { parts.take_while(|it| !it.starts_with('"')).collect() };
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let part = field.captures(part).unwrap_or_else(|| panic!("not understood: {part}"));
            found.insert(part.get(1).or(part.get(2)).unwrap().as_str().to_owned());
        }
    }
    found
}

#[test]
fn every_field_of_the_log_is_documented_and_no_other() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut used: BTreeSet<String> = ["timestamp", "level", "message"].map(str::to_owned).into();
    for file in files {
        used.extend(logged(&fs::read_to_string(file).unwrap()));
    }
    // A span learns it at its end, and no line follows.
    used.remove("outcome");
    let text = fs::read_to_string(docs()).unwrap();
    let (_, rows) = text.split_once("| field | says |").unwrap();
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let told: BTreeSet<String> = rows.filter_map(|row| Some(row.split('`').nth(1)?.to_owned())).collect();
    assert_eq!(used.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the docs");
    assert_eq!(told.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody logs it");
}
