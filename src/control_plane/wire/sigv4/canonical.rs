//! The two texts that a signature is made of.

use http::request::Parts;
use sha2::{Digest, Sha256};

use super::ALGORITHM;
use super::header::Scope;

/// The canonical request: everything that is signed, one thing a line. Bytes, since a header's value need not be text
/// and no two values may read the same.
pub(super) fn request(parts: &Parts, signed_headers: &[String], body: &[u8]) -> Vec<u8> {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let mut text = format!("{}\n{path}\n{query}\n", parts.method).into_bytes();
    for name in signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend(header(parts, name));
        text.push(b'\n');
    }
    text.extend_from_slice(format!("\n{}\n{}", signed_headers.join(";"), digest(body)).as_bytes());
    text
}

/// The text under the HMAC.
pub(super) fn string_to_sign(moment: &str, scope: &Scope, request: &[u8]) -> String {
    format!("{ALGORITHM}\n{moment}\n{}\n{}", scope.signed(), digest(request))
}

/// A header's values, joined by commas, runs of blanks as one. A signed header that isn't there counts as empty, so that
/// removing one breaks the signature.
fn header(parts: &Parts, name: &str) -> Vec<u8> {
    let values: Vec<Vec<u8>> = parts.headers.get_all(name).iter().map(|value| trimmed(value.as_bytes())).collect();
    values.join(&b',')
}

fn trimmed(value: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
