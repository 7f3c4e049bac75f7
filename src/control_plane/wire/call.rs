//! What an operation may know of its request besides the input.

use std::net::IpAddr;

use hadron_model::hadron::Role;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::paging::PageKey;
use crate::domain::Scope;

/// The address of a connection, as an extension of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The id that a request's answer carries, as an extension of the requests that are handed on.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Whoever signed the request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The access key's id.
    pub access_key: String,
    /// The principal's ARN, for messages.
    pub principal: String,
    /// What the key may do, by name: `admin`, `agent`.
    pub role: Role,
    /// The groups that its owner belongs to.
    pub groups: Vec<String>,
    /// The environments that it is bound to; all if there are none.
    pub environments: Vec<String>,
}

/// One request on its way through an operation.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub caller: Caller,
    /// The account of the caller's key and the region of its credential scope.
    pub scope: Scope,
    /// The id that the answer carries in `x-amzn-RequestId`.
    pub request_id: String,
    /// When the request came in, in milliseconds since the epoch.
    pub now: i64,
    /// What page tokens are authenticated with.
    pub page_key: PageKey,
    /// The address that the connection came from, if the server knows it.
    pub peer: Option<IpAddr>,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Headers to add to the answer, whether it is an output or an error.
    pub answer_headers: HeaderMap,
}

impl Call {
    /// A request header's text, if it has one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Adds a header to the answer; a value that no header can hold is left out.
    pub fn answer_header(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.answer_headers.insert(HeaderName::from_static(name), value);
        }
    }
}
