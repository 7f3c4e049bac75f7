//! The values that the API shows as `***`, for the one run that consumes them.

use std::collections::BTreeMap;

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use serde_json::Value;

use super::{Lease, Proton, ProtonError};

impl Proton {
    /// Reads the sealed inputs of a claimed deployment, by JSON pointer into the inputs; empty when nothing is sealed.
    ///
    /// # Errors
    /// [`ProtonError`]; without them the run would provision the word `***`, so there is no way on.
    pub async fn sealed_inputs(&self, lease: &Lease) -> Result<BTreeMap<String, Value>, ProtonError> {
        let Some(url) = &lease.sealed else { return Ok(BTreeMap::new()) };
        let username = lease.username();
        let password = self.password(url, &username).await?;
        let basic = format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())));
        let mut request = Request::new(SdkBody::empty());
        request.set_uri(url.as_str()).map_err(|error| ProtonError::nonsense(format!("sealed URL: {error}")))?;
        request.headers_mut().insert("authorization", basic);
        let answer = connector(url).call(request).await;
        let answer = answer.map_err(|error| ProtonError::Unreachable { cause: error.to_string() })?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| ProtonError::Unreachable { cause: error.to_string() })?.to_bytes();
        match status {
            200 => serde_json::from_slice(&body)
                .map_err(|error| ProtonError::nonsense(format!("sealed inputs are no JSON object: {error}"))),
            401 | 403 => Err(ProtonError::Denied { code: status.to_string(), message: "sealed inputs".into() }),
            409 | 423 => Err(ProtonError::Conflict { message: String::from_utf8_lossy(&body).into_owned() }),
            _ => Err(ProtonError::Busy { code: status.to_string(), message: "sealed inputs".into() }),
        }
    }
}

/// One request in a deployment's life doesn't deserve an HTTP library of its own; the SDK's connector does it.
fn connector(url: &str) -> Connector {
    if url.starts_with("http://") {
        return Connector::builder().build_http();
    }
    Connector::builder().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build()
}
