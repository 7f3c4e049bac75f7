//! As whom a directory is deployed: the role that its environment names.
//!
//! A pipeline's own identity token takes it, where there is one and nobody gave keys; else whoever the pipeline is.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::Value;

use crate::support::https::{HttpError, Https};
use crate::support::{AwsAccess, Secret, Trust, causes};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest name of a session.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const LONGEST_SESSION: usize = 64;

/// Where roles come from.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    /// The pipeline's identity token, if it was given as text.
    pub token: Option<Secret>,
    /// The file that holds it.
    pub token_file: Option<PathBuf>,
    /// GitHub's address for tokens, and what it wants to see
    /// (<https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token>).
    pub github: Option<(String, Secret)>,
    /// Another STS than Amazon's.
    pub sts_endpoint: Option<String>,
}

/// Why a role couldn't be taken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RoleError {
    #[error("role {role} can't be taken: {cause}")]
    Refused { role: String, cause: String },
    #[error("GitHub gives no identity token (does the job have `permissions: id-token: write`?): {cause}")]
    NoToken { cause: String },
    #[error("the identity token in {} can't be read", path.display())]
    TokenFile { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Takes roles.
pub(super) struct Roles<'a> {
    pub(super) identities: &'a Identities,
    /// What Terraform would see: keys, profiles, a region.
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) region: &'a str,
    pub(super) trust: Option<&'a Trust>,
}

impl Roles<'_> {
    /// The variables that make any AWS client that role; none if the pipeline is that role already.
    ///
    /// # Errors
    /// [`RoleError`].
    pub(super) async fn take(&self, role: &str, session: &str) -> Result<BTreeMap<String, String>, RoleError> {
        let session = session_name(session);
        let taken = match self.token().await? {
            Some(token) => self.by_token(role, &session, &token).await?,
            None => match self.by_keys(role, &session).await? {
                Some(taken) => taken,
                None => return Ok(BTreeMap::new()),
            },
        };
        let pairs = [
            ("AWS_ACCESS_KEY_ID", taken.access_key_id()),
            ("AWS_SECRET_ACCESS_KEY", taken.secret_access_key()),
            ("AWS_SESSION_TOKEN", taken.session_token()),
        ];
        Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The pipeline's token. Keys that somebody gave are an answer already.
    async fn token(&self) -> Result<Option<Secret>, RoleError> {
        let Identities { token, token_file, github, .. } = self.identities;
        if let Some(token) = token {
            return Ok(Some(token.clone()));
        }
        if self.env.contains_key("AWS_ACCESS_KEY_ID") || self.env.contains_key("AWS_PROFILE") {
            return Ok(None);
        }
        match (token_file, github) {
            // With a role of its own the file is that role's, and the chain reads both.
            (Some(path), _) if !self.env.contains_key("AWS_ROLE_ARN") => {
                let read = fs::read_to_string(path);
                let text = read.map_err(|source| RoleError::TokenFile { path: path.clone(), source })?;
                Ok(Some(Secret::new(text.trim())))
            }
            (None, Some((address, bearer))) => self.githubs_token(address, bearer).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn githubs_token(&self, address: &str, bearer: &Secret) -> Result<Secret, RoleError> {
        let joint = if address.contains('?') { '&' } else { '?' };
        let request = Request::get(format!("{address}{joint}audience=sts.amazonaws.com"))
            .header(AUTHORIZATION, format!("bearer {}", bearer.reveal()))
            .body(Bytes::new())
            .map_err(|error| RoleError::NoToken { cause: error.to_string() })?;
        let answer = Https::trusting(self.trust, PATIENCE)?.send(request).await?;
        let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let token = told["value"].as_str().filter(|_| answer.status().is_success());
        token.map(Secret::new).ok_or_else(|| RoleError::NoToken { cause: format!("HTTP status {}", answer.status()) })
    }

    async fn by_token(
        &self,
        role: &str,
        session: &str,
        token: &Secret,
    ) -> Result<aws_sdk_sts::types::Credentials, RoleError> {
        // The token is the proof; no key signs this request.
        let nobody = Some(("none".to_owned(), Secret::new("none")));
        let client = Client::new(&self.access(nobody).sdk_config().await);
        let asked = client.assume_role_with_web_identity().role_arn(role).role_session_name(session);
        let answer = asked.web_identity_token(token.reveal()).send().await.map_err(|error| refused(role, &error))?;
        answer.credentials.ok_or_else(|| nothing(role))
    }

    /// None if the keys are that role's already: a role may not be allowed to take itself.
    async fn by_keys(&self, role: &str, session: &str) -> Result<Option<aws_sdk_sts::types::Credentials>, RoleError> {
        let mut config = self.access(None).sdk_config().await.into_builder();
        if let Some((id, secret)) = self.env.get("AWS_ACCESS_KEY_ID").zip(self.env.get("AWS_SECRET_ACCESS_KEY")) {
            let token = self.env.get("AWS_SESSION_TOKEN").cloned();
            let keys = Credentials::new(id, secret, token, None, "hadron");
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(keys)));
        }
        let client = Client::new(&config.build());
        let whoever = client.get_caller_identity().send().await.map_err(|error| refused(role, &error))?;
        if whoever.arn().is_some_and(|arn| is_session_of(arn, role)) {
            return Ok(None);
        }
        let asked = client.assume_role().role_arn(role).role_session_name(session);
        let answer = asked.send().await.map_err(|error| refused(role, &error))?;
        answer.credentials.map(Some).ok_or_else(|| nothing(role))
    }

    /// The endpoint is named outright, since `AWS_ENDPOINT_URL` may well be Hadron's.
    fn access(&self, credentials: Option<(String, Secret)>) -> AwsAccess {
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let amazons = || format!("https://sts.{}.{suffix}", self.region);
        AwsAccess {
            endpoint: Some(self.identities.sts_endpoint.clone().unwrap_or_else(amazons)),
            region: Some(self.region.to_owned()),
            credentials,
            trust: self.trust.cloned(),
        }
    }
}

fn refused<E>(role: &str, error: &aws_sdk_sts::error::SdkError<E>) -> RoleError
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
{
    let service = error.as_service_error();
    let words = service.and_then(|error| Some(format!("{}: {}", error.code()?, error.message()?)));
    RoleError::Refused { role: role.to_owned(), cause: words.unwrap_or_else(|| causes(error)) }
}

fn nothing(role: &str) -> RoleError {
    RoleError::Refused { role: role.to_owned(), cause: "STS answered without credentials".to_owned() }
}

/// Letters, digits and a few signs are what STS takes.
fn session_name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    text.chars().map(|c| if fits(c) { c } else { '-' }).take(LONGEST_SESSION).collect()
}

/// Whether `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION` is a session of `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
fn is_session_of(arn: &str, role: &str) -> bool {
    let parts = |arn: &str| -> Option<(String, String)> {
        let (before, resource) = arn.rsplit_once(':')?;
        Some((before.rsplit(':').next()?.to_owned(), resource.to_owned()))
    };
    let (Some((account, session)), Some((of, named))) = (parts(arn), parts(role)) else { return false };
    let name = session.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    account == of && named.starts_with("role/") && name == named.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_recognised_as_its_roles() {
        let session = "arn:aws:sts::123456789012:assumed-role/deploy/hadron-d-1";
        assert!(is_session_of(session, "arn:aws:iam::123456789012:role/deploy"));
        assert!(is_session_of(session, "arn:aws:iam::123456789012:role/ci/deploy"));
        assert!(!is_session_of(session, "arn:aws:iam::123456789012:role/deployer"));
        assert!(!is_session_of(session, "arn:aws:iam::210987654321:role/deploy"));
        assert!(!is_session_of("arn:aws:iam::123456789012:user/deploy", "arn:aws:iam::123456789012:role/deploy"));
    }

    #[test]
    fn a_session_has_a_name_that_sts_takes() {
        assert_eq!(session_name("hadron environment/dev"), "hadron-environment-dev");
        assert_eq!(session_name(&"x".repeat(90)).len(), LONGEST_SESSION);
    }
}
