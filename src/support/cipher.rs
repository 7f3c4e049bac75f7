//! AES-256-GCM with random nonces.
//!
//! ring's is assembly: as fast in a debug build, where every request of a test opens dozens of rows.

use std::fmt;

use ::ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ::ring::rand::{SecureRandom, SystemRandom};

/// What was to be opened is damaged, or was sealed with another key or for another context. Which one can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is damaged, or was sealed under another key or for another place")]
pub struct NotOpened;

/// A key that is ready for use.
#[derive(Clone)]
pub struct Cipher(LessSafeKey);

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(***)")
    }
}

impl Cipher {
    /// Takes a key of 32 random, or derived, bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes keys of 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// A random nonce and the ciphertext behind it. A key is good for 2^32 of them.
    ///
    /// <https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf> §8.3
    ///
    /// # Errors
    /// Only for values of many gigabytes.
    pub fn encrypt(&self, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let (nonce, text) = (Nonce::assume_unique_for_key(nonce), &mut sealed[NONCE_LEN..]);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), text).map_err(|_| NotOpened)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`Cipher::encrypt`] returned for the same context.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn decrypt(&self, mut sealed: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (nonce, _) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotOpened)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_within(nonce, Aad::from(context), &mut sealed, NONCE_LEN..);
        let length = opened.map_err(|_| NotOpened)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// Bytes of the system's randomness.
pub fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes
}
