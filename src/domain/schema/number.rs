//! Comparing JSON's numbers without rounding integers.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Orders two numbers; integers exactly, anything else as floats.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => float(a).total_cmp(&float(b)),
    }
}

/// The number as an integer where it is one, `80.0` included.
pub(super) fn as_integer(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        return Some(number.clone());
    }
    // Above 2^53 a float no longer tells one integer from the next.
    let value = float(number);
    let exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    exact.then(|| format!("{value:.0}").parse::<i64>().ok()).flatten().map(Number::from)
}

/// Whether `number` is a whole multiple of `step`, which isn't zero.
pub(super) fn is_multiple(number: &Number, step: &Number) -> bool {
    if let (Some(number), Some(step)) = (number.as_i128(), step.as_i128()) {
        return number % step == 0;
    }
    let times = float(number) / float(step);
    (times - times.round()).abs() < 1e-9
}

/// Whether two values are the same to a person: `80` and `80.0` are.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: Value) -> Number {
        let Value::Number(number) = value else { panic!("a number is meant") };
        number
    }

    #[test]
    fn neighbouring_large_integers_differ() {
        let (a, b) = (number(json!(9_007_199_254_740_993_u64)), number(json!(9_007_199_254_740_992_u64)));
        assert_eq!(compare(&a, &b), Ordering::Greater);
        assert_eq!(compare(&number(json!(u64::MAX)), &number(json!(-1))), Ordering::Greater);
    }

    #[test]
    fn an_integral_float_is_an_integer_and_a_fraction_is_not() {
        assert_eq!(as_integer(&number(json!(80.0))), Some(Number::from(80)));
        assert_eq!(as_integer(&number(json!(-3.0))), Some(Number::from(-3)));
        assert_eq!(as_integer(&number(json!(0.5))), None);
        assert_eq!(as_integer(&number(json!(1e300))), None);
    }

    #[test]
    fn values_are_the_same_regardless_of_how_a_number_is_written() {
        assert!(same(&json!([{"a": 1}]), &json!([{"a": 1.0}])));
        assert!(!same(&json!("1"), &json!(1)));
    }

    #[test]
    fn multiples_of_fractions_survive_floats() {
        assert!(is_multiple(&number(json!(0.3)), &number(json!(0.1))));
        assert!(!is_multiple(&number(json!(7)), &number(json!(2))));
    }
}
