//! `proton.….variables.tf`, compared as HCL, up to the history of its types.

use std::collections::BTreeMap;

use hcl::expr::{FuncCall, ObjectKey};
use hcl::{Body, Expression};

use super::Difference;
use crate::domain::{Files, Target};
use crate::estate::age::Age;
use crate::estate::model::Resource;
use crate::estate::read::is_generated;

/// What of the generated variables would be written otherwise.
pub(super) fn differences(resource: &Resource, rendered: &Files) -> Vec<Difference> {
    let Some((name, made)) = rendered.iter().find(|(name, _)| is_generated(name)) else { return Vec::new() };
    let Some(read) = &resource.generated else {
        return vec![Difference::of(name, None, "is not there, and would be written")];
    };
    let made = String::from_utf8_lossy(made);
    let (a, b) = match (hcl::parse(read.body.trim_start_matches('\u{feff}')), hcl::parse(&made)) {
        (Ok(read), Ok(made)) => (read, made),
        (Err(error), _) | (_, Err(error)) => {
            let said = error.to_string();
            let said = said.lines().last().unwrap_or_default().trim();
            return vec![Difference::of(&read.name, None, format!("is no valid HCL: {said}"))];
        }
    };
    let component = matches!(resource.target, Target::Component { .. });
    let mut compare = Compare { file: &read.name, component, found: Vec::new() };
    compare.bodies(&a, &b);
    if compare.found.is_empty() && lines(&read.body) != lines(below_banner(&made)) {
        compare.add(Some(Age::Blanks), Age::Blanks.explanation());
    }
    compare.found
}

fn below_banner(text: &str) -> &str {
    text.split_once("*/").map_or(text, |(_, body)| body)
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.is_empty())
        .collect()
}

struct Compare<'a> {
    file: &'a str,
    component: bool,
    found: Vec<Difference>,
}

type Attributes<'a> = BTreeMap<&'a str, &'a Expression>;

impl Compare<'_> {
    fn add(&mut self, age: Option<Age>, text: impl Into<String>) {
        self.found.push(Difference::of(self.file, age, text));
    }

    fn bodies(&mut self, read: &Body, made: &Body) {
        let (a, b) = (variables(read), variables(made));
        if a.len() != read.iter().count() {
            self.add(None, "holds something else than variables, or one twice");
        }
        for (name, attributes) in &a {
            match b.get(name) {
                Some(made) => self.variable(name, attributes, made),
                None => self.add(None, format!("the variable {name} would not be declared")),
            }
        }
        for name in b.keys().filter(|name| !a.contains_key(*name)) {
            let age = (*name == "proton_tags").then_some(Age::NoTags);
            self.add(age, format!("the variable {name} is not declared, and would be"));
        }
    }

    fn variable(&mut self, name: &str, read: &Attributes<'_>, made: &Attributes<'_>) {
        for key in read.keys().chain(made.keys().filter(|key| !read.contains_key(*key))) {
            match (*key, read.get(key), made.get(key)) {
                ("type", Some(read), Some(made)) => self.types(&mut vec![name], read, made),
                (_, Some(read), Some(made)) if read == made => {}
                ("default", read, made)
                    if [read, made].iter().all(|it| it.is_none_or(|it| **it == Expression::Null)) =>
                {
                    self.add(Some(Age::NullDefault), Age::NullDefault.explanation());
                }
                _ => self.add(None, format!("{key} of the variable {name} would be written otherwise")),
            }
        }
    }

    fn types<'e>(&mut self, path: &mut Vec<&'e str>, read: &'e Expression, made: &'e Expression) {
        let (read, made) = (bare(read), bare(made));
        if read == made {
            return;
        }
        if let (Expression::Object(a), Expression::Object(b)) = (read, made) {
            return self.members(path, &members(a), &members(b));
        }
        if let Some(age) = self.aged(path, read, made) {
            if age == Age::TupleOfInstances
                && let (Some(item), Some(items)) = (argument(read), argument(made))
                && let Expression::Array(items) = items
                && let Some(first) = items.first()
            {
                self.types(path, item, first);
            }
            return self.add(Some(age), age.explanation());
        }
        match (call(read), call(made)) {
            (Some(a), Some(b)) if a.name == b.name && a.args.len() == b.args.len() => {
                for (a, b) in a.args.iter().zip(&b.args) {
                    self.types(path, a, b);
                }
            }
            _ => self.add(None, format!("the type of {} is {read}, and would be {made}", path.join("."))),
        }
    }

    fn members<'e>(&mut self, path: &mut Vec<&'e str>, read: &Attributes<'e>, made: &Attributes<'e>) {
        for (name, a) in read {
            path.push(name);
            match made.get(name) {
                Some(b) => self.types(path, a, b),
                None => self.add(None, format!("{} would not be declared", path.join("."))),
            }
            path.pop();
        }
        for name in made.keys().filter(|name| !read.contains_key(*name)) {
            let age = (*name == "components").then_some(Age::NoComponents);
            self.add(age, format!("{}.{name} is not declared, and would be", path.join(".")));
        }
    }

    fn aged(&self, path: &[&str], read: &Expression, made: &Expression) -> Option<Age> {
        let both = (read.to_string(), made.to_string());
        match (path, (both.0.as_str(), both.1.as_str())) {
            ([.., "inputs"], ("map(string)", "any")) if self.component => Some(Age::ComponentInputs),
            ([.., "inputs"], ("map(string)" | "map(any)", "any") | ("any" | "map(any)", "map(string)")) => {
                Some(Age::InputsOfText)
            }
            ([.., "components"], ("map(string)" | "any", "map(any)")) => Some(Age::ComponentsOfText),
            (["service_instances"], _) if is(read, "list") && is(made, "tuple") => Some(Age::TupleOfInstances),
            _ => None,
        }
    }
}

/// The variables of a body by name.
fn variables(body: &Body) -> BTreeMap<&str, Attributes<'_>> {
    let blocks = body.blocks().filter(|block| block.identifier() == "variable");
    blocks
        .filter_map(|block| {
            let attributes = block.body().attributes().map(|it| (it.key(), it.expr())).collect();
            Some((block.labels().first()?.as_str(), attributes))
        })
        .collect()
}

fn members(object: &hcl::expr::Object<ObjectKey, Expression>) -> Attributes<'_> {
    object.iter().filter_map(|(key, value)| Some((member(key)?, value))).collect()
}

fn member(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Identifier(name) => Some(name.as_str()),
        ObjectKey::Expression(Expression::String(name)) => Some(name.as_str()),
        ObjectKey::Expression(Expression::Variable(name)) => Some(name.as_str()),
        _ => None,
    }
}

/// An expression without parentheses.
fn bare(expression: &Expression) -> &Expression {
    if let Expression::Parenthesis(inner) = expression { bare(inner) } else { expression }
}

fn call(expression: &Expression) -> Option<&FuncCall> {
    if let Expression::FuncCall(call) = expression { Some(call) } else { None }
}

fn argument(expression: &Expression) -> Option<&Expression> {
    call(expression)?.args.first().map(bare)
}

fn is(expression: &Expression, name: &str) -> bool {
    call(expression).is_some_and(|call| call.name.name.as_str() == name)
}
