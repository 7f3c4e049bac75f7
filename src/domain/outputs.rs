//! Terraform's output values as Proton's outputs, which are all text.

use serde_json::Value;

/// Most outputs that a notification carries.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_NotifyResourceDeploymentStatusChange.html>
pub const MOST_OUTPUTS: usize = 50;

/// Longest key and longest value, in characters.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_Output.html>
pub const LONGEST_TEXT: usize = 1024;

/// One output as Proton keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// The name of the Terraform output.
    pub key: String,
    /// A scalar as its text, a list or map as JSON; never empty.
    pub text: String,
    /// Declared `sensitive` by the template: to be sealed, never shown.
    pub sensitive: bool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.sensitive { "***" } else { self.text.as_str() };
        f.debug_struct("Output").field("key", &self.key).field("text", &text).finish_non_exhaustive()
    }
}

/// The outputs of one run, with what Proton would not take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs {
    /// In Terraform's order.
    pub outputs: Vec<Output>,
    /// Sentences for a person; no value is ever quoted in them. Not empty: the deployment must not be called a success.
    pub refusals: Vec<String>,
}

/// Maps Terraform's outputs (name, value, sensitive) to Proton's.
///
/// Null and empty text are left out, since Proton's values have at least one character.
pub fn proton_outputs<'a>(values: impl IntoIterator<Item = (&'a str, &'a Value, bool)>) -> Outputs {
    let mut mapped = Outputs::default();
    for (key, value, sensitive) in values {
        let Some(text) = text_of(value) else { continue };
        match too_long(key, &text) {
            Some(refusal) => mapped.refusals.push(refusal),
            None => mapped.outputs.push(Output { key: key.to_owned(), text, sensitive }),
        }
    }
    let count = mapped.outputs.len() + mapped.refusals.len();
    if count > MOST_OUTPUTS {
        mapped.refusals.push(format!(
            "the template has {count} outputs and Proton takes at most {MOST_OUTPUTS}: join some into one list or map"
        ));
    }
    mapped
}

fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

fn too_long(key: &str, text: &str) -> Option<String> {
    let (key_length, length) = (key.chars().count(), text.chars().count());
    if key_length > LONGEST_TEXT {
        let start: String = key.chars().take(40).collect();
        return Some(format!(
            "the output name {start}… has {key_length} characters and Proton takes at most {LONGEST_TEXT}: shorten it"
        ));
    }
    (length > LONGEST_TEXT).then(|| {
        format!(
            "the value of output {key} has {length} characters and Proton takes at most {LONGEST_TEXT}: \
             output a reference to it (an ARN, a parameter name) instead"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapped(values: &[(&str, Value)]) -> Outputs {
        proton_outputs(values.iter().map(|(key, value)| (*key, value, false)))
    }

    #[test]
    fn scalars_become_text_and_lists_become_json() {
        let outputs = mapped(&[
            ("text", json!("a")),
            ("count", json!(80)),
            ("ratio", json!(0.5)),
            ("on", json!(true)),
            ("ids", json!(["a", "b"])),
            ("tags", json!({"k": 1})),
            ("none", json!(null)),
            ("empty", json!("")),
        ]);
        let texts: Vec<_> = outputs.outputs.iter().map(|o| (o.key.as_str(), o.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                ("text", "a"),
                ("count", "80"),
                ("ratio", "0.5"),
                ("on", "true"),
                ("ids", r#"["a","b"]"#),
                ("tags", r#"{"k":1}"#)
            ]
        );
        assert!(outputs.refusals.is_empty());
    }

    #[test]
    fn a_value_of_1024_characters_passes_and_one_more_is_refused_without_being_quoted() {
        let longest = "ä".repeat(LONGEST_TEXT);
        assert!(mapped(&[("key", json!(longest))]).refusals.is_empty());
        let refused = mapped(&[("key", json!(longest + "ä"))]);
        assert!(refused.outputs.is_empty());
        assert!(refused.refusals[0].contains("output key has 1025 characters"), "{:?}", refused.refusals);
        assert!(!refused.refusals[0].contains('ä'));
    }

    #[test]
    fn fifty_one_outputs_are_refused() {
        let names: Vec<String> = (0..51).map(|n| format!("o{n}")).collect();
        let value = json!("x");
        let fifty = proton_outputs(names[..50].iter().map(|name| (name.as_str(), &value, false)));
        assert!(fifty.refusals.is_empty());
        let more = proton_outputs(names.iter().map(|name| (name.as_str(), &value, false)));
        assert!(more.refusals[0].contains("51 outputs"), "{:?}", more.refusals);
    }

    #[test]
    fn a_sensitive_text_is_not_shown_by_debug() {
        let secret = json!("hunter2");
        let outputs = proton_outputs([("password", &secret, true)]);
        assert!(outputs.outputs[0].sensitive);
        assert!(!format!("{outputs:?}").contains("hunter2"));
    }
}
