//! The two texts that a signature is made of.

use http::request::Parts;
use sha2::{Digest, Sha256};

use super::ALGORITHM;
use super::header::Scope;

/// The canonical request: everything that is signed, one thing a line.
pub(super) fn request(parts: &Parts, signed_headers: &[String], body: &[u8]) -> String {
    let method = &parts.method;
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let headers: String = signed_headers.iter().map(|name| format!("{name}:{}\n", header(parts, name))).collect();
    let names = signed_headers.join(";");
    let body = digest(body);
    format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{body}")
}

/// The text under the HMAC.
pub(super) fn string_to_sign(moment: &str, scope: &Scope, request: &str) -> String {
    format!("{ALGORITHM}\n{moment}\n{}\n{}", scope.signed(), digest(request.as_bytes()))
}

/// A header's values, joined by commas, runs of blanks as one. A signed header that isn't there counts as empty, so that
/// removing one breaks the signature.
fn header(parts: &Parts, name: &str) -> String {
    let values = parts.headers.get_all(name).iter();
    let values = values.map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    });
    values.collect::<Vec<_>>().join(",")
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
