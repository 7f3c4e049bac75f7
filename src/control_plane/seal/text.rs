//! The form of a sealed text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::keyring::LEGACY;
use super::{Ring, SealError};

/// Begins a text that a data key has sealed.
const FORM: &str = "v2.";
/// Began a text that the master key itself had sealed.
const FORM_1: &str = "v1.";

/// `v2.<data key>.<base64>` under the current key.
pub(crate) fn seal(ring: &Ring, plaintext: &str, context: &str) -> Result<String, SealError> {
    let sealed = ring.encrypt(plaintext.as_bytes(), context.as_bytes())?;
    let mut text = String::with_capacity(FORM.len() + 16 + sealed.len().div_ceil(3) * 4);
    text.push_str(FORM);
    text.push_str(ring.current());
    text.push('.');
    STANDARD.encode_string(sealed, &mut text);
    Ok(text)
}

/// Opens a text of either form.
pub(crate) fn open(ring: &Ring, sealed: &str, context: &str) -> Result<String, SealError> {
    let (id, encoded) = parts(sealed).ok_or(SealError::Broken)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| SealError::Broken)?;
    String::from_utf8(ring.decrypt(id, bytes, context.as_bytes())?).map_err(|_| SealError::Broken)
}

/// The data key that a text is sealed under; None of a text that isn't sealed.
pub(crate) fn key_of(text: &str) -> Option<&str> {
    parts(text).map(|(id, _)| id)
}

/// Whether a text claims to be sealed by a data key, even if it broke off.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(FORM)
}

fn parts(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix(FORM) {
        Some(rest) => rest.split_once('.'),
        None => text.strip_prefix(FORM_1).map(|encoded| (LEGACY, encoded)),
    }
}
