//! Which inputs Terraform code reads: evidence for inputs that no spec gave.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, FuncCall, Traversal, TraversalOperator};
use hcl_edit::visit::{self, Visit};
use serde_json::Value;

use super::kind::Seen;

/// The inputs that code reads, by name, with the kind of the value that it falls back to.
pub(super) type References = BTreeMap<String, Seen>;

/// What `files` (name and content) read of `var.ROOT.inputs`; files that can't be parsed read nothing.
pub(super) fn inputs_read<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>, root: &'static str) -> References {
    let mut search = Search { root, found: References::new() };
    for (path, bytes) in files {
        // A module in a folder has variables of its own.
        if path.contains('/') || path.strip_suffix(".tf").is_none() {
            continue;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        if let Ok(body) = hcl_edit::parser::parse_body(text.trim_start_matches('\u{feff}')) {
            search.visit_body(&body);
        }
    }
    search.found
}

struct Search {
    root: &'static str,
    found: References,
}

impl Search {
    /// What of a traversal stands behind `var.ROOT.inputs`.
    fn behind<'t>(&self, traversal: &'t Traversal) -> Option<Vec<&'t TraversalOperator>> {
        let Expression::Variable(variable) = &traversal.expr else { return None };
        let mut operators = traversal.operators.iter().map(|operator| &**operator);
        let own = variable.as_str() == "var"
            && operators.next().and_then(name_of) == Some(self.root)
            && operators.next().and_then(name_of) == Some("inputs");
        own.then(|| operators.collect())
    }

    /// Whether an expression is `var.ROOT.inputs` itself.
    fn is_inputs(&self, expression: &Expression) -> bool {
        let Expression::Traversal(traversal) = expression else { return false };
        self.behind(traversal).is_some_and(|rest| rest.is_empty())
    }

    /// The input that an expression is.
    fn input<'e>(&self, expression: &'e Expression) -> Option<&'e str> {
        let Expression::Traversal(traversal) = expression else { return None };
        name_of(self.behind(traversal)?.first()?)
    }

    fn note(&mut self, name: &str, fallback: Option<&Expression>) {
        let seen =
            fallback.and_then(literal).map(|value| Seen { example: None, ..Seen::of(&value) }).unwrap_or_default();
        let found = self.found.entry(name.to_owned()).or_default();
        let joined = found.clone().join(seen);
        // Two fallbacks of different kinds tell nothing.
        if !joined.kind.is_mixed() {
            *found = joined;
        }
    }

    /// `lookup(inputs, "x", …)`, `try(inputs.x, …)`, `coalesce(inputs.x, …)` and `contains(keys(inputs), "x")`.
    fn call(&mut self, call: &FuncCall) {
        let arguments: Vec<&Expression> = call.args.iter().collect();
        match (call.name.name.as_str(), &arguments[..]) {
            ("lookup", [inputs, Expression::String(name), rest @ ..]) if self.is_inputs(inputs) => {
                self.note(name.as_str(), rest.first().copied());
            }
            ("contains", [Expression::FuncCall(keys), Expression::String(name)])
                if keys.name.name.as_str() == "keys" && keys.args.iter().any(|argument| self.is_inputs(argument)) =>
            {
                self.note(name.as_str(), None);
            }
            ("try" | "coalesce", [first, .., last]) => {
                if let Some(name) = self.input(first) {
                    self.note(name, Some(last));
                }
            }
            _ => {}
        }
    }
}

impl Visit for Search {
    fn visit_traversal(&mut self, traversal: &Traversal) {
        if let Some(name) = self.behind(traversal).and_then(|rest| name_of(rest.first()?)) {
            self.note(name, None);
        }
        visit::visit_traversal(self, traversal);
    }

    fn visit_func_call(&mut self, call: &FuncCall) {
        self.call(call);
        visit::visit_func_call(self, call);
    }
}

/// The name in `.name` and `["name"]`.
fn name_of(operator: &TraversalOperator) -> Option<&str> {
    match operator {
        TraversalOperator::GetAttr(name) => Some(name.as_str()),
        TraversalOperator::Index(Expression::String(name)) => Some(name.as_str()),
        _ => None,
    }
}

/// A value that stands there as it is; lists only as lists, since their items may be anything.
fn literal(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Bool(flag) => Some(Value::Bool(*flag.value())),
        Expression::Number(number) => {
            let number = number.value();
            number.as_i64().map(Value::from).or_else(|| number.as_f64().map(Value::from))
        }
        Expression::String(_) | Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => {
            Some(Value::String(String::new()))
        }
        Expression::Array(_) => Some(Value::Array(Vec::new())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, &'static str)> {
        let found = inputs_read([("main.tf", text.as_bytes())], "environment");
        found.into_iter().map(|(name, seen)| (name, seen.kind.name())).collect()
    }

    #[test]
    fn every_form_of_reading_is_found_with_its_fallback() {
        let text = r#"
# var.environment.inputs.comment
resource "x" "y" {
  a = var.environment.inputs.plain
  b = var.environment.inputs["index"][0].deep
  c = "${var.environment.inputs.template}/8 var.environment.inputs.text"
  d = lookup(var.environment.inputs, "looked_up", 80)
  e = try(var.environment.inputs.tried, var.x, false)
  f = can(var.environment.inputs.can) ? [for s in var.environment.inputs.list : s] : []
  g = coalesce(var.environment["inputs"].first, "x")
  h = contains(keys(var.environment.inputs), "key")
  i = <<-EOT
  ${var.environment.inputs.heredoc}
  EOT
  j = var.environment.name
  k = var.service_instance.inputs.other
  l = local.environment.inputs.other
  m = try(var.environment.inputs.twice, 1) + try(var.environment.inputs.twice, "a")
  dynamic "block" {
    for_each = try(var.environment.inputs.items, [])
    content {}
  }
}
"#;
        let names: Vec<String> = read(text).into_iter().map(|(name, kind)| format!("{name}:{kind}")).collect();
        assert_eq!(
            names,
            [
                "can:nothing",
                "first:string",
                "heredoc:nothing",
                "index:nothing",
                "items:array",
                "key:nothing",
                "list:nothing",
                "looked_up:integer",
                "plain:nothing",
                "template:nothing",
                "tried:boolean",
                "twice:integer"
            ]
        );
    }

    #[test]
    fn what_is_no_terraform_reads_nothing() {
        assert!(read("not { hcl").is_empty());
        let files = [
            ("modules/x/main.tf", "a = var.environment.inputs.x".as_bytes()),
            ("x.json", &b"{}"[..]),
            ("b.tf", &b"\xff"[..]),
        ];
        assert!(inputs_read(files, "environment").is_empty());
    }
}
