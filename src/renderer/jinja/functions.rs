//! Jinja2's global functions, and Python's way of writing values as text.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{ArgType, Kwargs, Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::limits::LARGEST_VALUE;

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_function("cycler", cycler);
    environment.add_function("joiner", joiner);
    environment.add_function("dict", dict);
    environment.add_function("namespace", |given: Rest<ValueOrKwargs>| {
        let members = dict(given)?;
        minijinja::functions::namespace(Some(ValueOrKwargs::from_value(Some(&members))?))
    });
    environment.add_function("lipsum", |_: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "`lipsum` is random, and a deployment must be repeatable"))
    });
}

fn joiner(separator: Option<Value>) -> Value {
    minijinja_contrib::globals::joiner(Some(separator.unwrap_or_else(|| Value::from(", "))))
}

fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "at least one item has to be provided"));
    }
    Ok(Value::from_object(Cycler { items: items.0, at: AtomicUsize::new(0) }))
}

/// Hands out its items in turn, over and over.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    fn current(&self) -> Option<Value> {
        self.items.get(self.at.load(Ordering::Relaxed) % self.items.len()).cloned()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str() == Some("current") { self.current() } else { None }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let () = from_args(args)?;
        match method {
            "next" => {
                let current = self.current().unwrap_or_default();
                self.at.fetch_add(1, Ordering::Relaxed);
                Ok(current)
            }
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `dict(mapping or pairs, name=value, …)`.
fn dict(given: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let given = given.into_values();
    let (base, named): (Option<Value>, Kwargs) = from_args(&given)?;
    let mut pairs = Vec::new();
    match base {
        Some(base) if base.kind() == ValueKind::Map => {
            for key in base.try_iter()? {
                pairs.push((key.clone(), base.get_item(&key)?));
            }
        }
        Some(base) => {
            for pair in base.try_iter()? {
                pairs.push((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?));
            }
        }
        None => {}
    }
    for name in named.args() {
        pairs.push((Value::from(name), named.get(name)?));
    }
    Ok(Value::from_pairs(pairs))
}

/// The value if it is a float, which integers and truth values aren't.
pub(super) fn float(value: &Value) -> Option<f64> {
    if value.kind() != ValueKind::Number || value.is_integer() {
        return None;
    }
    f64::try_from(value.clone()).ok()
}

/// Refuses what isn't there, with the words of minijinja, which knows the expression that it came from.
pub(super) fn defined(state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() { minijinja::filters::string(state, value).map(drop) } else { Ok(()) }
}

/// `str(value)`, as long as it isn't larger than any template.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    if let Some(float) = float(value) {
        return Ok(float_text(float));
    }
    let mut text = BoundedText(String::new());
    // A list that holds another twice, and so on, is small and yet endless to write.
    write!(text, "{value}").map_err(|_| Error::from(ErrorKind::OutOfFuel))?;
    Ok(text.0)
}

struct BoundedText(String);

impl Write for BoundedText {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.0.len() + more.len() > LARGEST_VALUE {
            return Err(fmt::Error);
        }
        self.0.push_str(more);
        Ok(())
    }
}

/// `repr(float)`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float_text(float: f64) -> String {
    if !float.is_finite() {
        return if float.is_nan() { "nan".into() } else { float.to_string() };
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || float == 0.0 {
        let plain = float.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{mantissa}e{exponent:+03}")
}

#[cfg(test)]
mod tests {
    use super::float_text;

    #[test]
    fn floats_read_as_python_writes_them() {
        let floats = [0.0, -0.0, 1.0, 0.1 + 0.2, 1e15, 1e16, 1.5e300, 1e-4, 1e-5, 123_456.789, f64::INFINITY];
        let texts = floats.map(float_text).join(" ");
        assert_eq!(
            texts,
            "0.0 -0.0 1.0 0.30000000000000004 1000000000000000.0 1e+16 1.5e+300 0.0001 1e-05 123456.789 inf"
        );
    }
}
