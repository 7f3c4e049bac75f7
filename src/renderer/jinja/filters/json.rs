//! Values as text for machines and for people: `tojson` as Python's `json.dumps` writes it, and `pprint`.

use std::fmt::Write;

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::renderer::jinja::arguments::Arguments;
use crate::renderer::jinja::functions::{defined, text};
use crate::renderer::jinja::limits::{RECURSION, afford};

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("tojson", tojson);
    environment.add_filter("pprint", |state: &State<'_, '_>, value: &Value| {
        defined(state, value)?;
        pretty(state, value, 0)
    });
}

/// `tojson(indent=None)`: sorted keys, nothing but ASCII, safe inside HTML, all as in Jinja2.
fn tojson(state: &State<'_, '_>, value: &Value, given: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["indent"], given)?;
    let indent: Option<usize> = arguments.get_or("indent", None)?;
    let mut out = String::new();
    write_json(&mut out, value, &Layout { state, indent, depth: 0 })?;
    Ok(Value::from_safe_string(out))
}

/// Where the writer of JSON stands.
struct Layout<'a, 't, 'e> {
    state: &'a State<'t, 'e>,
    indent: Option<usize>,
    depth: usize,
}

impl Layout<'_, '_, '_> {
    fn deeper(&self) -> Self {
        Self { state: self.state, indent: self.indent, depth: self.depth + 1 }
    }

    /// What stands between two members, or before the first and behind the last.
    fn break_line(&self, out: &mut String, comma: bool) -> Result<(), Error> {
        let Some(indent) = self.indent else {
            out.push_str(if comma { ", " } else { "" });
            return Ok(());
        };
        let width = indent.saturating_mul(self.depth);
        afford(self.state, width)?;
        out.push_str(if comma { ",\n" } else { "\n" });
        out.push_str(&" ".repeat(width));
        Ok(())
    }
}

fn write_json(out: &mut String, value: &Value, layout: &Layout<'_, '_, '_>) -> Result<(), Error> {
    visit(layout.state, layout.depth)?;
    defined(layout.state, value)?;
    match value.kind() {
        ValueKind::Map => write_members(out, value, layout)?,
        ValueKind::Seq | ValueKind::Iterable => write_items(out, value, layout)?,
        ValueKind::String => write_text(out, value.as_str().unwrap_or_default()),
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&text(value)?),
        other => return Err(Error::new(ErrorKind::BadSerialization, format!("{other} is no JSON"))),
    }
    Ok(())
}

fn write_items(out: &mut String, list: &Value, layout: &Layout<'_, '_, '_>) -> Result<(), Error> {
    let inner = layout.deeper();
    out.push('[');
    let mut empty = true;
    for item in list.try_iter()? {
        inner.break_line(out, !empty)?;
        write_json(out, &item, &inner)?;
        empty = false;
    }
    if !empty {
        layout.break_line(out, false)?;
    }
    out.push(']');
    Ok(())
}

fn write_members(out: &mut String, mapping: &Value, layout: &Layout<'_, '_, '_>) -> Result<(), Error> {
    let inner = layout.deeper();
    let members = mapping.try_iter()?.map(|key| Ok((text(&key)?, mapping.get_item(&key)?)));
    let mut members = members.collect::<Result<Vec<_>, Error>>()?;
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    out.push('{');
    for (index, (name, member)) in members.iter().enumerate() {
        inner.break_line(out, index > 0)?;
        write_text(out, name);
        out.push_str(": ");
        write_json(out, member, &inner)?;
    }
    if !members.is_empty() {
        layout.break_line(out, false)?;
    }
    out.push('}');
    Ok(())
}

/// Pays for one more value, and stops before the stack does.
fn visit(state: &State<'_, '_>, depth: usize) -> Result<(), Error> {
    if depth > RECURSION {
        return Err(Error::new(ErrorKind::InvalidOperation, "is nested too deeply"));
    }
    state.consume_fuel(1)
}

fn write_text(out: &mut String, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    for c in quoted.chars() {
        if (' '..='~').contains(&c) && !"<>&'".contains(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                write!(out, "\\u{unit:04x}").unwrap_or_default();
            }
        }
    }
}

/// `pprint.pformat`: one line while that fits into 80 columns, else one line for each member.
fn pretty(state: &State<'_, '_>, value: &Value, column: usize) -> Result<String, Error> {
    let flat = flat(state, value, column)?;
    if column + flat.chars().count() <= 80 {
        return Ok(flat);
    }
    let separator = format!(",\n{}", " ".repeat(column + 1));
    match value.kind() {
        ValueKind::Map => {
            let members = sorted(value)?.into_iter().map(|(name, member)| {
                let name = format!("{name}: ");
                let member = pretty(state, &member, column + 1 + name.chars().count())?;
                Ok(name + &member)
            });
            Ok(format!("{{{}}}", members.collect::<Result<Vec<_>, Error>>()?.join(&separator)))
        }
        ValueKind::Seq => {
            let items = value.try_iter()?.map(|item| pretty(state, &item, column + 1));
            Ok(format!("[{}]", items.collect::<Result<Vec<_>, Error>>()?.join(&separator)))
        }
        _ => Ok(flat),
    }
}

/// `repr` with the keys of mappings sorted.
fn flat(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<String, Error> {
    visit(state, depth)?;
    match value.kind() {
        ValueKind::Map => {
            let members = sorted(value)?.into_iter().map(|(name, member)| {
                let member = flat(state, &member, depth + 1)?;
                Ok(format!("{name}: {member}"))
            });
            Ok(format!("{{{}}}", members.collect::<Result<Vec<_>, Error>>()?.join(", ")))
        }
        ValueKind::Seq if !value.is_tuple() => {
            let items = value.try_iter()?.map(|item| flat(state, &item, depth + 1));
            Ok(format!("[{}]", items.collect::<Result<Vec<_>, Error>>()?.join(", ")))
        }
        _ => Ok(format!("{value:?}")),
    }
}

fn sorted(value: &Value) -> Result<Vec<(String, Value)>, Error> {
    let mut keys: Vec<Value> = value.try_iter()?.collect();
    keys.sort();
    keys.into_iter().map(|key| Ok((format!("{key:?}"), value.get_item(&key)?))).collect()
}
