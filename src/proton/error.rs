//! How Proton says no.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::sdk::error::SdkError;
use crate::support::{causes, remedy};

/// Without a key of Hadron's own, AWS's chain decides, and its last word is about something else.
const NO_KEY: &str = "set HADRON_ACCESS_KEY_ID and HADRON_SECRET_ACCESS_KEY, or give AWS's default chain credentials";

/// A request that Proton refused, or that never reached it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the text of each says it")]
pub enum ProtonError {
    /// For a notify: someone else holds the deployment, or our epoch is stale.
    #[error("Proton says that this conflicts: {message}")]
    Conflict { message: String },
    #[error("Proton doesn't know it: {message}")]
    NotFound { message: String },
    #[error("Proton denied access ({code}: {message}); check the access key, its region and its role")]
    Denied { code: String, message: String },
    #[error("Proton refused the request ({code}: {message})")]
    Refused { code: String, message: String },
    /// A fault of the server, or too many requests: worth trying again.
    #[error("Proton can't answer now ({code}: {message})")]
    Busy { code: String, message: String },
    #[error("Proton can't be reached: {cause}")]
    Unreachable { cause: String },
    /// Refused by our own side: no credentials or region found, or input that no request can carry.
    #[error("the request to Proton couldn't be sent: {cause}")]
    Unsendable { cause: String },
    #[error("no credentials for Proton: {cause}")]
    NoCredentials { cause: String },
    #[error("Proton's answer makes no sense: {what}")]
    Nonsense { what: String },
}

impl ProtonError {
    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }

    /// What mends it, where that is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoCredentials { .. } => Some(NO_KEY),
            Self::Unreachable { cause } | Self::Unsendable { cause } if cause.contains("credentials") => Some(NO_KEY),
            Self::Unreachable { cause } => remedy(cause),
            _ => None,
        }
    }

    pub(super) fn no_credentials(cause: &(impl ToString + ?Sized)) -> Self {
        Self::NoCredentials { cause: cause.to_string() }
    }

    pub(super) fn nonsense(what: impl Into<String>) -> Self {
        Self::Nonsense { what: what.into() }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for ProtonError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    /// Code and message are read one by one: every message is marked sensitive in the model, and the SDK's `Display`
    /// would say only that.
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let Some(status) = error.raw_response().map(|response| response.status().as_u16()) else {
            return Self::unreached(&error);
        };
        let code = error.code().unwrap_or("no error code").to_owned();
        let message = error.message().map_or_else(|| format!("HTTP status {status}"), str::to_owned);
        match code.as_str() {
            "ConflictException" => Self::Conflict { message },
            "ResourceNotFoundException" => Self::NotFound { message },
            "ThrottlingException" | "InternalServerException" => Self::Busy { code, message },
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "IncompleteSignatureException"
            | "MissingAuthenticationTokenException" => Self::Denied { code, message },
            _ if status >= 500 => Self::Busy { code, message },
            _ => Self::Refused { code, message },
        }
    }
}

impl ProtonError {
    fn unreached<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Self {
        let cause = causes(error);
        let SdkError::DispatchFailure(failure) = error else {
            return match error {
                SdkError::ConstructionFailure(_) => Self::Unsendable { cause },
                _ => Self::Unreachable { cause },
            };
        };
        // An error of another kind with a kind for retries: the endpoint hung up before it had answered.
        let broke_off = |error: &ConnectorError| error.is_io() || error.is_timeout() || error.as_other().is_some();
        if failure.as_connector_error().is_some_and(broke_off) {
            return Self::Unreachable { cause };
        }
        Self::Unsendable { cause }
    }
}

#[cfg(test)]
mod tests {
    use super::ProtonError;

    #[test]
    fn an_agent_without_a_key_is_told_which_variables_are_missing() {
        let words = "other: an error occurred while loading credentials: failed to load IMDS session token";
        let error = ProtonError::Unsendable { cause: words.to_owned() };
        assert!(error.remedy().unwrap().contains("HADRON_ACCESS_KEY_ID"));
        assert_eq!(ProtonError::Unsendable { cause: "no region".into() }.remedy(), None);
        assert_eq!(ProtonError::Unreachable { cause: "Connection refused".into() }.remedy(), None);
    }
}
