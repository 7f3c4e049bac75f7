//! Scalars by YAML 1.2's core schema, so that `yes` is text and `0o17` a number.
//!
//! <https://yaml.org/spec/1.2.2/#103-core-schema>

use serde_json::Number;

use super::Content;

/// An integer that neither 64 bits nor JSON's floats can hold exactly.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// What an unquoted scalar means.
pub(super) fn resolve(text: &str) -> Result<Content, TooLarge> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Content::Null),
        "true" | "True" | "TRUE" => return Ok(Content::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Content::Bool(false)),
        _ => {}
    }
    if let Some((digits, radix)) = digits(text) {
        return integer(digits, radix).map(Content::Number).ok_or(TooLarge);
    }
    Ok(float(text).map_or_else(|| Content::Text(text.to_owned()), Content::Number))
}

/// The digits of an integer, with their sign, and their base.
fn digits(text: &str) -> Option<(&str, u32)> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (!rest.is_empty() && rest.chars().all(|c| c.is_digit(radix))).then_some((rest, radix));
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    (!unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit())).then_some((text, 10))
}

fn integer(digits: &str, radix: u32) -> Option<Number> {
    i64::from_str_radix(digits, radix)
        .map(Number::from)
        .or_else(|_| u64::from_str_radix(digits, radix).map(Number::from))
        .ok()
}

/// Infinity and not-a-number have no form in JSON and stay text.
fn float(text: &str) -> Option<Number> {
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let number = plain.then(|| text.parse::<f64>().ok()).flatten()?;
    Number::from_f64(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let cases = [
            ("80", json!(80)),
            ("-3", json!(-3)),
            ("+7", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("017", json!(17)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.10", json!(1.1)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("true", json!(true)),
            ("yes", json!("yes")),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.0/16", json!("10.0.0.0/16")),
            ("2024-01-01", json!("2024-01-01")),
            ("e", json!("e")),
            ("-", json!("-")),
            (".", json!(".")),
            (".inf", json!(".inf")),
            ("1e999", json!("1e999")),
            ("0x", json!("0x")),
            ("~", json!(null)),
        ];
        for (text, value) in cases {
            let node = super::super::Node { at: None, content: resolve(text).unwrap() };
            assert_eq!(node.to_value(), value, "{text}");
        }
    }

    #[test]
    fn an_integer_is_never_rounded() {
        assert_eq!(resolve("18446744073709551616"), Err(TooLarge));
    }
}
