//! STS GetCallerIdentity, so that neither Terraform nor the Backstage plugin needs skip flags or a real account.
//!
//! The Query protocol: form in, XML out, 403 and other names for a signature that isn't accepted.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use axum::body::Body;
use http::request::Parts;
use http::{Response, StatusCode};

use super::answer::{Told, typed};
use super::keys::Key;
use super::sigv4::SignatureError;

/// The signing name.
pub(super) const SERVICE: &str = "sts";

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers an STS request whose signature has been checked.
pub(super) fn answer(body: &[u8], key: &Key, request_id: &str) -> Response<Body> {
    let form = |name: &str| form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value);
    let action = form("Action").unwrap_or_default();
    let mut answer = if action == "GetCallerIdentity" {
        xml(StatusCode::OK, &identity(key, request_id))
    } else {
        let version = form("Version").unwrap_or_default();
        let message = format!("Could not find operation {action} for version {version}");
        error(StatusCode::BAD_REQUEST, "InvalidAction", &message, request_id)
    };
    let operation = format!("sts:{}", if action == "GetCallerIdentity" { &action } else { "?" });
    answer.extensions_mut().insert(Told { operation: operation.into(), account: key.account.clone() });
    answer
}

/// Answers a request whose signature isn't accepted.
pub(super) fn refuse(refusal: &SignatureError, request_id: &str) -> Response<Body> {
    let (status, code) = match refusal {
        SignatureError::Missing => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
        SignatureError::Incomplete(_) => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
        SignatureError::Invalid(_) => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        SignatureError::UnknownKey => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
    };
    error(status, code, &refusal.to_string(), request_id)
}

/// Whether a request speaks the Query protocol.
pub(super) fn is_query(parts: &Parts) -> bool {
    let content_type = parts.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded")) && parts.uri.path() == "/"
}

fn identity(key: &Key, request_id: &str) -> String {
    let (arn, user, account) = (&key.caller.principal, &key.caller.access_key, &key.account);
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId>\
         <Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></GetCallerIdentityResponse>",
        escaped(arn),
        escaped(user),
        escaped(account)
    )
}

fn error(status: StatusCode, code: &str, message: &str, request_id: &str) -> Response<Body> {
    let message = escaped(message);
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>\
         </Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    );
    xml(status, &body)
}

fn xml(status: StatusCode, body: &str) -> Response<Body> {
    typed(status, "text/xml", body.to_owned())
}

/// Text as XML content; control characters, which XML 1.0 has no way to write, become question marks.
fn escaped(text: &str) -> String {
    let escape = |letter: char| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '\n' | '\t' => letter.to_string(),
        letter if letter.is_control() => "?".to_owned(),
        letter => letter.to_string(),
    };
    text.chars().map(escape).collect()
}
