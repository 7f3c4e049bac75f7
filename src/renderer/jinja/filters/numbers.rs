//! Filters of numbers: conversions that fall back to a default, and sizes for people.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::renderer::jinja::arguments::Arguments;
use crate::renderer::jinja::functions::{defined, float};

type Given = Rest<ValueOrKwargs>;

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("int", int);
    environment.add_filter("float", to_float);
    environment.add_filter("filesizeformat", file_size);
}

/// `int(default=0, base=10)`: whatever Python's `int` refuses becomes the default.
fn int(state: &State<'_, '_>, value: &Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["default", "base"], given)?;
    let base: u32 = arguments.get_or("base", 10)?;
    defined(state, value)?;
    let number = match value.kind() {
        ValueKind::String => parse(value.as_str().unwrap_or_default(), base),
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => return Ok(value.clone()),
        ValueKind::Number => float(value).and_then(whole),
        _ => None,
    };
    Ok(number.map_or_else(|| arguments.value("default").cloned().unwrap_or_else(|| 0.into()), Value::from))
}

fn parse(text: &str, base: u32) -> Option<i128> {
    let trimmed = text.trim();
    let (negative, digits) = match trimmed.strip_prefix(['-', '+']) {
        Some(digits) => (trimmed.starts_with('-'), digits),
        None => (false, trimmed),
    };
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let lower = digits.to_ascii_lowercase();
    let digits = lower.strip_prefix(prefix).unwrap_or(&lower);
    let plausible = (2..=36).contains(&base) && digits.starts_with(|c: char| c.is_digit(base));
    let grouped = !digits.ends_with('_') && !digits.contains("__");
    let number = (plausible && grouped).then(|| i128::from_str_radix(&digits.replace('_', ""), base).ok()).flatten();
    // Jinja2 then tries what Python reads as a float.
    number.map(|number| if negative { -number } else { number }).or_else(|| parse_float(text).and_then(whole))
}

#[expect(clippy::cast_possible_truncation, reason = "the fraction is what `int` drops, and larger ones were refused")]
fn whole(float: f64) -> Option<i128> {
    (float.is_finite() && float.abs() < 1e38).then_some(float as i128)
}

fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let grouped = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    if grouped { text.replace('_', "").parse().ok() } else { None }
}

/// `float(default=0.0)`.
fn to_float(state: &State<'_, '_>, value: &Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["default"], given)?;
    defined(state, value)?;
    let number = match value.kind() {
        ValueKind::String => parse_float(value.as_str().unwrap_or_default()),
        ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    };
    Ok(number.map_or_else(|| arguments.value("default").cloned().unwrap_or_else(|| 0.0.into()), Value::from))
}

/// `filesizeformat(binary=False)`.
fn file_size(value: &Value, given: Given) -> Result<String, Error> {
    const PREFIXES: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    let binary = Arguments::bind(&["binary"], given)?.flag("binary", false);
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    let bytes = match value.as_str() {
        Some(text) => parse_float(text),
        None => f64::try_from(value.clone()).ok(),
    };
    let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "a size in bytes is wanted"))?;
    if bytes.to_bits() == 1.0f64.to_bits() {
        return Ok("1 Byte".to_owned());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes.trunc()));
    }
    let mut unit = base;
    for (index, prefix) in PREFIXES.iter().enumerate() {
        unit *= base;
        if bytes < unit || index == PREFIXES.len() - 1 {
            let (letter, i) = if binary { (prefix.to_ascii_uppercase(), "i") } else { ((*prefix).to_owned(), "") };
            return Ok(format!("{:.1} {letter}{i}B", base * bytes / unit));
        }
    }
    Ok(String::new())
}
