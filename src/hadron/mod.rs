//! What the command line asks of Hadron's own API: AWS JSON 1.0, signed with SigV4 like Proton's.
//!
//! No SDK is generated for this API; the model's types are both sides' words, and one function sends them.

mod error;

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use hadron_model::hadron::{MODEL, Operation, SIGNING_NAME, TARGET_PREFIX};
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::HadronError;

use crate::support::https::{HttpError, Https};
use crate::support::{Clock, Secret};

/// How long an answer may take: a pushed state of many megabytes is checked and made durable first.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Entries of a page.
const PAGE: i64 = 100;

/// Hadron's own API at one address, asked as one identity; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: Https,
    endpoint: String,
    region: String,
    key: (String, Secret),
    clock: Clock,
}

impl Client {
    /// Builds the client; nothing is sent yet. `endpoint` is the server's address (`http://127.0.0.1:9440`), `region`
    /// the one to sign for, `key` an access key's id and secret, `ca_bundle` a PEM file of certificates to trust besides
    /// the system's.
    ///
    /// # Errors
    /// The certificates can't be read.
    pub fn new(
        endpoint: &str,
        region: &str,
        key: (String, Secret),
        ca_bundle: Option<&Path>,
    ) -> Result<Self, HttpError> {
        let endpoint = format!("{}/", endpoint.trim_end_matches('/'));
        let http = Https::new(ca_bundle, TIMEOUT)?;
        Ok(Self { http, endpoint, region: region.to_owned(), key, clock: Clock::system() })
    }

    /// Performs an operation. Input and output are the model's types of that operation.
    ///
    /// # Errors
    /// That the server refuses it, or that no answer came.
    pub async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        operation: Operation,
        input: &I,
    ) -> Result<O, HadronError> {
        let body = serde_json::to_vec(input).map_err(HadronError::Unsendable)?;
        let request = self.request(operation, body)?;
        let answer = self.http.send(request).await?;
        if !answer.status().is_success() {
            return Err(HadronError::refused(answer.status(), answer.body()));
        }
        serde_json::from_slice(answer.body())
            .map_err(|source| HadronError::Nonsense { operation: operation.name(), source })
    }

    /// All entries of a list operation, page after page. `T` is the type of one entry.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn pages<I: Serialize, T: DeserializeOwned>(
        &self,
        operation: Operation,
        input: &I,
    ) -> Result<Vec<T>, HadronError> {
        let nonsense = |source| HadronError::Nonsense { operation: operation.name(), source };
        let member = page_member(operation);
        let mut input = serde_json::to_value(input).map_err(HadronError::Unsendable)?;
        input["maxResults"] = PAGE.into();
        let mut entries = Vec::new();
        loop {
            let mut page: Value = self.call(operation, &input).await?;
            let found: Vec<T> = serde_json::from_value(page[&member].take()).map_err(nonsense)?;
            entries.extend(found);
            match page["nextToken"].take() {
                Value::String(token) if !token.is_empty() => input["nextToken"] = token.into(),
                _ => return Ok(entries),
            }
        }
    }

    /// The request as it goes over the wire, signed.
    fn request(&self, operation: Operation, body: Vec<u8>) -> Result<Request<Bytes>, HadronError> {
        let unsignable = |cause: String| HadronError::Unsignable { endpoint: self.endpoint.clone(), cause };
        let uri: Uri = self.endpoint.parse().map_err(|error: http::uri::InvalidUri| unsignable(error.to_string()))?;
        if uri.host().is_none() || uri.scheme().is_none() {
            return Err(unsignable("it is no address like http://127.0.0.1:9440".into()));
        }
        let target = format!("{TARGET_PREFIX}.{}", operation.name());
        let headers = [("x-amz-target", target.as_str()), (CONTENT_TYPE.as_str(), "application/x-amz-json-1.0")];
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Bytes::from(body)).map_err(|error| unsignable(error.to_string()))?;
        let (id, secret) = &self.key;
        let identity = Credentials::new(id, secret.reveal(), None, None, "hadron").into();
        let now = Duration::from_millis(self.clock.now().unsigned_abs());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SIGNING_NAME)
            .time(SystemTime::UNIX_EPOCH + now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsignable(error.to_string()))?
            .into();
        let signable =
            SignableRequest::new("POST", &self.endpoint, headers.into_iter(), SignableBody::Bytes(request.body()))
                .and_then(|signable| sign(signable, &params))
                .map_err(|error| unsignable(error.to_string()))?;
        signable.into_parts().0.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// The member of a list operation's output that holds the entries, as the model says.
fn page_member(operation: Operation) -> String {
    let model: Value = serde_json::from_str(MODEL).unwrap_or_default();
    model["operations"][operation.name()]["page"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_operation_and_is_signed_for_this_api() {
        let key = ("AKIDEXAMPLE".to_owned(), Secret::new("secret"));
        let client = Client::new("http://127.0.0.1:9440/", "eu-west-1", key, None).unwrap();
        let request = client.request(Operation::ListKeys, b"{}".to_vec()).unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:9440/");
        assert_eq!(request.headers()["x-amz-target"], "Hadron20261122.ListKeys");
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(authorization.contains("/eu-west-1/hadron/aws4_request"), "{authorization}");
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target"), "{authorization}");
    }

    #[test]
    fn an_endpoint_without_a_scheme_is_refused_before_anything_is_sent() {
        let key = ("AKIDEXAMPLE".to_owned(), Secret::new("secret"));
        let client = Client::new("127.0.0.1:9440", "eu-west-1", key, None).unwrap();
        let error = client.request(Operation::ListKeys, Vec::new()).unwrap_err();
        assert!(matches!(error, HadronError::Unsignable { .. }), "{error:?}");
    }

    #[test]
    fn every_list_operation_tells_where_its_entries_are() {
        for operation in Operation::ALL.iter().filter(|it| it.name().starts_with("List")) {
            assert!(!page_member(*operation).is_empty(), "{}", operation.name());
        }
    }
}
