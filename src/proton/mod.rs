//! Proton, as the agent and the command line may ask it, in domain words. The only importer of `aws-sdk-proton`.
//!
//! Everything here is the stock API plus a few optional headers: an endpoint that ignores them, or never gets to see them,
//! still works (with plain polling and one agent).

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

mod deployment;
mod error;
mod headers;
mod lease;
mod pipeline;
mod poll;
mod resource;
mod sealed;
mod state;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::ProvideCredentials;

/// The SDK itself, for commands that only speak Proton's own words (the demo, waiters, listings).
pub use aws_sdk_proton as sdk;

pub use deployment::{Action, Attempt, Deployment, Work};
pub use error::ProtonError;
pub use lease::{Decision, Lease, Report, Settles, StateAt};
pub use pipeline::Begun;
pub use poll::{Pending, Poll};
pub use resource::{Service, ServiceInstance, ServiceInstanceSummary};
pub use state::{Adoption, Block, BlockSuspect, Locked, StateDoor};

use crate::support::cipher::Cipher;
use crate::support::https::{HttpError, Https};
use crate::support::{AwsAccess, Secret, Trust, credential};

/// One try of one request; above the longest that a poll may be held (50 s).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(75);

/// How long an answer may take that isn't one of Proton's API: a state of many megabytes travels in it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Proton endpoint, asked as one identity; cheap to clone.
#[derive(Debug, Clone)]
pub struct Proton {
    client: sdk::Client,
    config: SdkConfig,
    trust: Option<Trust>,
    https: Arc<OnceLock<Https>>,
}

impl Proton {
    /// Builds the client; nothing is sent yet.
    pub async fn new(access: &AwsAccess) -> Self {
        let config = access.sdk_config().await;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let timeouts = match config.timeout_config() {
            Some(inherited) => timeouts.build().to_builder().take_unset_from(inherited.to_builder()).build(),
            None => timeouts.build(),
        };
        let client = sdk::Client::from_conf(sdk::config::Builder::from(&config).timeout_config(timeouts).build());
        Self { client, config, trust: access.trust.clone(), https: Arc::default() }
    }

    /// The SDK's client, for requests that have no word of their own here.
    pub fn client(&self) -> &sdk::Client {
        &self.client
    }

    /// A client for what the endpoint serves beside Proton's API: states and sealed inputs. It is made when it is first
    /// asked for, since reading the system's certificates takes a while.
    ///
    /// # Errors
    /// The certificates can't be used.
    pub fn https(&self) -> Result<Https, HttpError> {
        if let Some(https) = self.https.get() {
            return Ok(https.clone());
        }
        let made = Https::trusting(self.trust.as_ref(), PATIENCE)?;
        Ok(self.https.get_or_init(|| made).clone())
    }

    /// The password that goes with `username` at a URL of the control plane: a keyed hash, so that the secret of our
    /// access key never travels, and what does travel opens one URL only.
    ///
    /// # Errors
    /// [`ProtonError::NoCredentials`].
    pub async fn password(&self, url: &str, username: &str) -> Result<Secret, ProtonError> {
        Ok(Secret::new(credential::state_password(&self.secret().await?, url, username)))
    }

    /// A cipher for one purpose, which begins with `hadron: `; its key is derived from the secret of our access key. An
    /// agent that is restarted with the same access key gets the same one.
    ///
    /// # Errors
    /// [`ProtonError::NoCredentials`].
    pub async fn cipher(&self, purpose: &str) -> Result<Cipher, ProtonError> {
        Ok(Cipher::new(&credential::derived_key(&self.secret().await?, purpose)))
    }

    /// The secret that requests are signed with.
    async fn secret(&self) -> Result<Secret, ProtonError> {
        let provider =
            self.config.credentials_provider().ok_or_else(|| ProtonError::no_credentials("none configured"))?;
        let key = provider.provide_credentials().await.map_err(|error| ProtonError::no_credentials(&error))?;
        Ok(Secret::new(key.secret_access_key()))
    }
}
