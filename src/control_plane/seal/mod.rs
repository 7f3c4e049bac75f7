//! Sealing: what lies in the record lies there encrypted, under keys that don't.
//!
//! Values are sealed with AES-256-GCM under a *data key*; the data keys lie in the record's keyring, each wrapped by the
//! *master key*, which doesn't ([`MasterKey`]). One data key is current and seals; all of them open. What a value
//! belongs to is bound into its seal as associated data, so that a ciphertext that someone copies to another place can't
//! be opened there.
//!
//! A sealed text is `v2.<data key>.<base64 of nonce and ciphertext>`; `v1.` values of the first release were sealed by
//! the master key itself, which the keyring keeps as the data key `v1`. Sealed bytes begin with [`bytes::MAGIC`].
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#enveloping>

pub(crate) mod bytes;
pub mod keyring;
mod kms;
mod master;
mod nested;
pub mod reseal;
mod ring;
pub(crate) mod text;

use std::fmt;
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

pub use kms::KmsKey;
pub use master::MasterKey;
pub(crate) use ring::Ring;

use crate::domain::Scope;
use crate::support::cipher::NotOpened;

/// Why a value can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum SealError {
    /// Sealed for another place, or damaged.
    #[error("a sealed value can't be opened: it is damaged, or was sealed for another place")]
    Broken,
    /// Sealed under a data key that this server hasn't loaded.
    #[error("a sealed value needs the data key {id}, which isn't in the keyring")]
    UnknownKey { id: String },
    /// The keyring belongs to another master key.
    #[error("the record's data keys are wrapped by {found}, and the given master key is {given}; nothing was changed")]
    WrongMaster { found: String, given: String },
    /// The record holds sealed rows, but its keyring is gone.
    #[error("the record is sealed, but its keyring is gone; restore the record from a backup")]
    NoKeyring,
    /// Several servers change the keyring over and over.
    #[error("the record's keyring is being changed by others all the time")]
    Contended,
    /// KMS refuses or doesn't answer.
    #[error("KMS can't {doing} a data key with {key}")]
    Kms {
        doing: &'static str,
        key: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The record refuses.
    #[error("the record's keyring can't be read or written")]
    Store(#[source] Box<crate::control_plane::store::StoreError>),
}

impl From<NotOpened> for SealError {
    fn from(_: NotOpened) -> Self {
        Self::Broken
    }
}

impl From<crate::control_plane::store::StoreError> for SealError {
    fn from(error: crate::control_plane::store::StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// Seals and opens values; cheap to clone. All clones see a changed keyring.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    ring: RwLock<Arc<Ring>>,
    /// None of a sealer that has no keyring in any record.
    master: Option<MasterKey>,
    /// Counts the changes of the current key, for the pass that seals anew.
    turned: watch::Sender<u64>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    fn new(ring: Ring, master: Option<MasterKey>) -> Self {
        Self(Arc::new(Inner { ring: RwLock::new(Arc::new(ring)), master, turned: watch::channel(0).0 }))
    }

    /// A sealer whose key dies with it, for tests and for what never outlives the process.
    pub fn ephemeral() -> Self {
        Self::new(Ring::of_one(keyring::new_id(), &master::random_key()), None)
    }

    /// The keys as they are now.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.ring.read().expect("nobody panics while holding the keys"))
    }

    fn install(&self, ring: Ring) {
        *self.0.ring.write().expect("nobody panics while holding the keys") = Arc::new(ring);
        self.0.turned.send_modify(|count| *count += 1);
    }

    fn master(&self) -> Option<&MasterKey> {
        self.0.master.as_ref()
    }

    /// Learns of a new current key.
    pub(crate) fn turned(&self) -> watch::Receiver<u64> {
        self.0.turned.subscribe()
    }

    /// The KMS key that everything is sealed under in the end, if the master key is one.
    pub fn kms_key(&self) -> Option<&str> {
        self.master().and_then(MasterKey::kms_arn)
    }

    /// Encrypts a text for one place; `context` names the place and must be given again to open it.
    ///
    /// # Errors
    /// Only for values of many gigabytes.
    pub fn seal(&self, plaintext: &str, context: &str) -> Result<String, SealError> {
        text::seal(&self.ring(), plaintext, context)
    }

    /// Opens what [`Sealer::seal`] returned for the same place.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] under a key that isn't loaded, [`SealError::Broken`] for anything else.
    pub fn unseal(&self, sealed: &str, context: &str) -> Result<String, SealError> {
        text::open(&self.ring(), sealed, context)
    }
}

/// The place of a sealed output. Its ciphertext travels from the deployment that made it to those that consume it, so
/// the place is what both know: whose it is and what it is called.
pub fn output_context(scope: &Scope, key: &str) -> String {
    format!("output/{}/{}/{key}", scope.account, scope.region)
}

/// The name of the output that lies at a JSON pointer: its last part, where `~` and `/` stand as `~0` and `~1`.
///
/// <https://www.rfc-editor.org/rfc/rfc6901#section-3>
pub(crate) fn output_at(pointer: &str) -> String {
    pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests;
