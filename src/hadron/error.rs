//! How Hadron's own API says no.

use http::StatusCode;
use serde::Deserialize;

use crate::support::https::HttpError;

/// A request that the server refused, or that never reached it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the text of each says it")]
pub enum HadronError {
    /// The server's own exception, by its name: `ConflictException`.
    #[error("{message} ({code})")]
    Refused { code: String, message: String },
    #[error("no answer came")]
    Unanswered(#[from] HttpError),
    #[error("the request to {endpoint} can't be signed: {cause}")]
    Unsignable { endpoint: String, cause: String },
    #[error("the request can't be written as JSON")]
    Unsendable(#[source] serde_json::Error),
    #[error("the answer to {operation} makes no sense; is this a server of this version of hadron?")]
    Nonsense {
        operation: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

/// An error on the wire; the name may carry a namespace in front of a `#`.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(rename = "__type", default)]
    name: String,
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl HadronError {
    /// The exception's name, if it is one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether what the request names isn't there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some("ResourceNotFoundException")
    }

    /// Whether the present state of what it names forbids the request.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some("ConflictException")
    }

    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let Body { name, message } = serde_json::from_slice(body).unwrap_or_default();
        let code = name.rsplit('#').next().filter(|code| !code.is_empty()).map(str::to_owned);
        Self::Refused {
            code: code.unwrap_or_else(|| format!("HTTP {}", status.as_u16())),
            message: message.unwrap_or_else(|| format!("the server answers {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_known_by_its_name_and_anything_else_by_its_status() {
        let body = br#"{"__type":"com.amazonaws.proton#ConflictException","message":"it is locked"}"#;
        let error = HadronError::refused(StatusCode::BAD_REQUEST, body);
        assert!(error.is_conflict());
        assert_eq!(error.to_string(), "it is locked (ConflictException)");
        let proxy = HadronError::refused(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(proxy.code(), Some("HTTP 502"));
    }
}
