//! Answers as the clients expect them, and what the log is told about each.

use std::borrow::Cow;

use axum::body::Body;
use hadron_model::{Action, Refusal};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::ProtonError;
use super::sigv4::SignatureError;

/// An answer of AWS JSON 1.0 is of this type, successful or not.
const AMZ_JSON: &str = "application/x-amz-json-1.0";

/// What the request's line in the log says besides its id, status and time; rides along as an extension.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) operation: Cow<'static, str>,
    pub(super) account: String,
}

impl Told {
    /// About a request whose caller isn't known.
    pub(super) fn of(operation: impl Into<Cow<'static, str>>) -> Self {
        Self { operation: operation.into(), account: String::new() }
    }
}

/// An error on its way out: AWS's name for it, and its message unless AWS sends none.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    name: Cow<'static, str>,
    message: Option<String>,
}

impl Failure {
    /// An error that the client can mend.
    pub(super) fn client(name: &'static str, message: Option<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, name: protocol(name), message }
    }

    /// Our own fault; the client learns only the request's id.
    pub(super) fn internal(request_id: &str) -> Self {
        let message =
            format!("An internal error occurred; the server's log has its cause under request id {request_id}");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            name: proton("InternalServerException"),
            message: Some(message),
        }
    }

    /// The record is away. AWS's clients repeat what an internal error answers, so this is one, with other words.
    pub(super) fn unavailable(request_id: &str) -> Self {
        let message = format!("The record is away for a moment; try again (request id {request_id})");
        Self { message: Some(message), ..Self::internal(request_id) }
    }

    /// A body that is too large to read.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = Some(format!("The request's body is larger than {limit} bytes"));
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..Self::client("RequestEntityTooLargeException", message) }
    }

    /// An operation's refusal, under a name that the operation declares: SDKs have no type for others.
    pub(super) fn of(action: Action, error: &ProtonError, request_id: &str) -> Self {
        let name = match error {
            ProtonError::Validation(_) => "ValidationException",
            ProtonError::Conflict(_) => "ConflictException",
            ProtonError::ResourceNotFound(_) => "ResourceNotFoundException",
            ProtonError::ServiceQuotaExceeded(_) => "ServiceQuotaExceededException",
            ProtonError::AccessDenied(_) => "AccessDeniedException",
            ProtonError::Throttling(_) => "ThrottlingException",
            ProtonError::UnknownOperation(_) => {
                return Self::client("UnknownOperationException", Some(error.to_string()));
            }
            ProtonError::Internal(_) => return Self::internal(request_id),
            ProtonError::Unavailable(_) => return Self::unavailable(request_id),
        };
        let name = if action.errors().contains(&name) { name } else { "ValidationException" };
        Self { name: proton(name), ..Self::client(name, Some(error.to_string())) }
    }

    /// The error as JSON, without the headers that every answer gets.
    pub(super) fn answer(self) -> Response<Body> {
        let mut body = json!({ "__type": self.name });
        if let Some(message) = self.message {
            body["message"] = message.into();
        }
        amz_json(self.status, body.to_string())
    }
}

/// Errors of the protocol itself carry this prefix on AWS.
fn protocol(name: &str) -> Cow<'static, str> {
    format!("com.amazon.coral.service#{name}").into()
}

/// Errors of Proton's own model carry this one.
fn proton(name: &str) -> Cow<'static, str> {
    format!("com.amazonaws.proton#{name}").into()
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        let name = match error {
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete(_) => "IncompleteSignatureException",
            SignatureError::Invalid(_) => "InvalidSignatureException",
            SignatureError::UnknownKey => "UnrecognizedClientException",
        };
        Self::client(name, Some(error.to_string()))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Serialization(message) => Self::client("SerializationException", Some(message)),
            Refusal::Validation(message) => {
                Self { name: proton("ValidationException"), ..Self::client("", Some(message)) }
            }
        }
    }
}

/// An answer of AWS JSON 1.0.
pub(super) fn amz_json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    typed(status, AMZ_JSON, body)
}

/// An answer of any type.
pub(super) fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
