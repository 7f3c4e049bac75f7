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
    fn only_hidden_values_have_to_be_asked_for() {
        let hidden = BTreeMap::from([("a".into(), OutputValue { value: Value::Null, sensitive: true })]);
        let empty = BTreeMap::from([("a".into(), OutputValue { value: Value::Null, sensitive: false })]);
        assert!(any_hidden(&hidden));
        assert!(!any_hidden(&empty));
    }
}
