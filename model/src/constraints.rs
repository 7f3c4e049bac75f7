//! Checks a request against the model's constraints and words the result as AWS does.
//!
//! AWS answers `N validation error(s) detected: Value 'X' at 'path' failed to satisfy constraint: Member must …`, all
//! breaches at once, list positions counted from one as `tags.1.member.key`, sensitive values left out.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

/// One shape of the model with everything that can be checked about it.
#[derive(Debug)]
pub struct Shape {
    /// The shape's name in the model.
    pub name: &'static str,
    /// Whether its value must never be repeated in a message or a log.
    pub sensitive: bool,
    /// What it is and what bounds it has.
    pub kind: Kind,
}

/// What a shape is; lengths count code points or list entries, both bounds inclusive.
#[derive(Debug)]
#[expect(missing_docs, reason = "the members are the model's own constraint names")]
pub enum Kind {
    Structure { members: &'static [Member], union: bool },
    List { of: &'static Shape, min: Option<i64>, max: Option<i64> },
    String { min: Option<i64>, max: Option<i64>, pattern: Option<&'static Pattern>, values: &'static [&'static str] },
    Integer { min: Option<i64>, max: Option<i64> },
    Boolean,
    Timestamp,
}

/// A structure's member.
#[derive(Debug)]
#[expect(missing_docs, reason = "plain facts of the model")]
pub struct Member {
    pub name: &'static str,
    pub required: bool,
    pub shape: &'static Shape,
}

/// A pattern of the model, compiled at first use.
#[derive(Debug)]
pub struct Pattern {
    text: &'static str,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// Keeps the pattern's text; nothing is compiled yet.
    pub const fn new(text: &'static str) -> Self {
        Self { text, regex: OnceLock::new() }
    }

    /// The pattern as the model has it.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Java's `\w` and `\d` are ASCII. Unicode classes would also be too large: `RoleArn` doesn't compile with them.
    fn matches(&self, value: &str) -> bool {
        let compile =
            || RegexBuilder::new(self.text).unicode(false).build().expect("every pattern of the model compiles");
        self.regex.get_or_init(compile).is_match(value.as_bytes())
    }
}

/// Why a request is refused before any operation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A value has the wrong JSON type: AWS's SerializationException.
    Serialization(String),
    /// Constraints are breached: AWS's ValidationException, already worded.
    Validation(String),
}

/// Holds a request's JSON against the shape of its operation's input.
///
/// # Errors
/// A wrong JSON type ends the check at once; breached constraints are collected and answered together.
pub fn check(input: &Shape, value: &Value) -> Result<(), Refusal> {
    let mut breaches = Vec::new();
    walk(input, value, "", &mut breaches)?;
    if breaches.is_empty() {
        return Ok(());
    }
    let plural = if breaches.len() == 1 { "" } else { "s" };
    Err(Refusal::Validation(format!("{} validation error{plural} detected: {}", breaches.len(), breaches.join("; "))))
}

fn walk(shape: &Shape, value: &Value, path: &str, breaches: &mut Vec<String>) -> Result<(), Refusal> {
    let mut breach = |shown: &str, rule: String| breaches.push(worded(shape, shown, path, &rule));
    match (&shape.kind, value) {
        (Kind::Structure { members, union }, Value::Object(given)) => {
            // What the model doesn't know is left out of account, as everywhere.
            let has = |member: &&Member| given.get(member.name).is_some_and(|value| !value.is_null());
            if *union && members.iter().filter(has).count() != 1 {
                let names: Vec<_> = members.iter().map(|m| m.name).collect();
                breach("null", format!("have exactly one of the members [{}]", names.join(", ")));
            }
            walk_members(members, given, path, breaches)
        }
        (Kind::List { of, min, max }, Value::Array(items)) => {
            check_length(items.len(), *min, *max, |rule| breach(&compact(value), rule));
            for (index, item) in items.iter().enumerate() {
                walk(of, item, &format!("{path}.{}.member", index + 1), breaches)?;
            }
            Ok(())
        }
        (Kind::String { min, max, pattern, values }, Value::String(text)) => {
            check_length(text.chars().count(), *min, *max, |rule| breach(text, rule));
            if let Some(pattern) = pattern.filter(|p| !p.matches(text)) {
                breach(text, format!("satisfy regular expression pattern: {}", pattern.text));
            }
            if !values.is_empty() && !values.contains(&text.as_str()) {
                breach(text, format!("satisfy enum value set: [{}]", values.join(", ")));
            }
            Ok(())
        }
        (Kind::Integer { min, max }, Value::Number(number)) => {
            let Some(given) = number.as_i64() else { return Err(wrong_type(shape, value, path)) };
            check_range(given, *min, *max, "value", |rule| breach(&given.to_string(), rule));
            Ok(())
        }
        (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp, Value::Number(_)) => Ok(()),
        _ => Err(wrong_type(shape, value, path)),
    }
}

fn walk_members(
    members: &[Member],
    given: &serde_json::Map<String, Value>,
    path: &str,
    breaches: &mut Vec<String>,
) -> Result<(), Refusal> {
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        match given.get(member.name).filter(|v| !v.is_null()) {
            Some(value) => walk(member.shape, value, &path, breaches)?,
            None if member.required => {
                breaches.push(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"));
            }
            None => {}
        }
    }
    Ok(())
}

fn check_length(length: usize, min: Option<i64>, max: Option<i64>, breach: impl FnMut(String)) {
    check_range(i64::try_from(length).unwrap_or(i64::MAX), min, max, "length", breach);
}

fn check_range(given: i64, min: Option<i64>, max: Option<i64>, what: &str, mut breach: impl FnMut(String)) {
    if let Some(min) = min.filter(|min| given < *min) {
        breach(format!("have {what} greater than or equal to {min}"));
    }
    if let Some(max) = max.filter(|max| given > *max) {
        breach(format!("have {what} less than or equal to {max}"));
    }
}

fn worded(shape: &Shape, shown: &str, path: &str, rule: &str) -> String {
    let value = if shape.sensitive { "Value".to_owned() } else { format!("Value '{shown}'") };
    format!("{value} at '{path}' failed to satisfy constraint: Member must {rule}")
}

/// Lists are shown the way Java prints them: `[a, b]`; a list of sensitive things shows nothing.
fn compact(value: &Value) -> String {
    let Value::Array(items) = value else { return String::new() };
    if items.is_empty() { "[]".into() } else { format!("[{} entries]", items.len()) }
}

fn wrong_type(shape: &Shape, value: &Value, path: &str) -> Refusal {
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a structure",
    };
    let wanted = match shape.kind {
        Kind::Structure { .. } => "a structure",
        Kind::List { .. } => "a list",
        Kind::String { .. } => "a string",
        Kind::Integer { .. } => "an integer",
        Kind::Boolean => "a boolean",
        Kind::Timestamp => "a timestamp",
    };
    let place = if path.is_empty() { "the request".to_owned() } else { format!("'{path}'") };
    Refusal::Serialization(format!("{place} must be {wanted}, not {given}"))
}

#[cfg(test)]
mod tests {
    use super::{Refusal, check};
    use crate::Operation;
    use serde_json::json;

    fn refusal(operation: Operation, value: &serde_json::Value) -> Refusal {
        check(operation.input(), value).unwrap_err()
    }

    #[test]
    fn all_breaches_are_told_at_once_in_aws_wording() {
        let value = json!({"displayName": "", "tags": [{"key": "", "value": "v"}]});
        let expected = "3 validation errors detected: \
            Value at 'displayName' failed to satisfy constraint: Member must have length greater than or equal to 1; \
            Value null at 'name' failed to satisfy constraint: Member must not be null; \
            Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1";
        assert_eq!(refusal(Operation::CreateEnvironmentTemplate, &value), Refusal::Validation(expected.into()));
    }

    #[test]
    fn a_pattern_is_quoted_verbatim() {
        let expected = "1 validation error detected: Value 'bad name!' at 'name' failed to satisfy constraint: \
            Member must satisfy regular expression pattern: ^[0-9A-Za-z]+[0-9A-Za-z_\\-]*$";
        assert_eq!(
            refusal(Operation::GetEnvironment, &json!({"name": "bad name!"})),
            Refusal::Validation(expected.into())
        );
    }

    #[test]
    fn a_union_holds_exactly_one_member() {
        let value = json!({"templateName": "t", "source": {}});
        assert!(
            matches!(refusal(Operation::CreateEnvironmentTemplateVersion, &value), Refusal::Validation(text) if text.contains("exactly one"))
        );
    }

    #[test]
    fn what_a_union_does_not_know_does_not_count() {
        let s3 = json!({"bucket": "abc", "key": "k"});
        for source in [json!({"s3": s3, "git": null}), json!({"git": 1, "s3": s3})] {
            let value = json!({"templateName": "t", "source": source});
            check(Operation::CreateEnvironmentTemplateVersion.input(), &value).unwrap();
            let input: crate::CreateEnvironmentTemplateVersionInput = serde_json::from_value(value).unwrap();
            assert!(matches!(input.source, crate::TemplateVersionSourceInput::S3(_)));
        }
        for source in [json!({"git": 1}), json!({"s3": null})] {
            let value = json!({"templateName": "t", "source": source});
            assert!(matches!(
                refusal(Operation::CreateEnvironmentTemplateVersion, &value),
                Refusal::Validation(text) if text.contains("exactly one")
            ));
        }
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error() {
        assert!(matches!(refusal(Operation::GetEnvironment, &json!({"name": 7})), Refusal::Serialization(_)));
        assert!(matches!(refusal(Operation::GetEnvironment, &json!([])), Refusal::Serialization(_)));
    }

    #[test]
    fn every_pattern_compiles() {
        for operation in Operation::ALL {
            check(operation.input(), &json!({"name": "a", "roleArn": "x", "protonServiceRoleArn": "x"})).ok();
        }
    }
}
