//! One request: mostly signed and whole, now and then odd.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use hadron::support::Clock;
use hadron_model::Action;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use serde_json::Value;

use super::dice::Dice;
use super::guess::{self, Known};

/// Where requests go and who signs them.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) key: (String, String),
}

/// Headers that mean something to Hadron, with values that don't.
const HEADERS: [(&str, &[&str]); 7] = [
    ("x-hadron-agent", &["a", "", "agent-1", "../x"]),
    ("x-hadron-epoch", &["0", "1", "-1", "99999999999999999999", "x"]),
    ("x-hadron-wait", &["0", "-1", "x", "0.5"]),
    ("content-type", &["text/plain", "application/x-amz-json-1.1", "application/x-amz-json-1.0; charset=utf-8", ""]),
    ("x-amz-target", &["", "AwsProton20200720", "AwsProton20200720.Nope", "Hadron20261122.", "DynamoDB.X"]),
    ("x-amz-content-sha256", &["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x"]),
    ("expect", &["200-maybe"]),
];

/// The next request.
pub(super) fn next(door: &Door, actions: &[Action], dice: &mut Dice, known: &Known) -> Request<Full<Bytes>> {
    // What is there half of the time makes more happen than what goes as often as it comes.
    let drawn = [*dice.pick(actions), *dice.pick(actions)];
    let action = if drawn[0].name().starts_with("Delete") { drawn[1] } else { drawn[0] };
    let input = guess::input(action, dice, known);
    let body = body(&input, dice);
    let mut headers = vec![
        ("host".to_owned(), door.endpoint.trim_start_matches("http://").to_owned()),
        ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
        ("x-amz-target".to_owned(), format!("{}.{}", action.target_prefix(), action.name())),
    ];
    if dice.percent(8) {
        let (name, values) = *dice.pick(&HEADERS);
        headers.retain(|(known, _)| known != name);
        headers.push((name.to_owned(), dice.pick(values).to_string()));
    }
    let mut request = signed(door, action, &headers, &body);
    if dice.percent(3) {
        let odd = [
            "AWS4-HMAC-SHA256 Credential=",
            "Bearer x",
            "",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=;, Signature=00",
        ];
        request.headers_mut().insert("authorization", HeaderValue::from_static(dice.pick::<&str>(&odd)));
    }
    if dice.percent(1) {
        *request.method_mut() = dice.pick(&[http::Method::GET, http::Method::PUT, http::Method::HEAD]).clone();
    }
    request
}

fn body(input: &Value, dice: &mut Dice) -> Vec<u8> {
    let mut text = input.to_string().into_bytes();
    match dice.below(30) {
        0 => dice.bytes(300),
        1 => {
            text.truncate(dice.below(text.len()));
            text
        }
        2 => guess::anything(dice, 4).to_string().into_bytes(),
        3 if dice.percent(20) => "[".repeat(dice.below(5000)).into_bytes(),
        4 => {
            let at = dice.below(text.len());
            text[at] = u8::try_from(dice.below(256)).unwrap();
            text
        }
        _ => text,
    }
}

fn signed(door: &Door, action: Action, headers: &[(String, String)], body: &[u8]) -> Request<Full<Bytes>> {
    let identity = Credentials::new(&door.key.0, &door.key.1, None, None, "fuzz").into();
    let now = Clock::system().now();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&door.region)
        .name(action.service())
        .time(UNIX_EPOCH + Duration::from_millis(now.unsigned_abs()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("{}/", door.endpoint);
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new("POST", &url, pairs, SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request = Request::post(&url).body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    for (name, value) in headers {
        let (name, value) =
            (HeaderName::try_from(name.as_str()).unwrap(), HeaderValue::try_from(value.as_str()).unwrap());
        request.headers_mut().insert(name, value);
    }
    instructions.apply_to_request_http1x(&mut request);
    request
}
