//! A request of either API from the socket to its operation and back, checked in AWS's order.

use std::borrow::Cow;

use futures::future::BoxFuture;
use hadron_model::{Action, check};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::Value;

use axum::body::Body;

use super::answer::{Failure, Told, amz_json};
use super::call::Peer;
use super::keys::Key;
use super::{Call, ProtonError};
use crate::domain::Scope;

/// What performs operations.
pub trait Operations: Send + Sync {
    /// Performs an operation on input that has passed the model's checks; the answer is JSON text.
    fn perform<'a>(
        &'a self,
        call: &'a mut Call,
        action: Action,
        input: Value,
    ) -> BoxFuture<'a, Result<Vec<u8>, ProtonError>>;
}

/// Which operation a request names and its JSON; the checks that come before the signature.
pub(super) fn read(parts: &Parts, body: &[u8]) -> Result<(Action, Value), Failure> {
    let unknown = || Failure::client("UnknownOperationException", None);
    if parts.method != Method::POST || !is_amz_json(parts) {
        return Err(unknown());
    }
    let input = serde_json::from_slice(body).map_err(|_| Failure::client("SerializationException", None))?;
    let action = target(parts).and_then(Action::targeted).ok_or_else(unknown)?;
    Ok((action, input))
}

/// Performs an operation for whoever signed the request.
pub(super) async fn perform(
    operations: &dyn Operations,
    mut call: Call,
    action: Action,
    input: Value,
) -> Response<Body> {
    let outcome = match check(action.input(), &input) {
        Ok(()) => operations.perform(&mut call, action, input).await,
        Err(refusal) => return finish(Failure::from(refusal).answer(), action, call),
    };
    let answer = match outcome {
        Ok(output) => amz_json(StatusCode::OK, output),
        Err(error) => {
            if let ProtonError::Internal(cause) | ProtonError::Unavailable(cause) = &error {
                let id = &call.request_id;
                tracing::error!(request.id = %id, operation = action.name(), error = chain(cause.as_ref()), "{error}");
            }
            Failure::of(action, &error, &call.request_id).answer()
        }
    };
    finish(answer, action, call)
}

/// What an operation may know of its request.
pub(super) fn call(parts: &Parts, key: &Key, region: &str, request_id: &str, now: i64) -> Call {
    Call {
        caller: key.caller.clone(),
        scope: Scope::new(&key.account, region),
        request_id: request_id.to_owned(),
        now,
        page_key: key.page_key(),
        peer: parts.extensions.get::<Peer>().map(|peer| peer.0),
        headers: parts.headers.clone(),
        answer_headers: HeaderMap::new(),
    }
}

fn finish(mut answer: Response<Body>, action: Action, call: Call) -> Response<Body> {
    answer.headers_mut().extend(call.answer_headers);
    let told = Told { operation: told_as(action), account: call.scope.account };
    answer.extensions_mut().insert(told);
    answer
}

/// In the log, operations of our own API say so.
fn told_as(action: Action) -> Cow<'static, str> {
    match action {
        Action::Proton(operation) => operation.name().into(),
        Action::Hadron(operation) => format!("hadron:{}", operation.name()).into(),
    }
}

fn is_amz_json(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-amz-json-1.0"))
}

/// The operation that a request names.
pub(super) fn target(parts: &Parts) -> Option<&str> {
    parts.headers.get("x-amz-target")?.to_str().ok()
}

/// An error with its causes, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
