//! How an AWS client is built here: whom it asks, as whom, and over which TLS.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One endpoint and one identity; what is absent comes from AWS's default chain.
#[derive(Debug, Clone, Default)]
pub struct AwsAccess {
    /// Where the service answers; None = AWS, or what `AWS_ENDPOINT_URL_…` and the profile say.
    pub endpoint: Option<String>,
    /// The region to sign for; None = what the default chain finds.
    pub region: Option<String>,
    /// An access key's id and secret; None = the default chain.
    pub credentials: Option<(String, Secret)>,
}

impl AwsAccess {
    /// Builds what every SDK client starts from. Given a region and credentials, neither environment nor profile is
    /// looked at, so that two identities in one process can't mix.
    pub async fn sdk_config(&self) -> SdkConfig {
        match (&self.region, &self.credentials) {
            (Some(region), Some((id, secret))) => self.explicit(region, id, secret),
            _ => self.with_chain().await,
        }
    }

    fn explicit(&self, region: &str, id: &str, secret: &Secret) -> SdkConfig {
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(key(id, secret)))
            .http_client(self.plain_or_tls())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        builder.set_endpoint_url(self.endpoint.clone());
        builder.build()
    }

    async fn with_chain(&self) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(with_tls())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some((id, secret)) = &self.credentials {
            loader = loader.credentials_provider(key(id, secret));
        }
        loader.load().await
    }

    /// A machine without root certificates must still reach a plain endpoint, so TLS is left out where it can't be used.
    fn plain_or_tls(&self) -> SharedHttpClient {
        if self.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")) {
            return aws_smithy_http_client::Builder::new().build_http();
        }
        with_tls()
    }
}

/// The SDK's own client with ring in place of aws-lc's C build. The default chain may need it for STS even where the
/// service's endpoint is plain.
fn with_tls() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

fn key(id: &str, secret: &Secret) -> Credentials {
    Credentials::new(id, secret.reveal(), None, None, "hadron")
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build()
}
