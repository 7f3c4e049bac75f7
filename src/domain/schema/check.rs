//! A value against its type: every mistake, and the defaults.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Number, Value};

use super::number::{as_integer, is_multiple, same};
use super::rules::Bound;
use super::types::{Count, Others, Shape, Type};
use crate::domain::problem::nearest;
use crate::domain::yaml::{Content, Entry, Node};
use crate::domain::{Problem, Problems};

/// Most values that one check may make; nested defaults can multiply.
pub(super) const MOST_VALUES: usize = 100_000;

/// Most bytes of text that the defaults of one check may have: many properties can refer to one long default.
const MOST_BYTES: usize = 1 << 20;

/// The value of a node with its defaults filled in. `name` is what problems call it, `""` for the inputs as a whole.
pub(super) fn checked(file: &str, declared: &Type, node: &Node, name: &str) -> Result<Value, Problems> {
    let mut check = Check { file, problems: Problems::default(), cost: Cost::default(), overflowed: false };
    let value = check.value(declared, node, name);
    check.problems.unless_any(|| value)
}

struct Check<'a> {
    file: &'a str,
    problems: Problems,
    cost: Cost,
    overflowed: bool,
}

/// What values take.
#[derive(Default)]
pub(super) struct Cost {
    values: usize,
    bytes: usize,
}

impl Cost {
    /// Counts a value with all that lies in it, its texts and its keys.
    pub(super) fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::String(text) => self.bytes += text.len(),
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(map) => {
                for (key, value) in map {
                    self.bytes += key.len();
                    self.add(value);
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.values > MOST_VALUES || self.bytes > MOST_BYTES
    }

    /// What is too much, as a sentence says it.
    pub(super) fn limit() -> String {
        format!("more than {MOST_VALUES} values or {} MiB of text", MOST_BYTES >> 20)
    }
}

impl Check<'_> {
    fn value(&mut self, declared: &Type, node: &Node, name: &str) -> Value {
        self.cost.values += 1;
        if self.cost.is_too_much() {
            self.too_many(node);
            return Value::Null;
        }
        let before = self.problems.0.len();
        let value = self.shaped(declared, node, name);
        if self.problems.0.len() == before {
            self.choice(declared, node, name, &value);
        }
        value
    }

    fn shaped(&mut self, declared: &Type, node: &Node, name: &str) -> Value {
        match (&declared.shape, &node.content) {
            (_, Content::Null) if declared.nullable => Value::Null,
            (Shape::Boolean, Content::Bool(flag)) => Value::Bool(*flag),
            (Shape::Text { length, pattern }, Content::Text(text)) => {
                self.count(*length, text.chars().count(), "character", node, name);
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
                    let message = format!("{} doesn't match the pattern {}", called(name), pattern.source());
                    self.refuse(node, message, "");
                }
                Value::String(text.clone())
            }
            (Shape::Number { integer, minimum, maximum, multiple_of }, Content::Number(number)) => {
                let number = match as_integer(number) {
                    Some(whole) if *integer => whole,
                    None if *integer => return self.mismatch(declared, node, name),
                    _ => number.clone(),
                };
                self.range(minimum.as_ref(), maximum.as_ref(), multiple_of.as_ref(), &number, node, name);
                Value::Number(number)
            }
            (Shape::Array { items, count, unique }, Content::List(nodes)) => {
                self.count(*count, nodes.len(), "item", node, name);
                let items = items.as_deref();
                let values = nodes.iter().enumerate().map(|(index, node)| match items {
                    Some(declared) => self.value(declared, node, &format!("{name}[{index}]")),
                    None => node.to_value(),
                });
                let values: Vec<Value> = values.collect();
                if *unique && has_doubles(&values) {
                    self.refuse(node, format!("{} has the same item twice", called(name)), "remove one of them");
                }
                Value::Array(values)
            }
            (Shape::Object { properties, required, others }, Content::Map(entries)) => {
                let mut map = Map::new();
                for (property, declared) in properties {
                    if let Some(value) = self.property(declared, node, name, property, required) {
                        map.insert(property.clone(), value);
                    }
                }
                let known: HashSet<&str> = properties.iter().map(|(property, _)| property.as_str()).collect();
                for entry in entries.iter().filter(|entry| !known.contains(entry.key.as_str())) {
                    map.insert(entry.key.clone(), self.other(others, &known, entry, name));
                }
                Value::Object(map)
            }
            _ => self.mismatch(declared, node, name),
        }
    }

    /// A declared property: what is given, else its default. The default comes before `required` is looked at, so that
    /// a property may have both.
    fn property(
        &mut self,
        declared: &Type,
        object: &Node,
        name: &str,
        property: &str,
        required: &BTreeSet<String>,
    ) -> Option<Value> {
        if let Some(given) = object.get(property) {
            return Some(self.value(declared, given, &join(name, property)));
        }
        if declared.default.is_none() && required.contains(property) {
            let message = format!("{} is missing", called(&join(name, property)));
            self.refuse(object, message, format!("add it, it must be {}", declared.shape.described()));
        }
        let default = declared.default.as_ref()?;
        // A default is counted with all that lies in it before it is copied: copies of copies grow fast.
        if !self.overflowed {
            self.cost.add(default);
        }
        if self.cost.is_too_much() {
            self.too_many(object);
            return None;
        }
        Some(default.clone())
    }

    fn other(&mut self, others: &Others, known: &HashSet<&str>, entry: &Entry, name: &str) -> Value {
        match others {
            Others::Any => entry.node.to_value(),
            Others::Of(declared) => self.value(declared, &entry.node, &join(name, &entry.key)),
            Others::Refused => {
                let mut names: Vec<&str> = known.iter().copied().collect();
                names.sort_unstable();
                let remedy = match nearest(&entry.key, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the schema knows {}", names.join(", ")),
                };
                let message = format!("{} is no property of the schema", called(&join(name, &entry.key)));
                self.problems.push(entry.problem(self.file, message, remedy));
                Value::Null
            }
        }
    }

    /// Says once that there are too many values.
    fn too_many(&mut self, node: &Node) {
        if !std::mem::replace(&mut self.overflowed, true) {
            let message = format!("stands for {}", Cost::limit());
            self.refuse(node, message, "give fewer, or shorten the defaults and nest fewer of them");
        }
    }

    fn choice(&mut self, declared: &Type, node: &Node, name: &str, value: &Value) {
        // A nullable type needs no null among its choices.
        let Some(choices) = declared.choices.as_ref().filter(|_| !value.is_null()) else { return };
        if !choices.iter().any(|choice| same(choice, value)) {
            let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
            let message = format!("{} is {value}, which isn't one of its values", called(name));
            self.refuse(node, message, format!("use one of {}", choices.join(", ")));
        }
    }

    fn count(&mut self, limit: Count, count: usize, of: &str, node: &Node, name: &str) {
        let size = u64::try_from(count).unwrap_or(u64::MAX);
        let plural = |limit: u64| format!("{limit} {of}{}", if limit == 1 { "" } else { "s" });
        if let Some(least) = limit.least.filter(|least| size < *least) {
            self.refuse(node, format!("{} has {size} of at least {}", called(name), plural(least)), "");
        }
        if let Some(most) = limit.most.filter(|most| size > *most) {
            self.refuse(node, format!("{} has {size} of at most {}", called(name), plural(most)), "");
        }
    }

    fn range(
        &mut self,
        minimum: Option<&Bound>,
        maximum: Option<&Bound>,
        multiple_of: Option<&Number>,
        number: &Number,
        node: &Node,
        name: &str,
    ) {
        if let Some(bound) = minimum.filter(|bound| !bound.is_below(number)) {
            let than = if bound.exclusive { "not above" } else { "below" };
            self.refuse(node, format!("{} is {number}, {than} the minimum {}", called(name), bound.value), "");
        }
        if let Some(bound) = maximum.filter(|bound| !bound.is_above(number)) {
            let than = if bound.exclusive { "not below" } else { "above" };
            self.refuse(node, format!("{} is {number}, {than} the maximum {}", called(name), bound.value), "");
        }
        if let Some(step) = multiple_of.filter(|step| !is_multiple(number, step)) {
            self.refuse(node, format!("{} is {number}, no multiple of {step}", called(name)), "");
        }
    }

    fn mismatch(&mut self, declared: &Type, node: &Node, name: &str) -> Value {
        let message = format!("{} must be {}, not {}", called(name), declared.shape.described(), node.kind());
        self.refuse(node, message, remedy(declared, node));
        Value::Null
    }

    fn refuse(&mut self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) {
        let problem: Problem = node.problem(self.file, message, remedy);
        self.problems.push(problem);
    }
}

/// How to write a value of the wrong type right, where the value tells.
fn remedy(declared: &Type, node: &Node) -> String {
    match (&declared.shape, &node.content) {
        (_, Content::Null) => "give it a value, or remove the line to get the default".into(),
        (Shape::Number { .. }, Content::Text(text)) if text.parse::<f64>().is_ok() => {
            format!("write {text} without quotes")
        }
        (Shape::Boolean, Content::Text(text)) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" => "write true without quotes".into(),
            "false" | "no" | "off" => "write false without quotes".into(),
            _ => "write true or false".into(),
        },
        (Shape::Text { .. }, Content::Number(_) | Content::Bool(_)) => "put it in quotes".into(),
        (Shape::Array { .. }, Content::Text(_) | Content::Number(_) | Content::Bool(_)) => "put it in [ ]".into(),
        _ => String::new(),
    }
}

fn has_doubles(values: &[Value]) -> bool {
    let mut seen = HashSet::new();
    values.iter().any(|value| !seen.insert(value.to_string()))
}

fn called(name: &str) -> String {
    if name.is_empty() { "the inputs".into() } else { format!("`{name}`") }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}
