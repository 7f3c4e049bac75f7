//! The master key, which wraps the data keys and nothing else.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::SealError;
use super::kms::KmsKey;
use crate::support::cipher::{Cipher, random};

/// Begins a data key that a local master key has wrapped.
const LOCAL: &str = "local.";
/// Begins a data key that KMS has wrapped.
const KMS: &str = "kms.";

/// What wraps the data keys; cheap to clone.
#[derive(Clone)]
pub enum MasterKey {
    /// 32 bytes that this process knows.
    Local(Arc<LocalKey>),
    /// A key that never leaves KMS.
    Kms(KmsKey),
}

/// A master key that this process knows.
pub struct LocalKey {
    bytes: [u8; 32],
    wrapping: Cipher,
    id: String,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.id)
    }
}

/// 32 bytes of the system's randomness.
pub(crate) fn random_key() -> [u8; 32] {
    random()
}

impl MasterKey {
    /// A master key of 32 bytes. It wraps through a key derived from it, never directly.
    pub fn local(bytes: [u8; 32]) -> Self {
        let wrapping = Cipher::new(&derived(&bytes, "hadron: wraps data keys"));
        let id = format!("the key {}", hex::encode(&derived(&bytes, "hadron: names a master key")[..6]));
        Self::Local(Arc::new(LocalKey { bytes, wrapping, id }))
    }

    /// A new one.
    pub fn random() -> [u8; 32] {
        random_key()
    }

    /// What it is called; gives nothing of it away.
    pub fn id(&self) -> &str {
        match self {
            Self::Local(key) => &key.id,
            Self::Kms(key) => key.arn(),
        }
    }

    pub(super) fn kms_arn(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::Kms(key) => Some(key.arn()),
        }
    }

    /// The bytes, with which the first release sealed directly.
    pub(super) fn bytes(&self) -> Option<[u8; 32]> {
        match self {
            Self::Local(key) => Some(key.bytes),
            Self::Kms(_) => None,
        }
    }

    /// Wraps a few bytes, which `context` must be named for again to get them back.
    ///
    /// # Errors
    /// [`SealError::Kms`].
    pub async fn wrap(&self, plaintext: &[u8], context: &str) -> Result<String, SealError> {
        Ok(match self {
            Self::Local(key) => {
                format!("{LOCAL}{}", STANDARD.encode(key.wrapping.encrypt(plaintext, context.as_bytes())?))
            }
            Self::Kms(key) => format!("{KMS}{}", STANDARD.encode(key.encrypt(plaintext, context).await?)),
        })
    }

    /// Unwraps what [`MasterKey::wrap`] returned.
    ///
    /// # Errors
    /// [`SealError::Broken`] if another master key has wrapped it, [`SealError::Kms`].
    pub async fn unwrap(&self, wrapped: &str, context: &str) -> Result<Vec<u8>, SealError> {
        let decode = |encoded: &str| STANDARD.decode(encoded).map_err(|_| SealError::Broken);
        match self {
            Self::Local(key) => {
                let sealed = decode(wrapped.strip_prefix(LOCAL).ok_or(SealError::Broken)?)?;
                Ok(key.wrapping.decrypt(sealed, context.as_bytes())?)
            }
            Self::Kms(key) => key.decrypt(&decode(wrapped.strip_prefix(KMS).ok_or(SealError::Broken)?)?, context).await,
        }
    }
}

/// One key out of another, for one purpose.
fn derived(key: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}
