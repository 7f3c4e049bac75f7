//! How an AWS client is built here: whom it asks, as whom, and over which TLS.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::TokioExecutor;

use super::proxy::{self, Road};
use super::{Secret, Trust};

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
    /// Whose certificates are trusted; None = the system's.
    pub trust: Option<Trust>,
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
            .app_name(app_name())
            .credentials_provider(SharedCredentialsProvider::new(key(id, secret)))
            .http_client(self.plain_or_tls())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        builder.set_endpoint_url(self.endpoint.clone());
        builder.build()
    }

    async fn with_chain(&self) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .app_name(app_name())
            .http_client(self.with_tls())
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
        if self.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")) && !proxy::is_chosen() {
            return aws_smithy_http_client::Builder::new().build_http();
        }
        self.with_tls()
    }

    /// The SDK's own client with ring in place of aws-lc's C build, or ours where a site has certificates or a proxy of its
    /// own.
    /// The default chain may need it for STS even where the service's endpoint is plain.
    fn with_tls(&self) -> SharedHttpClient {
        // No file is read, so nothing can be wrong with one.
        let system = || Trust::read(&[]).ok().filter(|_| proxy::is_chosen());
        if let Some(trust) = self.trust.clone().or_else(system) {
            let connector = SharedHttpConnector::new(Trusting::new(&trust));
            return http_client_fn(move |_, _| connector.clone());
        }
        aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https()
    }
}

/// The SDK's client takes authorities only, and none after it was built; this one follows a [`Trust`].
#[derive(Debug, Clone)]
struct Trusting {
    client: Client<HttpsConnector<Road>, SdkBody>,
}

impl Trusting {
    fn new(trust: &Trust) -> Self {
        let mut tcp = TcpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_tls_config(trust.client_config()).https_or_http();
        let connector = connector.enable_http1().wrap_connector(Road(tcp));
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }
}

impl HttpConnector for Trusting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(mut request) => {
                proxy::authorize(&request.uri().clone(), request.headers_mut());
                request
            }
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let exchange = self.client.request(request);
        HttpConnectorFuture::new(async move {
            let answer = exchange.await.map_err(broken)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Says it as the SDK's own client would, so that the same things are tried again.
fn broken(error: hyper_util::client::legacy::Error) -> ConnectorError {
    match error.is_connect() {
        true => ConnectorError::io(error.into()),
        false => ConnectorError::other(error.into(), Some(ErrorKind::TransientError)),
    }
}

/// Who asks: the SDK says it in its own user agent.
fn app_name() -> AppName {
    AppName::new(concat!("hadron-", env!("CARGO_PKG_VERSION"))).expect("letters, digits and points")
}

fn key(id: &str, secret: &Secret) -> Credentials {
    Credentials::new(id, secret.reveal(), None, None, "hadron")
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build()
}
