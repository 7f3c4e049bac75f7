//! Outputs, from the event stream or, where that hides them, from `output -json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TerraformError;

/// An output's value and whether its author marked it sensitive.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputValue {
    /// The value in Terraform's JSON form. The event stream of a run has `null` here for a sensitive one.
    #[serde(default)]
    pub value: Value,
    /// Whether it must not be shown.
    #[serde(default)]
    pub sensitive: bool,
}

impl std::fmt::Debug for OutputValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.sensitive { f.write_str("***") } else { self.value.fmt(f) }
    }
}

/// Whether the event stream kept values from us, so that they have to be asked for
/// (<https://developer.hashicorp.com/terraform/internals/machine-readable-ui>).
pub(super) fn any_hidden(outputs: &BTreeMap<String, OutputValue>) -> bool {
    outputs.values().any(|output| output.sensitive && output.value.is_null())
}

/// Reads what `output -json` printed.
pub(super) fn parse(stdout: &[u8]) -> Result<BTreeMap<String, OutputValue>, TerraformError> {
    serde_json::from_slice(stdout).map_err(TerraformError::Outputs)
}

/// A state as Terraform stores it (format 4). One that OpenTofu has encrypted has no outputs to read.
#[derive(Deserialize)]
struct State {
    version: u64,
    outputs: BTreeMap<String, OutputValue>,
}

/// Reads the outputs in clear from a state, if they are the outputs that the run has told of.
pub(super) fn of_state(state: &[u8], told: &BTreeMap<String, OutputValue>) -> Option<BTreeMap<String, OutputValue>> {
    let State { version, outputs } = serde_json::from_slice(state).ok()?;
    let same = |(name, told): (&String, &OutputValue)| {
        outputs.get(name).is_some_and(|found| found.sensitive == told.sensitive && (told.sensitive || found == told))
    };
    (version == 4 && outputs.len() == told.len() && told.iter().all(same)).then_some(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensitive_value_is_read_and_never_shown() {
        let outputs = parse(br#"{"secret":{"sensitive":true,"type":"string","value":"hush"}}"#).unwrap();
        assert_eq!(outputs["secret"].value, "hush");
        assert_eq!(format!("{outputs:?}"), r#"{"secret": ***}"#);
    }

    #[test]
    fn a_states_outputs_count_only_if_they_are_those_that_were_told() {
        let told = |value: &str| {
            let hidden = OutputValue { value: Value::Null, sensitive: true };
            BTreeMap::from([("a".into(), OutputValue { value: value.into(), sensitive: false }), ("s".into(), hidden)])
        };
        let state = br#"{"version":4,"serial":7,"outputs":{"a":{"value":"x","type":"string"},
            "s":{"value":"hush","type":"string","sensitive":true}},"resources":[]}"#;
        assert_eq!(of_state(state, &told("x")).unwrap()["s"].value, "hush");
        assert_eq!(of_state(state, &told("y")), None, "another run's");
        assert_eq!(of_state(br#"{"serial":1,"encrypted_data":"x"}"#, &told("x")), None);
        assert_eq!(of_state(br#"{"version":4,"outputs":{}}"#, &told("x")), None);
    }

    #[test]
    fn only_hidden_values_have_to_be_asked_for() {
        let hidden = BTreeMap::from([("a".into(), OutputValue { value: Value::Null, sensitive: true })]);
        let empty = BTreeMap::from([("a".into(), OutputValue { value: Value::Null, sensitive: false })]);
        assert!(any_hidden(&hidden));
        assert!(!any_hidden(&empty));
    }
}
