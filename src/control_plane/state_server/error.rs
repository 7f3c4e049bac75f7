//! Why a state isn't given, locked or written, and how Terraform is told.

use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::control_plane::records::LockHolder;
use crate::control_plane::seal::SealError;
use crate::control_plane::store::StoreError;

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum StateError {
    /// No credentials, or wrong ones.
    #[error("the user or password is wrong for this address")]
    Unauthorized,
    /// The claim is known, but no longer the one that counts.
    #[error("deployment {deployment} epoch {epoch}: {reason}, so it may not take this lock or read this state")]
    ClaimOver { deployment: String, epoch: i64, reason: &'static str },
    /// Somebody else has the lock.
    #[error(
        "the state is locked by deployment {} epoch {} of agent {}, lock {}",
        .0.deployment, .0.epoch, .0.agent, .0.lock_id
    )]
    Held(Box<LockHolder>),
    /// A write by someone who hasn't the lock while nobody else has it.
    #[error("the state is written under its lock only, and this lock id doesn't hold it")]
    NotLocked,
    /// An operator must look first.
    #[error(
        "the state of {arn} is blocked: {reason}. Its newest version here has serial {}. Compare it with what is deployed, \
         push a newer one if there is one, then run `hadron state unblock {arn} --serial N` with the serial that counts",
        serial.map_or_else(|| "none".to_owned(), |serial| serial.to_string())
    )]
    Blocked { arn: String, reason: String, serial: Option<i64> },
    /// An operator must decide first.
    #[error("the state of {arn} is blocked: {reason}. Whoever may decides with one of: {}", commands.join("; "))]
    BlockedByRun { arn: String, reason: String, commands: Vec<String> },
    /// Another history.
    #[error("the state's lineage is {found}, the upload's is {given}: it belongs to another history")]
    Lineage { found: String, given: String },
    /// An older state of the same history.
    #[error("the state's serial is {found} already, the upload's is {given}: newer state would be lost")]
    Serial { found: i64, given: i64 },
    /// The upload isn't what its sender meant.
    #[error("the upload is torn: its digest or length doesn't fit; send it again")]
    Torn,
    /// More than is kept.
    #[error("the upload is larger than {} KiB, which is the most that is taken here", limit >> 10)]
    TooLarge { limit: usize },
    /// It isn't a state.
    #[error("the upload is no terraform state")]
    NotState(#[source] serde_json::Error),
    /// LOCK or UNLOCK with something else than Terraform's description of a lock.
    #[error("the body doesn't describe a lock")]
    NotLockInfo(#[source] serde_json::Error),
    /// What a run says of a state that it can't settle isn't readable.
    #[error("the body doesn't say why the state is to be blocked")]
    NotBlock(#[source] serde_json::Error),
    /// LOCK without an id.
    #[error("the lock has no ID")]
    NoLockId,
    /// A path that no target has.
    #[error("no target has this address")]
    NoSuchAddress,
    /// Only GET, POST, DELETE, LOCK and UNLOCK.
    #[error("this method has no meaning here")]
    Method,
    /// The server is going down.
    #[error("the server is stopping; send it again")]
    Interrupted,
    /// A sealed input can't be opened.
    #[error("a sealed input can't be opened")]
    Sealed(#[source] SealError),
    /// The record refuses.
    #[error("the record can't be read or written")]
    Store(#[from] StoreError),
}

impl StateError {
    /// Terraform repeats what answers 5xx, so that is for our own faults; it reads a lock's description from 423 and 409.
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ClaimOver { .. }
            | Self::Blocked { .. }
            | Self::BlockedByRun { .. }
            | Self::Lineage { .. }
            | Self::Serial { .. } => StatusCode::CONFLICT,
            Self::Held(_) | Self::NotLocked => StatusCode::LOCKED,
            Self::Torn | Self::NotState(_) | Self::NotLockInfo(_) | Self::NotBlock(_) | Self::NoLockId => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchAddress => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Interrupted | Self::Store(StoreError::Unavailable { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Sealed(_) | Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Our own faults are for the operator; refusals are part of the day.
    pub(super) fn log(&self, method: &Method, path: &str) {
        let status = self.status();
        if status.is_server_error() {
            let cause = std::error::Error::source(self).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%method, path, cause, "the state server answers {status}: {self}");
        } else {
            tracing::info!(%method, path, "the state server answers {status}: {self}");
        }
    }

    /// The answer: JSON with the reason, and with the lock's description where there is one.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body().to_string()));
        *response.status_mut() = self.status();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if matches!(self, Self::Unauthorized) {
            let challenge = HeaderValue::from_static("Basic realm=\"hadron\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// Of a refused lock Terraform shows the members of the lock's description, hence the reason in `Info`, or in `ID`
    /// where there is no lock.
    fn body(&self) -> Value {
        let reason = self.to_string();
        let mut body = match self {
            Self::Held(holder) => {
                let mut info: Value = serde_json::from_str(&holder.info).unwrap_or_else(|_| json!({}));
                info["Info"] = reason.as_str().into();
                info
            }
            _ => json!({ "ID": reason }),
        };
        body["reason"] = reason.into();
        body
    }
}
