//! Jinja2's tests (`is …`) where minijinja's answer otherwise or aren't there.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

pub(super) fn register(environment: &mut Environment<'_>) {
    // In Python whatever has a length and can be indexed is a sequence: texts and mappings too.
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Iterable)
    });
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("even", |value: &Value| remainder(value, 2).map(|rest| rest == 0));
    environment.add_test("odd", |value: &Value| remainder(value, 2).map(|rest| rest == 1));
    environment.add_test("divisibleby", |value: &Value, by: i64| remainder(value, by).map(|rest| rest == 0));
}

fn remainder(value: &Value, by: i64) -> Result<i64, Error> {
    let number = i64::try_from(value.clone())
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("{} is no integer", value.kind())))?;
    number.checked_rem_euclid(by).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "can't be divided by zero"))
}
