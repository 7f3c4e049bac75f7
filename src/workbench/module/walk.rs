//! What the expressions of a file speak of.

use std::collections::BTreeMap;
use std::str::FromStr;

use hcl_edit::Span;
use hcl_edit::expr::{Conditional, Expression, ForExpr, FuncCall, Traversal, TraversalOperator};
use hcl_edit::structure::{Attribute, Block, BlockLabel};
use hcl_edit::template::{ForDirective, Template};
use hcl_edit::visit::{self, Visit};
use serde_json::Value;

use super::{Found, Module, Places, Read};
use crate::renderer::{Mention, Step};

pub(super) fn file(module: &mut Module, text: &Read) {
    let places = Places::new(&text.path, &text.text);
    let mut walk = Walk::new(&text.path, Some(&places));
    walk.visit_body(&text.body);
    module.found.append(&mut walk.found);
}

/// The texts of a file in JSON, which are templates; where they stand isn't known.
pub(super) fn json(module: &mut Module, path: &str, document: &Value) {
    match document {
        Value::String(text) if text.contains("${") => {
            let mut walk = Walk::new(path, None);
            if let Ok(template) = Template::from_str(text) {
                walk.visit_template(&template);
            }
            module.found.append(&mut walk.found);
        }
        Value::Array(items) => items.iter().for_each(|item| json(module, path, item)),
        Value::Object(members) => members.values().for_each(|member| json(module, path, member)),
        _ => {}
    }
}

/// Functions whose arguments may fail.
const TOLERANT: [&str; 2] = ["try", "can"];

/// Functions that only ask how much or what there is.
const COUNTING: [&str; 2] = ["length", "type"];

struct Walk<'t> {
    path: &'t str,
    places: Option<&'t Places<'t>>,
    /// Names that expressions give, innermost last, and the paths that they stand for.
    bound: Vec<BTreeMap<String, Option<Vec<Step>>>>,
    guarded: usize,
    found: Vec<Found>,
}

impl<'t> Walk<'t> {
    fn new(path: &'t str, places: Option<&'t Places<'t>>) -> Self {
        Self { path, places, bound: Vec::new(), guarded: 0, found: Vec::new() }
    }

    /// The path of an expression that is nothing but names, and known from the top.
    fn path(&self, expression: &Expression) -> Option<Vec<Step>> {
        match expression {
            Expression::Variable(name) => match self.bound.iter().rev().find_map(|names| names.get(name.as_str())) {
                Some(path) => path.clone(),
                None => Some(vec![Step::Name(name.as_str().to_owned())]),
            },
            Expression::Traversal(traversal) => {
                let mut path = self.path(&traversal.expr)?;
                path.extend(traversal.operators.iter().map(|operator| step(operator)));
                Some(path)
            }
            Expression::Parenthesis(inner) => self.path(inner.inner()),
            Expression::FuncCall(call) if call.name.namespace.is_empty() => match call.name.name.as_str() {
                "try" | "coalesce" => self.path(call.args.get(0)?),
                "lookup" => {
                    let key = call.args.get(1)?;
                    let key = key.as_str().map_or(Step::Any, |name| Step::Name(name.to_owned()));
                    self.path(call.args.get(0)?).map(|path| [path, vec![key]].concat())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn note(&mut self, path: Vec<Step>, at: &Expression) {
        let (line, column) = match (self.places, at.span()) {
            (Some(places), Some(span)) => places.at(span.start),
            _ => (1, 1),
        };
        let mention = Mention { path, line, column, guarded: self.guarded > 0, as_whole: true };
        self.found.push(Found { path: self.path.to_owned(), mention, names: None });
    }

    fn guard(&mut self, work: impl FnOnce(&mut Self)) {
        self.guarded += 1;
        work(self);
        self.guarded -= 1;
    }

    /// Visits what is only gone through: nothing below it is used by that.
    fn visit_iterated(&mut self, expression: &Expression) {
        let before = self.found.len();
        self.visit_expr(expression);
        if self.path(expression).is_some() {
            self.found[before..].iter_mut().for_each(|found| found.mention.as_whole = false);
        }
    }

    fn visit_indices(&mut self, traversal: &Traversal) {
        for operator in &traversal.operators {
            if let TraversalOperator::Index(index) = &**operator {
                self.visit_expr(index);
            }
        }
        if let Expression::Traversal(inner) = &traversal.expr {
            self.visit_indices(inner);
        }
    }

    fn with_names(&mut self, names: BTreeMap<String, Option<Vec<Step>>>, work: impl FnOnce(&mut Self)) {
        self.bound.push(names);
        work(self);
        self.bound.pop();
    }
}

fn step(operator: &TraversalOperator) -> Step {
    match operator {
        TraversalOperator::GetAttr(name) => Step::Name(name.as_str().to_owned()),
        TraversalOperator::Index(index) => index.as_str().map_or(Step::Any, |name| Step::Name(name.to_owned())),
        _ => Step::Any,
    }
}

impl Visit for Walk<'_> {
    fn visit_block(&mut self, block: &Block) {
        let label = block.labels.first().map(BlockLabel::as_str).unwrap_or_default();
        match block.ident.as_str() {
            // Nothing in them speaks of values.
            "terraform" | "moved" | "removed" => {}
            "locals" => {
                for local in block.body.attributes() {
                    let before = self.found.len();
                    self.visit_expr(&local.value);
                    if self.path(&local.value).is_some()
                        && let Some(found) = self.found.get_mut(before)
                    {
                        found.names = Some(local.key.as_str().to_owned());
                        found.mention.as_whole = false;
                    }
                }
            }
            "dynamic" => {
                let iterator = block.body.get_attribute("iterator").and_then(|attribute| attribute.value.as_variable());
                let name = iterator.map_or(label, |name| name.as_str()).to_owned();
                block.body.get_attribute("for_each").into_iter().for_each(|each| self.visit_expr(&each.value));
                self.with_names(BTreeMap::from([(name, None)]), |walk| {
                    block.body.get_attribute("labels").into_iter().for_each(|labels| walk.visit_expr(&labels.value));
                    block.body.blocks().for_each(|content| walk.visit_block(content));
                });
            }
            word => {
                for attribute in block.body.attributes() {
                    if !is_no_expression(word, attribute) {
                        self.visit_expr(&attribute.value);
                    }
                }
                block.body.blocks().for_each(|inner| self.visit_block(inner));
            }
        }
    }

    fn visit_expr(&mut self, expression: &Expression) {
        if let Some(path) = self.path(expression) {
            match expression {
                Expression::Traversal(traversal) => self.visit_indices(traversal),
                Expression::FuncCall(call) => return self.visit_func_call(call),
                Expression::Parenthesis(inner) => return self.visit_expr(inner.inner()),
                _ => {}
            }
            return self.note(path, expression);
        }
        visit::visit_expr(self, expression);
    }

    fn visit_traversal(&mut self, traversal: &Traversal) {
        self.visit_expr(&traversal.expr);
        self.visit_indices(traversal);
    }

    fn visit_func_call(&mut self, call: &FuncCall) {
        let name = call.name.name.as_str();
        let arguments = || call.args.iter();
        if TOLERANT.contains(&name) {
            return self.guard(|walk| arguments().for_each(|argument| walk.visit_expr(argument)));
        }
        if COUNTING.contains(&name) {
            return arguments().for_each(|argument| self.visit_iterated(argument));
        }
        if name == "lookup"
            && let (Some(from), Some(Expression::String(key))) = (call.args.get(0), call.args.get(1))
            && let Some(path) = self.path(from)
        {
            let path = [path, vec![Step::Name(key.as_str().to_owned())]].concat();
            self.guard(|walk| walk.note(path, from));
            return arguments().skip(2).for_each(|argument| self.visit_expr(argument));
        }
        arguments().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_conditional(&mut self, conditional: &Conditional) {
        self.visit_expr(&conditional.cond_expr);
        // Whoever asks first may well know that it's missing.
        let branches = |walk: &mut Self| {
            walk.visit_expr(&conditional.true_expr);
            walk.visit_expr(&conditional.false_expr);
        };
        if asks(&conditional.cond_expr) { self.guard(branches) } else { branches(self) }
    }

    fn visit_for_expr(&mut self, each: &ForExpr) {
        self.visit_iterated(&each.intro.collection_expr);
        let item = self.path(&each.intro.collection_expr).map(|path| [path, vec![Step::Any]].concat());
        let mut names = BTreeMap::from([(each.intro.value_var.as_str().to_owned(), item)]);
        names.extend(each.intro.key_var.iter().map(|key| (key.as_str().to_owned(), None)));
        self.with_names(names, |walk| {
            each.key_expr.iter().for_each(|key| walk.visit_expr(key));
            walk.visit_expr(&each.value_expr);
            each.cond.iter().for_each(|condition| walk.visit_expr(&condition.expr));
        });
    }

    fn visit_for_directive(&mut self, each: &ForDirective) {
        self.visit_iterated(&each.for_expr.collection_expr);
        let item = self.path(&each.for_expr.collection_expr).map(|path| [path, vec![Step::Any]].concat());
        let mut names = BTreeMap::from([(each.for_expr.value_var.as_str().to_owned(), item)]);
        names.extend(each.for_expr.key_var.iter().map(|key| (key.as_str().to_owned(), None)));
        self.with_names(names, |walk| walk.visit_template(&each.for_expr.template));
    }
}

/// Words that look like names of values and are none: types, providers, keywords.
fn is_no_expression(block: &str, attribute: &Attribute) -> bool {
    let key = attribute.key.as_str();
    match block {
        "variable" => key == "type",
        "provisioner" => matches!(key, "when" | "on_failure"),
        "lifecycle" => key == "ignore_changes",
        "module" => matches!(key, "providers" | "source" | "version"),
        "resource" | "data" | "ephemeral" | "import" => matches!(key, "provider" | "to"),
        _ => false,
    }
}

/// Whether a condition asks for what there is.
fn asks(condition: &Expression) -> bool {
    struct Asks(bool);
    impl Visit for Asks {
        fn visit_func_call(&mut self, call: &FuncCall) {
            self.0 |= matches!(call.name.name.as_str(), "keys" | "contains" | "can" | "try" | "lookup");
            visit::visit_func_call(self, call);
        }
    }
    let mut asks = Asks(false);
    asks.visit_expr(condition);
    asks.0
}
