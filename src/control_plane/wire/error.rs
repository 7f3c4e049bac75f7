//! The one error of all operations, and its form on the wire.

use hadron_model::Unimplemented;

use crate::control_plane::store::StoreError;

/// An operation's refusal. Everything but an internal error and an absent record is the client's to
/// mend and answers 400.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/CommonErrors.html>
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is the AWS exception of the same name, with its message")]
pub enum ProtonError {
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    ResourceNotFound(String),
    #[error("{0}")]
    ServiceQuotaExceeded(String),
    #[error("{0}")]
    AccessDenied(String),
    #[error("{0}")]
    Throttling(String),
    #[error("operation {0} is not available")]
    UnknownOperation(&'static str),
    /// The cause goes to the log under the request's id; the client learns only the id.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database is away; the same request will succeed in a while.
    #[error("the record is away for a moment; try again")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ProtonError {
    /// Input that breaks a rule.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::Validation(message.into())
    }

    /// A request that the resource's present state forbids.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    /// Something named that isn't there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::ResourceNotFound(message.into())
    }

    /// A count that is used up.
    pub fn quota(message: impl Into<String>) -> Self {
        Self::ServiceQuotaExceeded(message.into())
    }

    /// Anything that is our own fault.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<StoreError> for ProtonError {
    /// Rules have been checked before a write, so what the store refuses is a race (the client may repeat) or a fault.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists { .. } | StoreError::Stale { .. } => Self::Conflict(error.to_string()),
            StoreError::Unavailable { source } => Self::Unavailable(source),
            other => Self::internal(other),
        }
    }
}

impl From<Unimplemented> for ProtonError {
    fn from(Unimplemented(operation): Unimplemented) -> Self {
        Self::UnknownOperation(operation)
    }
}

impl From<serde_json::Error> for ProtonError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
