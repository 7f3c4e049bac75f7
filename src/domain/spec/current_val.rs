//! `"${Proton::CURRENT_VAL}"`: keep what the resource has.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-svc-instance-update.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::SPEC;
use crate::domain::yaml::{self, Content, Entry, Node, Place};
use crate::domain::{Problem, Problems};

const CURRENT_VAL: &str = "${Proton::CURRENT_VAL}";

/// The inputs with every value to keep taken from the current inputs.
pub(super) fn kept(given: &Node, current: Option<&Map<String, Value>>) -> Result<Node, Problems> {
    let current = current.map(|current| Node::of_map(current, None));
    let mut problems = Problems::default();
    let node = fill(given, current.as_ref(), "", &mut problems);
    problems.unless_any(|| node)
}

fn fill(given: &Node, current: Option<&Node>, path: &str, problems: &mut Problems) -> Node {
    let content = match &given.content {
        Content::Text(text) if text == CURRENT_VAL => {
            if let Some(current) = current {
                return Node::of(&current.to_value(), given.at);
            }
            problems.push(nothing_to_keep(given, path));
            Content::Null
        }
        Content::List(items) => {
            let fill = |(index, item)| fill(item, child(current, given, index), &join(path, given, index), problems);
            Content::List(items.iter().enumerate().map(fill).collect())
        }
        Content::Map(entries) => {
            let fill = |(index, entry): (usize, &Entry)| {
                let node = fill(&entry.node, child(current, given, index), &join(path, given, index), problems);
                Entry { key: entry.key.clone(), at: entry.at, node }
            };
            Content::Map(entries.iter().enumerate().map(fill).collect())
        }
        other => other.clone(),
    };
    Node { at: given.at, content }
}

/// The text with the values of the old one in place of those to keep.
pub(super) fn replaced(text: &str, old_text: &str) -> Result<String, Problems> {
    if !text.contains(CURRENT_VAL) {
        return Ok(text.to_owned());
    }
    let document = yaml::parse(SPEC, text)?;
    let old = yaml::parse("the current spec", old_text)?;
    let mut search = Search { text: text.chars().collect(), found: BTreeMap::new(), problems: Problems::default() };
    search.collect(&document, Some(&old), "");
    let Search { text, found, problems } = search;
    problems.unless_any(|| rewrite(&text, &found))
}

struct Search {
    text: Vec<char>,
    /// From its first character: how many characters to replace, and by what.
    found: BTreeMap<usize, (usize, String)>,
    problems: Problems,
}

impl Search {
    /// Finds each value to keep and its replacement: JSON on one line, which is YAML in any surroundings.
    fn collect(&mut self, given: &Node, old: Option<&Node>, path: &str) {
        if given.as_text() == Some(CURRENT_VAL)
            && let Err(problem) = self.keep(given, old, path)
        {
            self.problems.push(problem);
        }
        for index in 0..given.items().len().max(given.entries().len()) {
            let node = given.items().get(index).or_else(|| given.entries().get(index).map(|entry| &entry.node));
            if let Some(node) = node {
                self.collect(node, child(old, given, index), &join(path, given, index));
            }
        }
    }

    fn keep(&mut self, given: &Node, old: Option<&Node>, path: &str) -> Result<(), Problem> {
        let value = old.map(Node::to_value).filter(|value| value != CURRENT_VAL);
        let (Some(value), Some(Place { start, .. })) = (value, given.at) else {
            return Err(nothing_to_keep(given, path));
        };
        let forms = [format!("\"{CURRENT_VAL}\""), format!("'{CURRENT_VAL}'"), CURRENT_VAL.to_owned()];
        let rest = &self.text[start.min(self.text.len())..];
        let written = forms.iter().find(|form| form.chars().eq(rest.iter().copied().take(form.len())));
        let Some(written) = written else {
            let message = format!("`{path}` is to keep its current value, but isn't written in the plain way");
            return Err(given.problem(SPEC, message, format!("write exactly {}", forms[0])));
        };
        let replacement = (written.len(), value.to_string());
        // An anchored value stands in the text once and can't become two.
        match self.found.insert(start, replacement.clone()) {
            Some(other) if other != replacement => {
                let message = format!("`{path}` would keep two different values through its anchor");
                Err(given.problem(SPEC, message, "write the values out without an anchor"))
            }
            _ => Ok(()),
        }
    }
}

/// What corresponds in `old` to the child of `given` at an index: an item with the same name, else at the same index;
/// an entry with the same key.
fn child<'a>(old: Option<&'a Node>, given: &Node, index: usize) -> Option<&'a Node> {
    let old = old?;
    if let Some(entry) = given.entries().get(index) {
        return old.get(&entry.key);
    }
    match given.items().get(index)?.get("name") {
        Some(name) => old.items().iter().find(|item| item.get("name").is_some_and(|old| old.content == name.content)),
        None => old.items().get(index),
    }
}

fn join(path: &str, given: &Node, index: usize) -> String {
    match given.entries().get(index) {
        Some(entry) if path.is_empty() => entry.key.clone(),
        Some(entry) => format!("{path}.{}", entry.key),
        None => format!("{path}[{index}]"),
    }
}

fn nothing_to_keep(given: &Node, path: &str) -> Problem {
    let message = format!("`{path}` is to keep its current value, and it has none");
    given.problem(SPEC, message, "write the value, or remove the line to get the default")
}

fn rewrite(text: &[char], found: &BTreeMap<usize, (usize, String)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut position = 0;
    for (start, (length, value)) in found {
        out.extend(&text[position..*start]);
        out.push_str(value);
        position = start + length;
    }
    out.extend(&text[position..]);
    out
}
