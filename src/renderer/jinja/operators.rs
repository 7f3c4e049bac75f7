//! Operators as Python means them.
//!
//! minijinja orders a number and a text, knows no `%` for texts, and joins lists lazily without paying for them, so that
//! a list that is doubled forty times exhausts the machine. Nothing in its interface changes an operator; but its
//! instructions can be read and replaced before they run, one for one. So each operator in question becomes a call of a
//! function whose name no template can write. `unstable_machinery` is what allows it, hence the exact version in
//! `Cargo.toml`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use minijinja::machinery::{CodeGenerator, Instruction, Instructions, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{ArgType, Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use super::functions::{defined, float, text};
use super::limits::afford;

/// A template's instructions, and those of its blocks.
pub(super) type Compiled<'s> = (Instructions<'s>, BTreeMap<&'s str, Instructions<'s>>);

/// Compiles a template and puts our operators in.
///
/// # Errors
/// A mistake in the template's syntax.
pub(super) fn compile<'s>(file: &'s str, source: &'s str) -> Result<Compiled<'s>, Error> {
    let template = parse(source, file, SyntaxConfig::default())?;
    let mut generator = CodeGenerator::new(file, source);
    generator.compile_stmt(&template);
    let (mut body, mut blocks) = generator.finish();
    replace_operators(&mut body);
    blocks.values_mut().for_each(replace_operators);
    Ok((body, blocks))
}

fn replace_operators(instructions: &mut Instructions<'_>) {
    let mut index = 0;
    while let Some(instruction) = instructions.get_mut(index) {
        let function = match instruction {
            Instruction::Add => Some("operator +"),
            Instruction::Rem => Some("operator %"),
            Instruction::StringConcat => Some("operator ~"),
            Instruction::Lt => Some("operator <"),
            Instruction::Lte => Some("operator <="),
            Instruction::Gt => Some("operator >"),
            Instruction::Gte => Some("operator >="),
            _ => None,
        };
        if let Some(function) = function {
            *instruction = Instruction::CallFunction(function, Some(2));
        }
        index += 1;
    }
}

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_function("operator +", add);
    environment.add_function("operator %", remainder);
    environment.add_function("operator ~", concatenate);
    environment.add_function("operator <", |state: &State<'_, '_>, a: Value, b: Value| {
        compare(state, &a, &b, "<").map(Ordering::is_lt)
    });
    environment.add_function("operator <=", |state: &State<'_, '_>, a: Value, b: Value| {
        compare(state, &a, &b, "<=").map(Ordering::is_le)
    });
    environment.add_function("operator >", |state: &State<'_, '_>, a: Value, b: Value| {
        compare(state, &a, &b, ">").map(Ordering::is_gt)
    });
    environment.add_function("operator >=", |state: &State<'_, '_>, a: Value, b: Value| {
        compare(state, &a, &b, ">=").map(Ordering::is_ge)
    });
}

fn add(state: &State<'_, '_>, a: Value, b: Value) -> Result<Value, Error> {
    defined(state, &a)?;
    defined(state, &b)?;
    let list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && !value.is_tuple();
    if list(&a) && list(&b) {
        let length = a.len().unwrap_or_default().saturating_add(b.len().unwrap_or_default());
        afford(state, length.saturating_mul(size_of::<Value>()))?;
        return Ok(a.try_iter()?.chain(b.try_iter()?).collect());
    }
    // The sum of one value and a start is minijinja's own `+`, which it doesn't offer by name.
    filters::sum(state, Value::from(vec![b]), None, Some(a), std::iter::empty::<(String, Value)>().collect())
}

fn concatenate(state: &State<'_, '_>, a: &Value, b: &Value) -> Result<String, Error> {
    defined(state, a)?;
    defined(state, b)?;
    let (a, b) = (text(a)?, text(b)?);
    afford(state, a.len() + b.len())?;
    Ok(a + &b)
}

/// The rest of a division, with the sign of the divisor; or a text formatted as by C's `printf`.
fn remainder(state: &mut State<'_, '_>, a: &Value, b: &Value) -> Result<Value, Error> {
    defined(state, a)?;
    defined(state, b)?;
    if a.kind() == ValueKind::String {
        return format(state, a, b);
    }
    let unfit = || Error::new(ErrorKind::InvalidOperation, format!("{} % {} has no meaning", a.kind(), b.kind()));
    if float(a).is_some() || float(b).is_some() {
        let (x, y) = (f64::try_from(a.clone()).map_err(|_| unfit())?, f64::try_from(b.clone()).map_err(|_| unfit())?);
        let rest = x % y;
        return if y == 0.0 { Err(by_zero()) } else { Ok(Value::from(if rest * y < 0.0 { rest + y } else { rest })) };
    }
    let (x, y) = (i128::try_from(a.clone()).map_err(|_| unfit())?, i128::try_from(b.clone()).map_err(|_| unfit())?);
    let rest = x.checked_rem(y).ok_or_else(by_zero)?;
    Ok(Value::from(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }))
}

fn by_zero() -> Error {
    Error::new(ErrorKind::InvalidOperation, "can't be divided by zero")
}

fn format(state: &mut State<'_, '_>, pattern: &Value, given: &Value) -> Result<Value, Error> {
    let given = match given.kind() {
        ValueKind::Seq if given.is_tuple() => given.try_iter()?.collect(),
        ValueKind::Map => {
            let named = given.try_iter()?.map(|key| Ok((text(&key)?, given.get_item(&key)?)));
            vec![Value::from(named.collect::<Result<Kwargs, Error>>()?)]
        }
        _ => vec![given.clone()],
    };
    let given = given.iter().map(|value| ValueOrKwargs::from_value(Some(value))).collect::<Result<_, _>>()?;
    filters::format(state, pattern, Rest(given))
}

fn compare(state: &State<'_, '_>, a: &Value, b: &Value, operator: &str) -> Result<Ordering, Error> {
    defined(state, a)?;
    defined(state, b)?;
    let class = |kind| if kind == ValueKind::Bool { ValueKind::Number } else { kind };
    let (x, y) = (class(a.kind()), class(b.kind()));
    if x == y && matches!(x, ValueKind::Number | ValueKind::String | ValueKind::Seq) {
        return Ok(a.cmp(b));
    }
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("{} and {} can't be compared by `{operator}`", a.kind(), b.kind()),
    ))
}
