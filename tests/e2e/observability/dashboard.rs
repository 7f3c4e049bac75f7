//! The dashboard and the rules against real numbers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use regex::Regex;
use serde_json::Value;

use super::{check, folder};

/// Every metric of the dashboard and the rules is among the numbers, each of its selectors' labels and values too, and
/// Prometheus reads every expression.
pub(super) fn names_only_what_there_is(numbers: &str) {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(folder().join("grafana-dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let shown: Vec<String> = targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(shown.len() > 20);
    parse(&shown);
    let rules = fs::read_to_string(folder().join("hadron-rules.yml")).unwrap();
    let asked: Vec<String> =
        rules.split("expr: >-\n").skip(1).map(|rest| rest.lines().next().unwrap().to_owned()).collect();
    for expression in shown.iter().chain(&asked) {
        holds(expression, numbers);
    }
    every_alert_is_tested_and_documented(&rules);
}

fn holds(expression: &str, numbers: &str) {
    let selector = Regex::new(r"\b((?:hadron|process)_[a-z_]+)(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"([a-z]+)(=|!=|=~)"([^"]*)""#).unwrap();
    for found in selector.captures_iter(expression) {
        let name = &found[1];
        let samples: Vec<&str> = numbers
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .collect();
        assert!(!samples.is_empty(), "{name} of `{expression}` isn't among the numbers");
        for matched in matcher.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
            let (label, value) = (&matched[1], &matched[3]);
            // Prometheus adds these itself.
            if matches!(label, "job" | "instance") {
                continue;
            }
            let pair = format!("{label}=\"{value}\"");
            assert!(samples.iter().any(|sample| sample.contains(&pair)), "{name} never has {pair} of `{expression}`");
        }
    }
    let by = Regex::new(r"\bby \(([^)]*)\)").unwrap();
    for labels in by.captures_iter(expression) {
        for label in labels[1].split(", ").filter(|label| !matches!(*label, "le" | "instance")) {
            assert!(numbers.contains(&format!("{label}=\"")), "nothing has the label {label} of `{expression}`");
        }
    }
}

/// Lets promtool read the expressions of the dashboard, with Grafana's variables filled in.
fn parse(expressions: &[String]) {
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (number, expression) in expressions.iter().enumerate() {
        let expression = expression.replace("$__rate_interval", "5m").replace("$job", "hadron.*");
        write!(rules, "      - record: shown:{number}\n        expr: >-\n          {expression}\n").unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), rules).unwrap();
    check(&["check", "rules", file.path().to_str().unwrap()], "");
}

fn every_alert_is_tested_and_documented(rules: &str) {
    let tests = fs::read_to_string(folder().join("hadron-rules-test.yml")).unwrap();
    let docs = include_str!("../../../docs/observability.md");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let asked = tests.matches(&format!("- alertname: {alert}\n")).count();
        assert!(asked >= 2, "{alert} must be tested when it fires and when it doesn't");
        assert!(docs.contains(&format!("| `{alert}` |")), "docs/observability.md has no {alert}");
    }
}
