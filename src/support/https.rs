//! HTTP for what has no SDK: our own operations, webhooks. Plain or TLS by the address, with the system's certificates
//! and a site's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::Trust;
use super::proxy::{self, Road};

/// The largest answer that is read, in bytes: a Terraform state with its escapes fits.
const LARGEST_ANSWER: usize = 160 << 20;

/// Why an answer didn't come.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum HttpError {
    /// The certificates to trust can't be read.
    #[error("the certificates in {path} can't be used: {reason}")]
    Certificates { path: String, reason: String },
    /// Nobody there, or a handshake that failed.
    #[error("{address} can't be reached")]
    Unreachable {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer took too long.
    #[error("{address} didn't answer within {seconds} s")]
    Timeout { address: String, seconds: u64 },
    /// The answer broke off or is too large.
    #[error("the answer of {address} can't be read")]
    Answer {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An HTTP client; cheap to clone, keeps its connections.
#[derive(Debug, Clone)]
pub struct Https {
    client: Client<HttpsConnector<Road>, Full<Bytes>>,
    timeout: Duration,
}

impl Https {
    /// A client that trusts the system's certificates and those in the PEM file `ca_bundle`, and that gives up on an
    /// answer after `timeout`.
    ///
    /// # Errors
    /// The file can't be read or holds no certificate.
    pub fn new(ca_bundle: Option<&Path>, timeout: Duration) -> Result<Self, HttpError> {
        Ok(Self::over(client_config(ca_bundle)?, timeout))
    }

    /// The same for a trust that was read already.
    ///
    /// # Errors
    /// None if there is a trust; else as [`Https::new`].
    pub fn trusting(trust: Option<&Trust>, timeout: Duration) -> Result<Self, HttpError> {
        match trust {
            Some(trust) => Ok(Self::over(trust.client_config(), timeout)),
            None => Self::new(None, timeout),
        }
    }

    fn over(config: ClientConfig, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        let connector = connector.enable_http1().wrap_connector(Road(tcp));
        Self { client: Client::builder(TokioExecutor::new()).build(connector), timeout }
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// That no answer came.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let address = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        proxy::authorize(&request.uri().clone(), request.headers_mut());
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(super::USER_AGENT));
        let exchange = async {
            let answer = self.client.request(request.map(Full::new)).await;
            let (parts, body) = answer
                .map_err(|source| HttpError::Unreachable { address: address.clone(), source: source.into() })?
                .into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await;
            let body = body.map_err(|source| HttpError::Answer { address: address.clone(), source })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let seconds = self.timeout.as_secs();
        let late = HttpError::Timeout { address: address.clone(), seconds };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(late))
    }
}

/// TLS towards others: the system's certificates, and those in the PEM file.
///
/// # Errors
/// The file can't be read or holds no certificate.
pub fn client_config(ca_bundle: Option<&Path>) -> Result<ClientConfig, HttpError> {
    let files: Vec<PathBuf> = ca_bundle.map(Path::to_owned).into_iter().collect();
    Ok(Trust::read(&files)?.client_config())
}
