//! A Proton request from the socket to its operation and back, checked in AWS's order.

use futures::future::BoxFuture;
use hadron_model::{Operation, Proton, TARGET_PREFIX, check, dispatch};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::Value;

use axum::body::Body;

use super::answer::{Failure, Told, amz_json};
use super::keys::Key;
use super::{Call, ProtonError};
use crate::domain::Scope;

/// What performs operations.
pub trait Operations: Send + Sync {
    /// Performs an operation on input that has passed the model's checks; the answer is JSON text.
    fn perform<'a>(
        &'a self,
        call: &'a mut Call,
        operation: Operation,
        input: Value,
    ) -> BoxFuture<'a, Result<Vec<u8>, ProtonError>>;
}

impl<P: Proton<Call = Call, Error = ProtonError> + Send> Operations for P {
    fn perform<'a>(
        &'a self,
        call: &'a mut Call,
        operation: Operation,
        input: Value,
    ) -> BoxFuture<'a, Result<Vec<u8>, ProtonError>> {
        Box::pin(dispatch(self, call, operation, input))
    }
}

/// Which operation a request names and its JSON; the checks that come before the signature.
pub(super) fn read(parts: &Parts, body: &[u8]) -> Result<(Operation, Value), Failure> {
    let unknown = || Failure::client("UnknownOperationException", None);
    if parts.method != Method::POST || !is_amz_json(parts) {
        return Err(unknown());
    }
    let input = serde_json::from_slice(body).map_err(|_| Failure::client("SerializationException", None))?;
    let operation = target(parts).and_then(Operation::named).ok_or_else(unknown)?;
    Ok((operation, input))
}

/// Performs an operation for whoever signed the request.
pub(super) async fn perform(
    operations: &dyn Operations,
    mut call: Call,
    operation: Operation,
    input: Value,
) -> Response<Body> {
    let outcome = match check(operation.input(), &input) {
        Ok(()) => operations.perform(&mut call, operation, input).await,
        Err(refusal) => return finish(Failure::from(refusal).answer(), operation, call),
    };
    let answer = match outcome {
        Ok(output) => amz_json(StatusCode::OK, output),
        Err(error) => {
            if let ProtonError::Internal(cause) = &error {
                let id = &call.request_id;
                tracing::error!(request.id = %id, operation = operation.name(), error = chain(cause.as_ref()), "internal error");
            }
            Failure::of(operation, &error, &call.request_id).answer()
        }
    };
    finish(answer, operation, call)
}

/// What an operation may know of its request.
pub(super) fn call(parts: &Parts, key: &Key, region: &str, request_id: &str, now: i64) -> Call {
    Call {
        caller: key.caller.clone(),
        scope: Scope::new(&key.account, region),
        request_id: request_id.to_owned(),
        now,
        page_key: key.page_key(),
        headers: parts.headers.clone(),
        answer_headers: HeaderMap::new(),
    }
}

/// Whether an operation changes anything: a change is finished even if its client hangs up meanwhile.
pub(super) fn changes(operation: Operation) -> bool {
    !["Get", "List"].iter().any(|reading| operation.name().starts_with(reading))
}

fn finish(mut answer: Response<Body>, operation: Operation, call: Call) -> Response<Body> {
    answer.headers_mut().extend(call.answer_headers);
    let told = Told { operation: operation.name().into(), account: call.scope.account };
    answer.extensions_mut().insert(told);
    answer
}

fn is_amz_json(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-amz-json-1.0"))
}

fn target(parts: &Parts) -> Option<&str> {
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    target.strip_prefix(TARGET_PREFIX)?.strip_prefix('.')
}

/// An error with its causes, for the log.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
