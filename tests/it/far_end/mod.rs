//! The other sides of our clients: small servers on loopback that keep what they are told and answer by the protocol.

pub(crate) mod proton;
pub(crate) mod s3;
pub(crate) mod state;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;

/// Serves a router on a free port of the loopback for as long as the test runs, and says where.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// The id of the access key that signed a request.
pub(crate) fn access_key(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let credential = authorization.split("Credential=").nth(1)?;
    Some(credential.split('/').next()?.to_owned())
}

/// One request, as a far end saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: std::time::Instant,
    pub(crate) operation: String,
    pub(crate) access_key: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
