//! YAML as people write it: one line a value, objects below their names.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The entries of a map, indented; `{}` for an empty one.
pub(super) fn lines(map: &Map<String, Value>, indent: usize) -> String {
    let pad = " ".repeat(indent);
    if map.is_empty() {
        return format!("{pad}{{}}\n");
    }
    let mut text = String::new();
    for (name, value) in map {
        let name = if is_plain(name) { name.clone() } else { Value::from(name.as_str()).to_string() };
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                writeln!(text, "{pad}{name}:").expect("text takes text");
                text += &lines(inner, indent + 2);
            }
            value => writeln!(text, "{pad}{name}: {}", scalar(value)).expect("text takes text"),
        }
    }
    text
}

/// Words as they are, everything else as JSON, which is YAML in any surroundings.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            format!("[{}]", items.join(", "))
        }
        value => value.to_string(),
    }
}

/// Whether a word needs no quotes; what YAML 1.1 takes for a boolean or null does.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str())
}
