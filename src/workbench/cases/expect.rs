//! What came of a case, held against what was expected: every miss, in words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Expect, FileRule, Refusal, TextRule, differences};
use crate::domain::{Files, Problem, Problems};

impl Expect {
    /// What the rendered files miss; `snapshot` are the files of the expected folder, if the case has one.
    pub fn misses_in_files(&self, rendered: &Files, snapshot: Option<&Files>) -> Vec<String> {
        let mut misses = Vec::new();
        if self.snapshot {
            misses.extend(against_snapshot(rendered, snapshot));
        }
        for (path, rule) in &self.files {
            match (rule, rendered.get(path)) {
                (FileRule::Absent, None) => {}
                (FileRule::Absent, Some(_)) => misses.push(format!("{path}: is there, and was expected to be absent")),
                (FileRule::Present(_), None) => misses.push(not_there(path, rendered)),
                (FileRule::Present(rules), Some(bytes)) => {
                    let text = String::from_utf8_lossy(bytes);
                    misses.extend(rules.iter().filter_map(|rule| rule.miss(path, &text)));
                }
            }
        }
        misses
    }

    /// What is wrong with a refusal: expected problems that aren't there, and others that are.
    pub fn misses_in_refusal(&self, problems: &Problems) -> Vec<String> {
        let mut misses = Vec::new();
        for refusal in self.refused.iter().filter(|refusal| !problems.0.iter().any(|it| refusal.is(it))) {
            let place = refusal.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            misses.push(format!("no problem{place} says “{}”", refusal.says));
        }
        for problem in problems.0.iter().filter(|problem| !self.refused.iter().any(|refusal| refusal.is(problem))) {
            misses.push(format!("unexpected: {problem}"));
        }
        misses
    }
}

impl Refusal {
    fn is(&self, problem: &Problem) -> bool {
        let mut places = vec![problem.file.clone()];
        for part in [problem.line, problem.column].into_iter().flatten() {
            places.push(format!("{}:{part}", places[places.len() - 1]));
        }
        let here = self.at.as_ref().is_none_or(|at| places.contains(at));
        here && (problem.message.contains(&self.says) || problem.to_string().contains(&self.says))
    }
}

fn not_there(path: &str, rendered: &Files) -> String {
    let names: Vec<&str> = rendered.keys().map(String::as_str).collect();
    format!("{path}: was not rendered; there are {}", names.join(", "))
}

fn against_snapshot(rendered: &Files, snapshot: Option<&Files>) -> Vec<String> {
    let Some(snapshot) = snapshot else {
        return vec!["there are no expected files yet; --update writes them".into()];
    };
    let both: BTreeSet<&String> = rendered.keys().chain(snapshot.keys()).collect();
    let miss = |path: &String| match (snapshot.get(path), rendered.get(path)) {
        (Some(expected), Some(found)) if expected == found => None,
        (Some(expected), Some(found)) => {
            Some(format!("{path}: differs\n{}", shown(expected, found).trim_end_matches('\n')))
        }
        (Some(_), None) => Some(format!("{path}: was expected and not rendered")),
        (None, _) => Some(format!("{path}: was rendered and not expected")),
    };
    both.into_iter().filter_map(miss).collect()
}

fn shown(expected: &[u8], found: &[u8]) -> String {
    match (std::str::from_utf8(expected), std::str::from_utf8(found)) {
        (Ok(expected), Ok(found)) => differences(expected, found),
        _ => format!("{} bytes were expected, {} are there\n", expected.len(), found.len()),
    }
}

impl TextRule {
    fn miss(&self, path: &str, text: &str) -> Option<String> {
        match self {
            Self::Contains(part) if text.contains(part.as_str()) => None,
            Self::Contains(part) => Some(format!("{path}: lacks {}", quoted(part))),
            Self::Lacks(part) if text.contains(part.as_str()) => Some(format!("{path}: has {}", quoted(part))),
            Self::Lacks(_) => None,
            Self::Matches(pattern) if pattern.is_match(text) => None,
            Self::Matches(pattern) => Some(format!("{path}: nothing in it matches {pattern}")),
            Self::Equals(whole) if whole.trim_end() == text.trim_end() => None,
            Self::Equals(whole) => {
                let lines = differences(whole.trim_end(), text.trim_end());
                Some(format!("{path}: differs\n{}", lines.trim_end_matches('\n')))
            }
            Self::Json(expected) => match serde_json::from_str::<Value>(text) {
                Ok(found) => lacks(expected, &found, "").map(|why| format!("{path}: {why}")),
                Err(error) => Some(format!("{path}: is no JSON: {error}")),
            },
        }
    }
}

fn quoted(part: &str) -> String {
    if part.contains('\n') { format!("these lines:\n{part}") } else { format!("“{part}”") }
}

/// Where a value lacks what was expected of it. A map may have other members; a list has these items and no others.
pub(super) fn lacks(expected: &Value, found: &Value, at: &str) -> Option<String> {
    let called = if at.is_empty() { "it" } else { at };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().find_map(|(key, expected)| {
            let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match found.get(key) {
                Some(found) => lacks(expected, found, &at),
                None => Some(format!("{at} isn't there; {expected} was expected")),
            }
        }),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(index, (expected, found))| lacks(expected, found, &format!("{at}[{index}]")))
        }
        (Value::Number(a), Value::Number(b)) if a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64()) => None,
        (expected, found) if expected == found => None,
        (expected, found) => Some(format!("{called} is {found}; {expected} was expected")),
    }
}
