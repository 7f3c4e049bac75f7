//! A variable's validation as rules of a schema, where a schema has words for it.
//!
//! <https://developer.hashicorp.com/terraform/language/expressions/custom-conditions#input-variable-validation>

use hcl_edit::expr::{BinaryOperator, Expression, FuncCall};
use serde_json::{Map, Value, json};

use super::types::literal;

/// Adds the rules of a condition on the variable `name` to its schema. False if a part of it can't be said.
pub(super) fn add(condition: &Expression, name: &str, schema: &mut Map<String, Value>) -> bool {
    match condition {
        Expression::Parenthesis(inner) => add(inner.inner(), name, schema),
        Expression::BinaryOp(both) if *both.operator.value() == BinaryOperator::And => {
            let left = add(&both.lhs_expr, name, schema);
            add(&both.rhs_expr, name, schema) && left
        }
        // `var.x == null || …`: what may be missing may be missing.
        Expression::BinaryOp(either) if *either.operator.value() == BinaryOperator::Or => {
            if is_null_test(&either.lhs_expr, name) {
                add(&either.rhs_expr, name, schema)
            } else if is_null_test(&either.rhs_expr, name) {
                add(&either.lhs_expr, name, schema)
            } else {
                false
            }
        }
        Expression::BinaryOp(compared) => {
            let operator = *compared.operator.value();
            let (left, right) = (&compared.lhs_expr, &compared.rhs_expr);
            match (literal(right), literal(left)) {
                (Some(bound), _) => compare(left, operator, &bound, name, schema),
                (None, Some(bound)) => compare(right, turned(operator), &bound, name, schema),
                (None, None) => whole(left, operator, right, name, schema),
            }
        }
        Expression::FuncCall(call) => function(call, name, schema),
        _ => false,
    }
}

fn function(call: &FuncCall, name: &str, schema: &mut Map<String, Value>) -> bool {
    let argument = |index| call.args.get(index);
    match (call.name.name.as_str(), argument(0), argument(1)) {
        ("contains", Some(choices), Some(value)) if is_variable(value, name) => match literal(choices) {
            Some(Value::Array(choices)) if !choices.is_empty() => {
                schema.insert("enum".into(), Value::Array(choices));
                true
            }
            _ => false,
        },
        ("can", Some(Expression::FuncCall(inner)), None) if inner.name.name.as_str() == "regex" => {
            let (Some(pattern), Some(value)) = (inner.args.get(0).and_then(literal), inner.args.get(1)) else {
                return false;
            };
            let text = pattern.as_str().filter(|text| is_variable(value, name) && regex::Regex::new(text).is_ok());
            if let Some(text) = text {
                schema.insert("pattern".into(), json!(text));
            }
            text.is_some()
        }
        _ => false,
    }
}

fn compare(
    value: &Expression,
    operator: BinaryOperator,
    bound: &Value,
    name: &str,
    schema: &mut Map<String, Value>,
) -> bool {
    let length = value.as_func_call().filter(|call| call.name.name.as_str() == "length");
    if let Some(call) = length {
        let Some(bound) = bound.as_i64().filter(|_| call.args.get(0).is_some_and(|it| is_variable(it, name))) else {
            return false;
        };
        return counted(operator, bound, schema);
    }
    if !is_variable(value, name) || !bound.is_number() {
        return false;
    }
    let (key, exclusive) = match operator {
        BinaryOperator::GreaterEq => ("minimum", None),
        BinaryOperator::Greater => ("minimum", Some("exclusiveMinimum")),
        BinaryOperator::LessEq => ("maximum", None),
        BinaryOperator::Less => ("maximum", Some("exclusiveMaximum")),
        _ => return false,
    };
    schema.insert(key.into(), bound.clone());
    if let Some(exclusive) = exclusive {
        schema.insert(exclusive.into(), json!(true));
    }
    true
}

/// A rule of how many characters or items there are.
fn counted(operator: BinaryOperator, bound: i64, schema: &mut Map<String, Value>) -> bool {
    let (least, most) = match operator {
        BinaryOperator::GreaterEq => (Some(bound), None),
        BinaryOperator::Greater => (Some(bound + 1), None),
        BinaryOperator::LessEq => (None, Some(bound)),
        BinaryOperator::Less => (None, Some(bound - 1)),
        BinaryOperator::Eq => (Some(bound), Some(bound)),
        BinaryOperator::NotEq if bound == 0 => (Some(1), None),
        _ => return false,
    };
    let (least_key, most_key) = match schema.get("type").and_then(Value::as_str) {
        Some("string") => ("minLength", "maxLength"),
        Some("array") => ("minItems", "maxItems"),
        _ => return false,
    };
    if least.into_iter().chain(most).any(|bound| bound < 0) {
        return false;
    }
    schema.extend(least.map(|bound| (least_key.to_owned(), json!(bound))));
    schema.extend(most.map(|bound| (most_key.to_owned(), json!(bound))));
    true
}

/// `floor(var.x) == var.x`: a whole number.
fn whole(
    left: &Expression,
    operator: BinaryOperator,
    right: &Expression,
    name: &str,
    schema: &mut Map<String, Value>,
) -> bool {
    let floor = |value: &Expression| {
        value.as_func_call().is_some_and(|call| {
            call.name.name.as_str() == "floor" && call.args.get(0).is_some_and(|it| is_variable(it, name))
        })
    };
    let says = (floor(left) && is_variable(right, name)) || (floor(right) && is_variable(left, name));
    let says = says && operator == BinaryOperator::Eq;
    if says {
        schema.insert("type".into(), json!("integer"));
    }
    says
}

fn turned(operator: BinaryOperator) -> BinaryOperator {
    match operator {
        BinaryOperator::Less => BinaryOperator::Greater,
        BinaryOperator::LessEq => BinaryOperator::GreaterEq,
        BinaryOperator::Greater => BinaryOperator::Less,
        BinaryOperator::GreaterEq => BinaryOperator::LessEq,
        other => other,
    }
}

fn is_null_test(condition: &Expression, name: &str) -> bool {
    let Expression::BinaryOp(compared) = condition else { return false };
    *compared.operator.value() == BinaryOperator::Eq
        && is_variable(&compared.lhs_expr, name)
        && compared.rhs_expr.is_null()
}

fn is_variable(value: &Expression, name: &str) -> bool {
    value.to_string().split_whitespace().collect::<String>() == format!("var.{name}")
}
