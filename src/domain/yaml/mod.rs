//! YAML, and JSON as its subset, with a position for every node.
//!
//! The tree is built from the parser's events in a loop, so that no document, however deep, can overflow the stack.

mod scalar;
mod tree;
mod write;

use serde_json::{Map, Number, Value};

use super::{Problem, Problems};

pub(crate) use tree::parse;
pub use write::{yaml_key, yaml_value};

/// Where a node stands in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The first character, counted from 0.
    pub(crate) start: usize,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1.
    pub(crate) column: usize,
}

/// A value and its place; values that were never written (defaults, stored ones) have none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Option<Place>,
    pub(crate) content: Content,
}

/// What a node holds: JSON's kinds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Option<Place>,
    pub(crate) node: Node,
}

impl Node {
    /// The child under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries of a map; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        if let Content::Map(entries) = &self.content { entries } else { &[] }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node] {
        if let Content::List(items) = &self.content { items } else { &[] }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content { Some(text) } else { None }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    /// What the node is, as a sentence says it.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "a boolean",
            Content::Number(number) if number.is_f64() => "a number",
            Content::Number(_) => "an integer",
            Content::Text(_) => "a string",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    /// The node as JSON.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(flag) => Value::Bool(*flag),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_value).collect(),
            Content::Map(_) => Value::Object(self.to_map()),
        }
    }

    /// The entries of a map as JSON; an empty one for anything else.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.entries().iter().map(|entry| (entry.key.clone(), entry.node.to_value())).collect()
    }

    /// A node for a value, all of it at one place.
    pub(crate) fn of(value: &Value, at: Option<Place>) -> Self {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(flag) => Content::Bool(*flag),
            Value::Number(number) => Content::Number(number.clone()),
            Value::String(text) => Content::Text(text.clone()),
            Value::Array(items) => Content::List(items.iter().map(|item| Self::of(item, at)).collect()),
            Value::Object(map) => return Self::of_map(map, at),
        };
        Self { at, content }
    }

    /// A node for a map, all of it at one place.
    pub(crate) fn of_map(map: &Map<String, Value>, at: Option<Place>) -> Self {
        let entry = |(key, value): (&String, &Value)| Entry { key: key.clone(), at, node: Self::of(value, at) };
        Self { at, content: Content::Map(map.iter().map(entry).collect()) }
    }

    /// A problem at this node.
    pub(crate) fn problem(&self, file: &str, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        placed(Problem::of(file, message, remedy), self.at)
    }
}

impl Entry {
    /// A problem at this key.
    pub(crate) fn problem(&self, file: &str, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        placed(Problem::of(file, message, remedy), self.at)
    }
}

/// The problem at a place, where there is one.
pub(crate) fn placed(problem: Problem, at: Option<Place>) -> Problem {
    match at {
        Some(place) => problem.at(place.line, place.column),
        None => problem,
    }
}

/// Notes every key of a map that isn't one of the known ones, with the nearest of them.
pub(crate) fn refuse_unknown_keys(problems: &mut Problems, file: &str, node: &Node, what: &str, known: &[&str]) {
    for entry in node.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let remedy = match super::problem::nearest(&entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{what} takes {}", known.join(", ")),
        };
        problems.push(entry.problem(file, format!("unknown key `{}` in {what}", entry.key), remedy));
    }
}
