//! Filters of lists and mappings: minijinja's own, called with Jinja2's positional arguments.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use crate::renderer::jinja::arguments::Arguments;
use crate::renderer::jinja::functions::defined;
use crate::renderer::jinja::limits::afford;

type Given = Rest<ValueOrKwargs>;

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("sort", sort);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("unique", |state: &State<'_, '_>, value: Value, given: Given| {
        filters::unique(state, value, Arguments::bind(&["case_sensitive", "attribute"], given)?.into_kwargs())
    });
    environment.add_filter("min", |state: &State<'_, '_>, value: Value, given: Given| {
        filters::min(state, value, Arguments::bind(&["case_sensitive", "attribute"], given)?.into_kwargs())
    });
    environment.add_filter("max", |state: &State<'_, '_>, value: Value, given: Given| {
        filters::max(state, value, Arguments::bind(&["case_sensitive", "attribute"], given)?.into_kwargs())
    });
    environment.add_filter("groupby", groupby);
    environment.add_filter("batch", |state: &State<'_, '_>, value: Value, given: Given| {
        let arguments = Arguments::bind(&["linecount", "fill_with"], given)?;
        filters::batch(state, value, arguments.count("linecount")?, arguments.value("fill_with").cloned())
    });
    environment.add_filter("slice", |state: &State<'_, '_>, value: Value, given: Given| {
        let arguments = Arguments::bind(&["slices", "fill_with"], given)?;
        filters::slice(state, value, arguments.count("slices")?, arguments.value("fill_with").cloned())
    });
    environment.add_filter("random", |_: &Value| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "`random` isn't allowed: a deployment must be repeatable"))
    });
}

/// `default(default_value='', boolean=False)`.
fn default(value: &Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["default_value", "boolean"], given)?;
    let stands = !value.is_undefined() && (value.is_true() || !arguments.flag("boolean", false));
    Ok(if stands { value.clone() } else { arguments.value("default_value").cloned().unwrap_or_else(|| "".into()) })
}

/// `sort(reverse=False, case_sensitive=False, attribute=None)`.
fn sort(state: &State<'_, '_>, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["reverse", "case_sensitive", "attribute"], given)?;
    if arguments.value("attribute").is_none() {
        comparable(&value)?;
    }
    filters::sort(state, value, arguments.into_kwargs())
}

/// Python doesn't order a text and a number; minijinja would, and hide the mistake.
fn comparable(value: &Value) -> Result<(), Error> {
    // What can be walked only once mustn't be walked here.
    if value.kind() != ValueKind::Seq {
        return Ok(());
    }
    let class = |kind| if kind == ValueKind::Bool { ValueKind::Number } else { kind };
    let mut kinds = value.try_iter()?.map(|item| class(item.kind()));
    let Some(first) = kinds.next() else { return Ok(()) };
    match kinds.find(|kind| *kind != first) {
        Some(other) => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("{first} and {other} can't be sorted together")))
        }
        None => Ok(()),
    }
}

/// `dictsort(case_sensitive=False, by='key', reverse=False)`.
fn dictsort(state: &State<'_, '_>, value: &Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["case_sensitive", "by", "reverse"], given)?;
    afford(state, value.len().unwrap_or_default() * size_of::<Value>())?;
    filters::dictsort(value, arguments.into_kwargs())
}

/// `groupby(attribute, default=None, case_sensitive=False)`.
fn groupby(state: &State<'_, '_>, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::bind(&["attribute", "default", "case_sensitive"], given)?;
    defined(state, &value)?;
    afford(state, value.len().unwrap_or_default() * size_of::<Value>())?;
    filters::groupby(value, None, arguments.into_kwargs())
}
