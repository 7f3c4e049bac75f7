//! From the text of `types` to types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Number, Value};

use super::check::{Cost, checked};
use super::rules::{Bound, Pattern};
use super::types::{Count, Others, Shape, Type};
use crate::domain::Problems;
use crate::domain::problem::nearest;
use crate::domain::yaml::{Content, Node};

/// Longer names couldn't be provisioned by Proton.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/parameters.html>
const LONGEST_NAME: usize = 100;

/// Keywords that are understood.
const KEYWORDS: [&str; 20] = [
    "type",
    "required",
    "default",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "items",
    "additionalProperties",
    "nullable",
    "$ref",
];

/// Keywords that say nothing about which values are right.
const DOCUMENTATION: [&str; 10] = [
    "title",
    "description",
    "example",
    "examples",
    "format",
    "deprecated",
    "externalDocs",
    "readOnly",
    "writeOnly",
    "xml",
];

/// Keywords that do narrow values down: ignoring them would let wrong values through.
const UNSUPPORTED: [&str; 12] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "const",
    "if",
    "then",
    "else",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "propertyNames",
];

/// Whether a text has a keyword in quotes that the reader knows.
#[cfg(test)]
pub(in crate::domain) fn names_a_keyword(text: &str) -> bool {
    KEYWORDS.iter().chain(&DOCUMENTATION).any(|keyword| text.contains(&format!("'{keyword}'")))
}

const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];

/// Reads types, each named one once, and collects what is wrong with them.
pub(super) struct Reader<'a> {
    file: &'a str,
    types: Option<&'a Node>,
    named: BTreeMap<&'a str, Progress>,
    /// What all defaults together take.
    defaults: Cost,
    pub(super) problems: Problems,
}

enum Progress {
    /// A reference to it from within is a circle.
    Reading,
    /// `None`: wrong, and that has been said.
    Read(Option<Arc<Type>>),
}

/// The type that a word of another language stands for, or a mistyped one.
fn meant(word: &str) -> Option<&'static str> {
    match word.to_lowercase().as_str() {
        "int" | "long" => Some("integer"),
        "bool" => Some("boolean"),
        "str" | "text" => Some("string"),
        "float" | "double" => Some("number"),
        "list" => Some("array"),
        "map" | "dict" => Some("object"),
        other => nearest(other, TYPES),
    }
}

/// The type that a `$ref` names.
fn referred(reference: &str) -> Option<&str> {
    let name = ["#/schema/types/", "#/types/"].iter().find_map(|prefix| reference.strip_prefix(prefix))?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, types: Option<&'a Node>) -> Self {
        Self { file, types, named: BTreeMap::new(), defaults: Cost::default(), problems: Problems::default() }
    }

    /// Reads every type, also those that nothing refers to: a mistake in them is still a mistake.
    pub(super) fn read_all(&mut self) {
        match self.types {
            Some(types) if types.is_map() => {
                for entry in types.entries() {
                    self.named(&entry.key, &entry.node);
                }
            }
            Some(other) => self.refuse(other, format!("`types` must be a map, not {}", other.kind()), ""),
            None => self.problems.push(crate::domain::Problem::of(
                self.file,
                "`types` is missing",
                "declare the input type below `types`",
            )),
        }
    }

    /// The input type that a key of the schema names.
    pub(super) fn input(&mut self, name: &'a Node) -> Option<Arc<Type>> {
        let Some(text) = name.as_text() else {
            self.refuse(name, format!("an input type is the name of a type, not {}", name.kind()), "");
            return None;
        };
        let declared = self.named(text, name)?;
        match &declared.shape {
            Shape::Object { properties, .. } if !properties.is_empty() => Some(declared),
            Shape::Object { .. } => {
                // Properties that are wrong have been told already.
                if !self.declares_properties(text) {
                    self.refuse(name, format!("the input type `{text}` has no properties"), "declare at least one");
                }
                None
            }
            other => {
                let message = format!("the input type `{text}` is {}", other.described());
                self.refuse(name, message, "declare it as type: object with properties");
                None
            }
        }
    }

    /// Whether a type that could be read is written with properties, right or wrong, by itself or by what it refers to.
    fn declares_properties(&self, name: &str) -> bool {
        let Some(node) = self.types.and_then(|types| types.get(name)) else { return false };
        if let Some(other) = node.get("$ref").and_then(Node::as_text).and_then(referred) {
            return self.declares_properties(other);
        }
        node.get("properties").is_some_and(|declared| match &declared.content {
            Content::Null => false,
            Content::Map(entries) => !entries.is_empty(),
            _ => true,
        })
    }

    /// A type by its name; `from` is where it is named.
    fn named(&mut self, name: &'a str, from: &'a Node) -> Option<Arc<Type>> {
        match self.named.get(name) {
            Some(Progress::Read(declared)) => return declared.clone(),
            Some(Progress::Reading) => {
                self.refuse(from, format!("the type `{name}` contains itself"), "inputs are finite: break the circle");
                return None;
            }
            None => {}
        }
        let Some(node) = self.types.and_then(|types| types.get(name)) else {
            let known = self.types.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str());
            let remedy = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it below `types`".into(),
            };
            self.refuse(from, format!("there is no type `{name}`"), remedy);
            return None;
        };
        self.named.insert(name, Progress::Reading);
        let declared = self.read(node);
        self.named.insert(name, Progress::Read(declared.clone()));
        declared
    }

    fn read(&mut self, node: &'a Node) -> Option<Arc<Type>> {
        if !node.is_map() {
            self.refuse(node, format!("a type must be a map, not {}", node.kind()), "write at least type: string");
            return None;
        }
        self.keywords(node);
        if let Some(reference) = node.get("$ref") {
            return self.reference(node, reference);
        }
        let shape = self.shape(node)?;
        let nullable = self.flag(node, "nullable");
        let mut declared = Type { at: node.at, nullable, default: None, choices: None, shape };
        declared.choices = self.choices(node, &declared);
        declared.default = node.get("default").and_then(|default| self.default(&declared, default));
        Some(Arc::new(declared))
    }

    fn default(&mut self, declared: &Type, given: &'a Node) -> Option<Value> {
        if self.defaults.is_too_much() {
            return None;
        }
        let value = checked(self.file, declared, given, "default");
        let value = self.problems.note(value)?;
        self.defaults.add(&value);
        if self.defaults.is_too_much() {
            let message = format!("the defaults together stand for {}", Cost::limit());
            self.refuse(given, message, "shorten them, or nest fewer defaults");
        }
        Some(value)
    }

    fn keywords(&mut self, node: &Node) {
        for entry in node.entries() {
            let key = entry.key.as_str();
            if KEYWORDS.contains(&key) || DOCUMENTATION.contains(&key) || key.starts_with("x-") {
                continue;
            }
            if UNSUPPORTED.contains(&key) {
                let remedy = "describe the values with type, enum, pattern, bounds, properties and items";
                self.problems.push(entry.problem(self.file, format!("`{key}` isn't supported"), remedy));
            } else if let Some(near) = nearest(key, KEYWORDS) {
                let remedy = format!("did you mean `{near}`?");
                self.problems.push(entry.problem(self.file, format!("unknown keyword `{key}`"), remedy));
            }
        }
    }

    fn reference(&mut self, node: &'a Node, reference: &'a Node) -> Option<Arc<Type>> {
        for entry in node.entries() {
            let key = entry.key.as_str();
            if key != "$ref" && KEYWORDS.contains(&key) {
                let message = format!("`{key}` beside `$ref` has no effect");
                self.problems.push(entry.problem(self.file, message, "move it into the type that is referred to"));
            }
        }
        let text = reference.as_text().unwrap_or_default();
        let Some(name) = referred(text) else {
            let message = format!("`$ref` {} doesn't name one of `types`", reference.to_value());
            self.refuse(reference, message, "write \"#/types/NAME\"; nothing outside the schema can be referred to");
            return None;
        };
        self.named(name, reference)
    }

    fn shape(&mut self, node: &'a Node) -> Option<Shape> {
        let name = match node.get("type") {
            Some(name) => name,
            None if node.get("properties").is_some() => return Some(self.object(node)),
            None if node.get("items").is_some() => return Some(self.array(node)),
            None => {
                self.refuse(node, "`type` is missing", format!("add one of {}", TYPES.join(", ")));
                return None;
            }
        };
        let shape = match name.as_text() {
            Some("boolean") => Shape::Boolean,
            Some("string") => {
                Shape::Text { length: self.count(node, "minLength", "maxLength"), pattern: self.pattern(node) }
            }
            Some(number @ ("integer" | "number")) => Shape::Number {
                integer: number == "integer",
                minimum: self.bound(node, "minimum", "exclusiveMinimum"),
                maximum: self.bound(node, "maximum", "exclusiveMaximum"),
                multiple_of: self.step(node),
            },
            Some("array") => self.array(node),
            Some("object") => self.object(node),
            other => {
                let remedy = match other.and_then(meant) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("use one of {}", TYPES.join(", ")),
                };
                self.refuse(name, format!("unknown type {}", name.to_value()), remedy);
                return None;
            }
        };
        Some(shape)
    }

    fn array(&mut self, node: &'a Node) -> Shape {
        Shape::Array {
            items: node.get("items").and_then(|items| self.read(items)),
            count: self.count(node, "minItems", "maxItems"),
            unique: self.flag(node, "uniqueItems"),
        }
    }

    fn object(&mut self, node: &'a Node) -> Shape {
        let mut properties = Vec::new();
        if let Some(declared) = node.get("properties") {
            if !matches!(declared.content, Content::Map(_) | Content::Null) {
                self.refuse(declared, format!("`properties` must be a map, not {}", declared.kind()), "");
            }
            for entry in declared.entries() {
                if entry.key.chars().count() > LONGEST_NAME {
                    let message = format!("a property's name has more than {LONGEST_NAME} characters");
                    self.problems.push(entry.problem(self.file, message, "shorten it"));
                }
                // A wrong property stays known, else `required` would complain of it, too.
                properties.push((entry.key.clone(), self.read(&entry.node)));
            }
        }
        let required = self.required(node, &properties);
        let others = match node.get("additionalProperties").map(|node| (node, &node.content)) {
            None if properties.is_empty() => Others::Any,
            None | Some((_, Content::Bool(false))) => Others::Refused,
            Some((_, Content::Bool(true))) => Others::Any,
            Some((node, _)) => self.read(node).map_or(Others::Any, Others::Of),
        };
        let properties = properties.into_iter().filter_map(|(name, declared)| Some((name, declared?))).collect();
        Shape::Object { properties, required, others }
    }

    fn required(&mut self, node: &'a Node, properties: &[(String, Option<Arc<Type>>)]) -> BTreeSet<String> {
        let Some(list) = node.get("required") else { return BTreeSet::new() };
        if !matches!(list.content, Content::List(_)) {
            let message = format!("`required` must be a list of properties, not {}", list.kind());
            self.refuse(list, message, "write required: [a, b] beside `properties`");
        }
        let open = node.get("additionalProperties").is_some_and(|others| others.content != Content::Bool(false));
        let mut names = BTreeSet::new();
        for item in list.items() {
            let name = item.as_text().unwrap_or_default();
            if open || properties.iter().any(|(known, _)| known == name) {
                names.insert(name.to_owned());
                continue;
            }
            let remedy = match nearest(name, properties.iter().map(|(known, _)| known.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it below `properties`, or remove it here".into(),
            };
            self.refuse(item, format!("{} is required but no property", item.to_value()), remedy);
        }
        names
    }

    fn choices(&mut self, node: &'a Node, declared: &Type) -> Option<Vec<Value>> {
        let list = node.get("enum")?;
        if list.items().is_empty() {
            self.refuse(list, "`enum` must be a list of at least one value", "write enum: [a, b]");
            return None;
        }
        let values: Vec<Option<Value>> = list
            .items()
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let value = checked(self.file, declared, item, &format!("enum[{index}]"));
                self.problems.note(value)
            })
            .collect();
        values.into_iter().collect()
    }

    fn pattern(&mut self, node: &'a Node) -> Option<Pattern> {
        let given = node.get("pattern")?;
        let Some(source) = given.as_text() else {
            self.refuse(given, format!("`pattern` must be a string, not {}", given.kind()), "put it in quotes");
            return None;
        };
        match Pattern::new(source) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                let remedy = "write it without look-around and back-references; special characters need a \\";
                self.refuse(given, format!("the pattern {source} can't be used: {why}"), remedy);
                None
            }
        }
    }

    fn count(&mut self, node: &'a Node, least: &str, most: &str) -> Count {
        Count { least: self.size(node, least), most: self.size(node, most) }
    }

    fn size(&mut self, node: &'a Node, key: &str) -> Option<u64> {
        let given = node.get(key)?;
        let size = if let Content::Number(number) = &given.content { number.as_u64() } else { None };
        if size.is_none() {
            self.refuse(given, format!("`{key}` must be an integer of at least 0, not {}", given.to_value()), "");
        }
        size
    }

    /// `exclusive` is `OpenAPI` 3.0's flag beside the bound, or, as in 3.1, a bound itself.
    fn bound(&mut self, node: &'a Node, key: &str, exclusive: &str) -> Option<Bound> {
        match node.get(exclusive).map(|node| &node.content) {
            Some(Content::Number(value)) => return Some(Bound { value: value.clone(), exclusive: true }),
            Some(Content::Bool(exclusive)) => {
                return Some(Bound { value: self.number(node, key)?, exclusive: *exclusive });
            }
            Some(_) => {
                self.refuse(node.get(exclusive).unwrap_or(node), format!("`{exclusive}` must be true or false"), "");
            }
            None => {}
        }
        Some(Bound { value: self.number(node, key)?, exclusive: false })
    }

    fn step(&mut self, node: &'a Node) -> Option<Number> {
        let step = self.number(node, "multipleOf")?;
        if step.as_f64().is_some_and(|step| step > 0.0) {
            return Some(step);
        }
        self.refuse(node.get("multipleOf").unwrap_or(node), "`multipleOf` must be above 0", "");
        None
    }

    fn number(&mut self, node: &'a Node, key: &str) -> Option<Number> {
        let given = node.get(key)?;
        if let Content::Number(number) = &given.content {
            return Some(number.clone());
        }
        self.refuse(given, format!("`{key}` must be a number, not {}", given.kind()), "write it without quotes");
        None
    }

    fn flag(&mut self, node: &'a Node, key: &str) -> bool {
        let Some(given) = node.get(key) else { return false };
        if let Content::Bool(flag) = given.content {
            return flag;
        }
        self.refuse(given, format!("`{key}` must be true or false, not {}", given.kind()), "");
        false
    }

    fn refuse(&mut self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(node.problem(self.file, message, remedy));
    }
}
