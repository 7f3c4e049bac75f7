//! Sealed outputs inside documents, which have a seal of their own beside the document's.

use serde_json::Value;

use super::{SealError, Sealer, output_at, output_context, text};
use crate::domain::Scope;

/// Seals every sealed output of a document's JSON under the current key; says whether any was under another.
pub(super) fn renew(document: &mut Value, sealer: &Sealer, scope: &Scope) -> Result<bool, SealError> {
    match document {
        Value::Object(members) => {
            let mut renewed = false;
            for (name, member) in members {
                renewed |= match (name.as_str(), &mut *member) {
                    ("sealed", Value::Object(output)) => output_of(output, sealer, scope)?,
                    ("sealed_inputs", Value::Array(pairs)) => inputs(pairs, sealer, scope)?,
                    _ => renew(member, sealer, scope)?,
                };
            }
            Ok(renewed)
        }
        Value::Array(items) => {
            items.iter_mut().try_fold(false, |renewed, item| Ok(renew(item, sealer, scope)? | renewed))
        }
        _ => Ok(false),
    }
}

/// `{ "key": …, "ciphertext": … }`.
fn output_of(output: &mut serde_json::Map<String, Value>, sealer: &Sealer, scope: &Scope) -> Result<bool, SealError> {
    let Some(key) = output.get("key").and_then(Value::as_str).map(str::to_owned) else { return Ok(false) };
    output.get_mut("ciphertext").map_or(Ok(false), |ciphertext| value(ciphertext, sealer, &output_context(scope, &key)))
}

/// Pairs of a JSON pointer and a ciphertext.
fn inputs(pairs: &mut [Value], sealer: &Sealer, scope: &Scope) -> Result<bool, SealError> {
    let mut renewed = false;
    for pair in pairs {
        let Some([Value::String(pointer), ciphertext]) = pair.as_array_mut().map(Vec::as_mut_slice) else { continue };
        renewed |= value(ciphertext, sealer, &output_context(scope, &output_at(pointer)))?;
    }
    Ok(renewed)
}

fn value(ciphertext: &mut Value, sealer: &Sealer, context: &str) -> Result<bool, SealError> {
    let Some(before) = ciphertext.as_str() else { return Ok(false) };
    if text::key_of(before) == Some(sealer.ring().current()) {
        return Ok(false);
    }
    *ciphertext = Value::String(sealer.seal(&sealer.unseal(before, context)?, context)?);
    Ok(true)
}
