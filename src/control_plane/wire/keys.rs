//! What the protocol asks about access keys.

use std::net::IpAddr;

use futures::future::BoxFuture;

use super::paging::PageKey;
use super::{Caller, ProtonError};
use crate::support::Secret;

/// An access key that may sign.
#[derive(Debug, Clone)]
pub struct Key {
    /// What its signatures are made with.
    pub secret: Secret,
    /// The account it speaks for: twelve digits.
    pub account: String,
    /// Whom it stands for.
    pub caller: Caller,
}

impl Key {
    /// What page tokens given to this key are authenticated with.
    pub fn page_key(&self) -> PageKey {
        PageKey::derive(&self.secret)
    }
}

/// A request whose signature isn't accepted: there is no such key, or it is over, or the signature is wrong.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The key's id as the request has it.
    pub access_key: String,
    /// The region of its credential scope.
    pub region: String,
    /// The API: `proton`, `hadron`, `sts`.
    pub service: &'static str,
    /// The operation.
    pub action: &'static str,
    /// The id that the answer carries.
    pub request_id: String,
    /// The address that the connection came from, if the server knows it.
    pub peer: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

/// Where access keys are looked up.
pub trait Keys: Send + Sync {
    /// The key of an id; none if nobody has it.
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Key>, ProtonError>>;

    /// Takes note of a signature that isn't accepted.
    fn refused(&self, attempt: Attempt) -> BoxFuture<'_, ()> {
        drop(attempt);
        Box::pin(std::future::ready(()))
    }
}
