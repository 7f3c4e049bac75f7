//! The data keys in memory.

use super::SealError;
use crate::support::cipher::Cipher;

/// Data keys by their ids, and which of them seals.
pub(crate) struct Ring {
    keys: Vec<(String, Cipher)>,
    current: String,
}

impl Ring {
    /// A ring of keys; `current` is one of them.
    pub(super) fn new(keys: impl IntoIterator<Item = (String, [u8; 32])>, current: String) -> Self {
        Self { keys: keys.into_iter().map(|(id, key)| (id, Cipher::new(&key))).collect(), current }
    }

    pub(super) fn of_one(id: String, key: &[u8; 32]) -> Self {
        Self::new([(id.clone(), *key)], id)
    }

    /// The id of the key that seals.
    pub(crate) fn current(&self) -> &str {
        &self.current
    }

    fn key(&self, id: &str) -> Result<&Cipher, SealError> {
        let found = self.keys.iter().find(|(known, _)| known == id);
        found.map(|(_, key)| key).ok_or_else(|| SealError::UnknownKey { id: id.to_owned() })
    }

    /// Encrypts with the current key: a random nonce and what follows from it.
    pub(crate) fn encrypt(&self, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(self.key(&self.current)?.encrypt(plaintext, context)?)
    }

    /// Opens what [`Ring::encrypt`] returned when `id` was current.
    pub(crate) fn decrypt(&self, id: &str, sealed: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(self.key(id)?.decrypt(sealed, context)?)
    }
}
