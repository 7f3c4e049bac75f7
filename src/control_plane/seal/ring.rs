//! The data keys in memory.

use aes_gcm::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};

use super::SealError;

/// AES-GCM's nonce, in bytes.
pub(super) const NONCE: usize = 12;

/// Data keys by their ids, and which of them seals.
pub(crate) struct Ring {
    keys: Vec<(String, Aes256Gcm)>,
    current: String,
}

impl Ring {
    /// A ring of keys; `current` is one of them.
    pub(super) fn new(keys: impl IntoIterator<Item = (String, [u8; 32])>, current: String) -> Self {
        let cipher = |(id, key): (String, [u8; 32])| (id, Aes256Gcm::new(&Key::<Aes256Gcm>::from(key)));
        Self { keys: keys.into_iter().map(cipher).collect(), current }
    }

    pub(super) fn of_one(id: String, key: &[u8; 32]) -> Self {
        Self::new([(id.clone(), *key)], id)
    }

    /// The id of the key that seals.
    pub(crate) fn current(&self) -> &str {
        &self.current
    }

    fn key(&self, id: &str) -> Result<&Aes256Gcm, SealError> {
        let found = self.keys.iter().find(|(known, _)| known == id);
        found.map(|(_, key)| key).ok_or_else(|| SealError::UnknownKey { id: id.to_owned() })
    }

    /// Encrypts with the current key: a random nonce and what follows from it.
    pub(super) fn encrypt(&self, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        encrypt(self.key(&self.current)?, plaintext, context)
    }

    /// Opens what [`Ring::encrypt`] returned when `id` was current.
    pub(super) fn decrypt(&self, id: &str, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        decrypt(self.key(id)?, sealed, context)
    }
}

/// Nonce and ciphertext in one.
pub(super) fn encrypt(key: &Aes256Gcm, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
    let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
    let payload = Payload { msg: plaintext, aad: context };
    let ciphertext = key.encrypt(&nonce, payload).map_err(|_| SealError::Broken)?;
    Ok([nonce.as_slice(), &ciphertext].concat())
}

/// Opens what [`encrypt`] returned.
pub(super) fn decrypt(key: &Aes256Gcm, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE).ok_or(SealError::Broken)?;
    let payload = Payload { msg: ciphertext, aad: context };
    key.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| SealError::Broken)
}
