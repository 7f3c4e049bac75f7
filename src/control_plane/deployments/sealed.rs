//! Sealed outputs on their way through the record: shown as `***`, handed on as ciphertext.

use hadron_model as model;

use crate::control_plane::records::Output;

/// What everyone sees of a sealed value.
pub(crate) const HIDDEN: &str = "***";

/// Outputs as they go into an inputs document, in their order: a sealed one shows as [`HIDDEN`].
pub(crate) fn shown(outputs: &[Output]) -> Vec<(String, String)> {
    let pair = |output: &Output| match output {
        Output::Plain { key, value } => (key.clone(), value.clone()),
        Output::Sealed { key, .. } => (key.clone(), HIDDEN.to_owned()),
    };
    outputs.iter().map(pair).collect()
}

/// Outputs as the API lists them.
pub(crate) fn listed(outputs: &[Output]) -> Vec<model::Output> {
    let row = |(key, value)| model::Output { key: Some(key), value_string: Some(value) };
    shown(outputs).into_iter().map(row).collect()
}

/// The sealed ones among outputs that lie at `place` (a JSON pointer: `/environment/outputs`) of an inputs document, as
/// (pointer, ciphertext): what [`super::Inputs::sealed`] is made of.
pub(crate) fn sealed_at(place: &str, outputs: &[Output]) -> Vec<(String, String)> {
    let pointer = |output: &Output| match output {
        Output::Plain { .. } => None,
        Output::Sealed { key, ciphertext } => Some((format!("{place}/{}", escaped(key)), ciphertext.clone())),
    };
    outputs.iter().filter_map(pointer).collect()
}

/// A key as a part of a JSON pointer.
///
/// <https://www.rfc-editor.org/rfc/rfc6901#section-3>
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sealed_outputs_have_a_pointer_and_their_keys_are_escaped() {
        let outputs = [
            Output::Plain { key: "url".into(), value: "u".into() },
            Output::Sealed { key: "a/b~c".into(), ciphertext: "x".into() },
        ];
        let document = serde_json::json!({ "environment": { "outputs": { "url": "u", "a/b~c": HIDDEN } } });
        let sealed = sealed_at("/environment/outputs", &outputs);
        assert_eq!(sealed, [("/environment/outputs/a~1b~0c".to_owned(), "x".to_owned())]);
        assert_eq!(document.pointer(&sealed[0].0).unwrap(), HIDDEN);
        assert_eq!(shown(&outputs)[1].1, HIDDEN);
    }
}
