//! Keys and values as every reader of YAML, old or new, takes them for what they are.

use std::fmt::Write as _;

use serde_json::Value;

/// What YAML 1.1 readers (yq among them) take for a boolean or null.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A key: plain where it can't be mistaken, else in quotes.
pub fn yaml_key(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !WORDS.contains(&key.to_ascii_lowercase().as_str());
    if plain { key.to_owned() } else { yaml_value(&Value::from(key)) }
}

/// A value as JSON on one line, which is YAML in any surroundings; what YAML wants escaped and JSON doesn't, is.
///
/// <https://yaml.org/spec/1.2.2/#51-character-set>
pub fn yaml_value(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            write!(text, "\\u{:04x}", u32::from(c)).expect("text takes text");
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::parse;
    use super::*;

    #[test]
    fn only_what_can_be_mistaken_is_quoted() {
        let written = ["port", "a-b_c", "on", "No", "80", "", "<<", "a b", "ä", "a:"].map(yaml_key);
        assert_eq!(
            written,
            ["port", "a-b_c", "\"on\"", "\"No\"", "\"80\"", "\"\"", "\"<<\"", "\"a b\"", "\"ä\"", "\"a:\""]
        );
    }

    proptest! {
        #[test]
        fn every_key_and_text_is_read_back(key in any::<String>(), text in any::<String>()) {
            let written = format!("{}: {}\n", yaml_key(&key), yaml_value(&json!([text, {&key: null}])));
            let read = parse("f", &written).map_err(|problems| TestCaseError::fail(format!("{written}: {problems}")))?;
            prop_assert_eq!(read.to_value(), json!({&key: [text, {&key: null}]}));
        }
    }
}
