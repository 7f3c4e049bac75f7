//! Methods of Python's texts, lists and mappings: those of minijinja-contrib, and here what it lacks or doesn't bound.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::limits::afford;

/// Calls `method` of `value`, which minijinja doesn't know by itself.
pub(super) fn call(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => of_text(state, value.as_str().unwrap_or_default(), method, args)?,
        ValueKind::Seq => of_list(value, method, args)?,
        ValueKind::Map => of_mapping(value, method, args)?,
        _ => None,
    };
    match own {
        Some(answer) => Ok(answer),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn of_text(state: &State<'_, '_>, text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let answer = match method {
        "replace" => replace(state, text, args)?.into(),
        "join" => join(state, text, args)?.into(),
        "format" => {
            affordable_format(text)?;
            return Ok(None);
        }
        "center" | "ljust" | "rjust" => pad(state, text, method, args)?.into(),
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            afford(state, width)?;
            fill_with_zeros(text, width).into()
        }
        "expandtabs" => {
            let (size,): (Option<usize>,) = from_args(args)?;
            let size = size.unwrap_or(8);
            afford(state, size.saturating_mul(text.matches('\t').count()))?;
            expand_tabs(text, size).into()
        }
        "rsplit" => rsplit(text, args)?,
        "index" | "rindex" => {
            let (part,): (&str,) = from_args(args)?;
            let at = if method == "index" { text.find(part) } else { text.rfind(part) };
            let at = at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))?;
            text[..at].chars().count().into()
        }
        "partition" | "rpartition" => partition(text, method, args)?,
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "swapcase" => swap_case(text).into(),
        "casefold" => text.to_lowercase().replace('ß', "ss").into(),
        "istitle" => is_title(text).into(),
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn of_list(list: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "index" => {
            let (wanted,): (&Value,) = from_args(args)?;
            let at = list.try_iter()?.position(|item| item == *wanted);
            let at = at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{wanted} is not in list")))?;
            Ok(Some(at.into()))
        }
        "append" | "extend" | "insert" | "pop" | "remove" | "clear" | "sort" | "reverse" => Err(unchangeable("a list")),
        "copy" => Ok(Some(list.clone())),
        _ => Ok(None),
    }
}

fn of_mapping(mapping: &Value, method: &str, _args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "update" | "pop" | "popitem" | "setdefault" | "clear" => Err(unchangeable("a mapping")),
        "copy" => Ok(Some(mapping.clone())),
        _ => Ok(None),
    }
}

fn unchangeable(what: &str) -> Error {
    let way_out =
        "keep it in a namespace() and set it anew: {% set ns.all = ns.all + [item] %}, or dict(ns.all, key=value)";
    Error::new(ErrorKind::InvalidOperation, format!("{what} can't be changed in place; {way_out}"))
}

fn replace(state: &State<'_, '_>, text: &str, args: &[Value]) -> Result<String, Error> {
    let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let found = text.matches(old).take(count).count();
    afford(state, found.saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(text.replacen(old, new, count))
}

fn join(state: &State<'_, '_>, separator: &str, args: &[Value]) -> Result<String, Error> {
    let (items,): (&Value,) = from_args(args)?;
    let mut out = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        let Some(item) = item.as_str() else {
            let message = format!("sequence item {index}: expected str instance, {} found", item.kind());
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        };
        let separator = if index == 0 { "" } else { separator };
        afford(state, separator.len() + item.len())?;
        out.push_str(separator);
        out.push_str(item);
    }
    Ok(out)
}

/// `format` pads to whatever width its text asks for, before anybody could count.
fn affordable_format(format: &str) -> Result<(), Error> {
    let widths = format.split(|c: char| !c.is_ascii_digit());
    if widths.map(str::len).max().unwrap_or_default() > 5 {
        return Err(Error::new(ErrorKind::InvalidOperation, "the format asks for too wide a field"));
    }
    Ok(())
}

fn pad(state: &State<'_, '_>, text: &str, method: &str, args: &[Value]) -> Result<String, Error> {
    let (width, fill): (usize, Option<char>) = from_args(args)?;
    let fill = fill.unwrap_or(' ');
    afford(state, width.saturating_mul(fill.len_utf8()))?;
    let missing = width.saturating_sub(text.chars().count());
    let padding: String = std::iter::repeat_n(fill, missing).collect();
    Ok(match method {
        "center" => center(text, width, fill),
        "ljust" => text.to_owned() + &padding,
        _ => padding + text,
    })
}

/// `str.center`; of an odd number of blanks Python puts the odd one left if the width is odd too.
pub(super) fn center(text: &str, width: usize, fill: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    let padding = |count| std::iter::repeat_n(fill, count).collect::<String>();
    padding(left) + text + &padding(missing - left)
}

fn fill_with_zeros(text: &str, width: usize) -> String {
    let zeros = "0".repeat(width.saturating_sub(text.chars().count()));
    match text.strip_prefix(['-', '+']) {
        Some(digits) => format!("{}{zeros}{digits}", &text[..1]),
        None => zeros + text,
    }
}

fn expand_tabs(text: &str, size: usize) -> String {
    let mut out = String::new();
    let mut column = 0usize;
    for c in text.chars() {
        match c {
            '\t' => {
                let blanks = size.saturating_sub(column.checked_rem(size).unwrap_or_default());
                out.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            other => {
                out.push(other);
                column = if matches!(other, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    out
}

fn rsplit(whole: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
    let most = most.and_then(|most| usize::try_from(most).ok()).map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Vec<&str> = match separator {
        Some("") => return Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(separator) => whole.rsplitn(most, separator).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = whole.trim_end();
            while let Some(at) = rest.rfind(char::is_whitespace).filter(|_| parts.len() + 1 < most) {
                parts.push(rest[at..].trim_start());
                rest = rest[..at].trim_end();
            }
            parts.extend((!rest.trim_start().is_empty()).then(|| rest.trim_start()));
            parts
        }
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

fn partition(whole: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(args)?;
    let parts = match method {
        "partition" => whole.split_once(separator).map_or([whole, "", ""], |(a, b)| [a, separator, b]),
        _ => whole.rsplit_once(separator).map_or(["", "", whole], |(a, b)| [a, separator, b]),
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn swap_case(text: &str) -> String {
    let swap =
        |c: char| -> String { if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() } };
    text.chars().map(swap).collect()
}

fn is_title(text: &str) -> bool {
    let mut letters = false;
    let mut inside = false;
    for c in text.chars() {
        if (c.is_uppercase() && inside) || (c.is_lowercase() && !inside) {
            return false;
        }
        inside = c.is_alphabetic();
        letters |= inside;
    }
    letters
}
