//! Filters of text.

use minijinja::value::{ArgType, Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::renderer::jinja::arguments::Arguments;
use crate::renderer::jinja::functions::{defined, text};
use crate::renderer::jinja::limits::afford;
use crate::renderer::jinja::{escape, methods};

type Given = Rest<ValueOrKwargs>;

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("trim", trim);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("indent", indent);
    environment.add_filter("wordcount", |state: &State<'_, '_>, value: &Value| {
        Ok::<_, Error>(word_count(&text_of(state, value)?))
    });
    environment.add_filter("striptags", |state: &State<'_, '_>, value: &Value| {
        Ok::<_, Error>(strip_tags(&text_of(state, value)?))
    });
    environment.add_filter("escape", escape_once);
    environment.add_filter("e", escape_once);
    environment.add_filter("forceescape", |state: &State<'_, '_>, value: &Value| {
        Ok::<_, Error>(Value::from_safe_string(escape::html(&text_of(state, value)?)))
    });
    environment.add_filter("xmlattr", xml_attributes);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("string", |state: &State<'_, '_>, value: &Value| {
        let text = text_of(state, value)?;
        Ok::<_, Error>(if value.kind() == ValueKind::String { value.clone() } else { text.into() })
    });
    environment.add_filter("join", join);
}

/// The text of a value; nothing can be done with one that isn't there.
pub(super) fn text_of(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    defined(state, value)?;
    text(value)
}

/// `trim(chars=None)`.
fn trim(state: &State<'_, '_>, value: &Value, given: Given) -> Result<String, Error> {
    let arguments = Arguments::bind(&["chars"], given)?;
    let chars: Option<&str> = arguments.get_or("chars", None)?;
    let value = text_of(state, value)?;
    Ok(match chars {
        Some(chars) => value.trim_matches(|c| chars.contains(c)).to_owned(),
        None => value.trim().to_owned(),
    })
}

/// `join(d='', attribute=None)`.
fn join(state: &mut State<'_, '_>, value: Value, given: Given) -> Result<String, Error> {
    let arguments = Arguments::bind(&["d", "attribute"], given)?;
    defined(state, &value)?;
    let separator = arguments.value("d").map_or_else(|| Ok(String::new()), text)?;
    let items: Vec<Value> = match arguments.value("attribute").filter(|given| !given.is_none()) {
        Some(attribute) => {
            let attribute = Value::from(Kwargs::from_iter([("attribute", attribute.clone())]));
            filters::map(state, value, Rest(vec![ValueOrKwargs::from_value(Some(&attribute))?]))?
        }
        None => value.try_iter()?.collect(),
    };
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        let item = text_of(state, item)?;
        let separator = if index == 0 { "" } else { &separator };
        afford(state, separator.len() + item.len())?;
        out.push_str(separator);
        out.push_str(&item);
    }
    Ok(out)
}

/// `center(width=80)`.
fn center(state: &State<'_, '_>, value: &Value, given: Given) -> Result<String, Error> {
    let width: usize = Arguments::bind(&["width"], given)?.get_or("width", 80)?;
    afford(state, width)?;
    Ok(methods::center(&text_of(state, value)?, width, ' '))
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`.
fn truncate(state: &State<'_, '_>, value: &Value, given: Given) -> Result<String, Error> {
    let arguments = Arguments::bind(&["length", "killwords", "end", "leeway"], given)?;
    let length: usize = arguments.get_or("length", 255)?;
    let end = arguments.value("end").map_or_else(|| Ok("...".to_owned()), text)?;
    let leeway: usize = arguments.get_or::<Option<usize>>("leeway", None)?.unwrap_or(5);
    let value = text_of(state, value)?;
    let Some(room) = length.checked_sub(end.chars().count()) else {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("no room for {end:?} in {length} characters")));
    };
    if value.chars().count() <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let kept: String = value.chars().take(room).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((words, _)) if !arguments.flag("killwords", false) => words.to_owned(),
        _ => kept,
    };
    Ok(kept + &end)
}

/// `indent(width=4, first=False, blank=False)`; the width may be a text to put in front.
fn indent(state: &State<'_, '_>, value: &Value, given: Given) -> Result<String, Error> {
    let arguments = Arguments::bind(&["width", "first", "blank"], given)?;
    let width = match arguments.value("width") {
        Some(width) if width.kind() == ValueKind::String => text(width)?,
        _ => {
            let width: usize = arguments.get_or("width", 4)?;
            afford(state, width)?;
            " ".repeat(width)
        }
    };
    let blank = arguments.flag("blank", false);
    let value = text_of(state, value)?;
    afford(state, width.len().saturating_mul(value.matches('\n').count() + 1).saturating_add(value.len()))?;
    let mut out = String::new();
    // Jinja2 puts a newline behind the text, so that a last one of the text's own ends a line and starts none.
    for (index, line) in lines(&value).enumerate() {
        let wanted = if index == 0 { arguments.flag("first", false) } else { blank || !line.is_empty() };
        out.push_str(if index == 0 { "" } else { "\n" });
        out.push_str(if wanted { &width } else { "" });
        out.push_str(line);
    }
    Ok(out)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
}

/// Runs of letters, digits and underscores.
fn word_count(text: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count()
}

/// Text without comments and tags, with single blanks and without entities.
fn strip_tags(text: &str) -> String {
    let bare = without(&without(text, "<!--", "-->"), "<", ">");
    let bare = bare.split_whitespace().collect::<Vec<_>>().join(" ");
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.into_iter().fold(bare, |text, (entity, character)| text.replace(entity, character))
}

fn without(text: &str, start: &str, end: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(start) {
        let Some(length) = rest[at..].find(end) else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at + length + end.len()..];
    }
    out + rest
}

fn escape_once(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let plain = text_of(state, value)?;
    Ok(if value.is_safe() { value.clone() } else { Value::from_safe_string(escape::html(&plain)) })
}

/// `xmlattr(autospace=True)`.
fn xml_attributes(value: &Value, given: Given) -> Result<Value, Error> {
    let space = Arguments::bind(&["autospace"], given)?.flag("autospace", true);
    let mut attributes = Vec::new();
    for name in value.try_iter()? {
        let member = value.get_item(&name)?;
        let name = text(&name)?;
        if name.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("{name:?} is no name of an attribute")));
        }
        if !member.is_none() && !member.is_undefined() {
            attributes.push(format!("{}=\"{}\"", escape::html(&name), escape::html(&text(&member)?)));
        }
    }
    let lead = if space && !attributes.is_empty() { " " } else { "" };
    Ok(Value::from_safe_string(format!("{lead}{}", attributes.join(" "))))
}

/// A text is quoted as a path; a mapping or list of pairs as a query.
fn urlencode(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Map => {
            let pairs = value.try_iter()?.map(|name| query_pair(&name, &value.get_item(&name)?));
            Ok(pairs.collect::<Result<Vec<_>, Error>>()?.join("&"))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let pairs =
                value.try_iter()?.map(|pair| query_pair(&pair.get_item_by_index(0)?, &pair.get_item_by_index(1)?));
            Ok(pairs.collect::<Result<Vec<_>, Error>>()?.join("&"))
        }
        _ => Ok(utf8_percent_encode(&text_of(state, value)?, PATH).to_string()),
    }
}

/// What Python's `quote` leaves alone besides letters and digits.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'_').remove(b'.').remove(b'-').remove(b'~');
const QUERY: &AsciiSet = &PATH.add(b'/');

fn query_pair(name: &Value, value: &Value) -> Result<String, Error> {
    let quote =
        |value: &Value| Ok::<_, Error>(utf8_percent_encode(&text(value)?, QUERY).to_string().replace("%20", "+"));
    Ok(format!("{}={}", quote(name)?, quote(value)?))
}
