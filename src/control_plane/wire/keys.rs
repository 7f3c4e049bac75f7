//! What the protocol asks about access keys.

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

/// Where access keys are looked up.
pub trait Keys: Send + Sync {
    /// The key of an id; none if nobody has it.
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Key>, ProtonError>>;
}
