//! What can go wrong between us and an object store, in words an operator can act on.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::ObjectUri;
use crate::support::causes;

/// A request to the object store that didn't do what was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the text of each says it")]
pub enum ObjectsError {
    #[error("{uri} doesn't exist")]
    NotFound { uri: ObjectUri },
    #[error("access to {uri} was denied ({code}: {message}); check the access key and its permissions on the bucket")]
    Denied { uri: ObjectUri, code: String, message: String },
    #[error("the object store of {uri} can't be reached: {cause}")]
    Unreachable { uri: ObjectUri, cause: String },
    #[error("the object store refused {uri} ({code}: {message})")]
    Refused { uri: ObjectUri, code: String, message: String },
    #[error("the object store of {uri} can't serve it now ({code}: {message})")]
    Busy { uri: ObjectUri, code: String, message: String },
    #[error("{uri} is larger than the {limit} bytes that are allowed here")]
    TooLarge { uri: ObjectUri, limit: u64 },
    #[error("{uri} broke off while it was read: {cause}")]
    BrokenOff { uri: ObjectUri, cause: String },
    #[error(
        "bucket {bucket} ignores If-None-Match: a second conditional write succeeded, so it can't lock Terraform's state \
         and two runs could overwrite each other; use another object store, or state = hadron"
    )]
    NoConditionalWrites { bucket: String },
}

impl ObjectsError {
    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::BrokenOff { .. } | Self::Busy { .. })
    }

    /// Reads the SDK's error; the code and message of S3 are kept, since its `Display` says neither.
    pub(super) fn from_sdk<E>(uri: &ObjectUri, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        SdkError<E, HttpResponse>: std::error::Error,
    {
        let uri = uri.clone();
        let Some(status) = status(error) else {
            return Self::Unreachable { uri, cause: causes(error) };
        };
        let code = error.code().unwrap_or("no error code").to_owned();
        let message = error.message().map_or_else(|| format!("HTTP status {status}"), str::to_owned);
        match status {
            404 => Self::NotFound { uri },
            401 | 403 => Self::Denied { uri, code, message },
            429 | 500.. => Self::Busy { uri, code, message },
            _ => Self::Refused { uri, code, message },
        }
    }
}

/// The HTTP status of an answer; None when there was none.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
