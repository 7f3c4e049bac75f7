//! Terraform's type constraints and values as a schema says them.
//!
//! <https://developer.hashicorp.com/terraform/language/expressions/type-constraints>

use hcl_edit::expr::{Expression, FuncCall, ObjectKey};
use serde_json::{Map, Number, Value, json};

/// A type as a Schema Object; `None` for `any`, which a schema can't say.
pub(super) fn schema(declared: &Expression) -> Option<Map<String, Value>> {
    let of = |name: &str| Some(object(json!({ "type": name })));
    match declared {
        Expression::Parenthesis(inner) => schema(inner.inner()),
        Expression::Variable(name) => match name.as_str() {
            "string" => of("string"),
            "number" => of("number"),
            "bool" => of("boolean"),
            "list" | "set" => Some(object(json!({ "type": "array" }))),
            "map" => Some(object(json!({ "type": "object" }))),
            _ => None,
        },
        // Terraform before 0.12 wrote types in quotes.
        Expression::String(name) => match name.as_str() {
            "string" => of("string"),
            "list" => of("array"),
            "map" => of("object"),
            _ => None,
        },
        Expression::FuncCall(call) => call_schema(call),
        _ => None,
    }
}

fn call_schema(call: &FuncCall) -> Option<Map<String, Value>> {
    let argument = call.args.get(0)?;
    let mut map = match call.name.name.as_str() {
        "list" | "set" => object(json!({ "type": "array" })),
        "map" => object(json!({ "type": "object", "additionalProperties": true })),
        "tuple" => return Some(object(json!({ "type": "array" }))),
        "optional" => return schema(argument),
        "object" => return Some(object_schema(argument)),
        _ => return None,
    };
    let items = schema(argument);
    if call.name.name.as_str() == "map" {
        if let Some(items) = items {
            map.insert("additionalProperties".into(), Value::Object(items));
        }
        return Some(map);
    }
    if let Some(items) = items {
        map.insert("items".into(), Value::Object(items));
    }
    if call.name.name.as_str() == "set" {
        map.insert("uniqueItems".into(), json!(true));
    }
    Some(map)
}

fn object_schema(declared: &Expression) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, value) in declared.as_object().into_iter().flatten() {
        let Some(name) = key_of(key) else { continue };
        let value = value.expr();
        let optional = value.as_func_call().filter(|call| call.name.name.as_str() == "optional");
        let mut property = schema(value).unwrap_or_else(|| object(json!({ "type": "string" })));
        match optional {
            None => required.push(json!(name)),
            Some(call) => {
                let default = call.args.get(1).and_then(literal).filter(|default| !default.is_null());
                property.extend(default.map(|default| ("default".to_owned(), default)));
            }
        }
        properties.insert(name, Value::Object(property));
    }
    let mut map = object(json!({ "type": "object" }));
    if !required.is_empty() {
        map.insert("required".into(), Value::Array(required));
    }
    map.insert("properties".into(), Value::Object(properties));
    map
}

/// What a value looks like, where no type is declared.
pub(super) fn of_value(value: &Value) -> Map<String, Value> {
    object(match value {
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => json!({ "type": "number" }),
        Value::Array(items) => match items.first() {
            Some(first) => json!({ "type": "array", "items": of_value(first) }),
            None => json!({ "type": "array" }),
        },
        Value::Object(_) => json!({ "type": "object", "additionalProperties": true }),
        Value::Null | Value::String(_) => json!({ "type": "string" }),
    })
}

/// A value that is written out; `None` for one that has to be evaluated.
pub(super) fn literal(value: &Expression) -> Option<Value> {
    match value {
        Expression::Null(_) => Some(Value::Null),
        Expression::Bool(flag) => Some(json!(**flag)),
        Expression::String(text) => Some(json!(text.as_str())),
        Expression::Number(number) => number_of(&number.to_string()),
        Expression::UnaryOp(negated) => {
            let inner = literal(&negated.expr)?;
            number_of(&format!("-{inner}"))
        }
        Expression::Parenthesis(inner) => literal(inner.inner()),
        Expression::Array(items) => items.iter().map(literal).collect::<Option<Vec<_>>>().map(Value::Array),
        Expression::Object(members) => {
            let member =
                |(key, value): (&ObjectKey, &hcl_edit::expr::ObjectValue)| Some((key_of(key)?, literal(value.expr())?));
            members.iter().map(member).collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Expression::HeredocTemplate(template) => {
            let mut template = (**template).clone();
            template.dedent();
            template
                .template
                .as_single_element()
                .and_then(|element| element.as_literal())
                .map(|text| json!(text.as_str()))
        }
        _ => None,
    }
}

/// A default as Terraform would convert it to its type, without what is null: a schema's defaults are of its types.
pub(super) fn converted(value: Value, schema: &Map<String, Value>) -> Value {
    let of = |name: &str| schema.get(name).and_then(Value::as_object);
    match (schema.get("type").and_then(Value::as_str).unwrap_or_default(), value) {
        ("string", Value::Number(number)) => json!(number.to_string()),
        ("string", Value::Bool(flag)) => json!(flag.to_string()),
        ("number" | "integer", Value::String(text)) => number_of(&text).unwrap_or(Value::String(text)),
        ("boolean", Value::String(text)) if text == "true" || text == "false" => json!(text == "true"),
        ("array", Value::Array(items)) => {
            let convert = |item: Value| match of("items") {
                Some(schema) => converted(item, schema),
                None => without_nulls(&item),
            };
            items.into_iter().map(convert).collect()
        }
        ("object", Value::Object(members)) => {
            let members = members.into_iter().filter(|(_, member)| !member.is_null());
            let convert = |(name, member): (String, Value)| {
                let declared = of("properties").and_then(|all| all.get(&name)?.as_object());
                let member = match declared.or(of("additionalProperties")) {
                    Some(schema) => converted(member, schema),
                    None => without_nulls(&member),
                };
                (name, member)
            };
            Value::Object(members.map(convert).collect())
        }
        (_, value) => value,
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(members.map(|(name, member)| (name.clone(), without_nulls(member))).collect())
        }
        value => value.clone(),
    }
}

fn number_of(text: &str) -> Option<Value> {
    text.trim().parse::<i64>().map(Value::from).ok().or_else(|| {
        let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64)?;
        Some(Value::Number(number))
    })
}

fn key_of(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(name) => match name {
            Expression::Variable(name) => Some(name.as_str().to_owned()),
            name => name.as_str().map(str::to_owned),
        },
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}
