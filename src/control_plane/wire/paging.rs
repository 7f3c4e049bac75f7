//! Page tokens: opaque, authenticated, bound to their query.
//!
//! A token is where the last page ended, as JSON in standard base64 (Proton's pattern has no room for the URL-safe
//! alphabet), with a MAC over that place, the account and the query. Nothing is kept on the server, so a token survives
//! a restart; a token of another query, account or access key is refused like any other text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::ProtonError;
use crate::support::Secret;

/// What the tokens of one access key are authenticated with.
#[derive(Clone)]
pub struct PageKey([u8; 32]);

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(***)")
    }
}

/// Where a page ended: the sort value and the key of its last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// See `Select::after`.
    pub sort: String,
    /// See `Select::after`.
    pub key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    sort: String,
    key: String,
    mac: String,
}

impl PageKey {
    /// The key for whoever signs with `secret`; it doesn't reveal the secret.
    pub fn derive(secret: &Secret) -> Self {
        Self(mac(secret.reveal().as_bytes(), &[b"hadron page token"]))
    }

    /// The token for what follows `position` in the answer to `query`.
    pub fn issue(&self, query: &str, position: &Position) -> String {
        let Position { sort, key } = position.clone();
        let mac = hex::encode(self.seal(query, position));
        let token = serde_json::json!({ "sort": sort, "key": key, "mac": mac });
        STANDARD.encode(token.to_string())
    }

    /// Where `token` continues `query`.
    ///
    /// # Errors
    /// `ValidationException` for a token that wasn't issued by this key for exactly this query.
    pub fn open(&self, query: &str, token: &str) -> Result<Position, ProtonError> {
        let refused = || ProtonError::validation("The pagination token is not valid for this request");
        let bytes = STANDARD.decode(token).map_err(|_| refused())?;
        let Token { sort, key, mac } = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        let position = Position { sort, key };
        let given = hex::decode(mac).map_err(|_| refused())?;
        let genuine = subtle::ConstantTimeEq::ct_eq(self.seal(query, &position).as_slice(), given.as_slice());
        if genuine.into() { Ok(position) } else { Err(refused()) }
    }

    fn seal(&self, query: &str, position: &Position) -> [u8; 32] {
        mac(&self.0, &[query.as_bytes(), position.sort.as_bytes(), position.key.as_bytes()])
    }
}

/// A MAC over parts, each with its length, so that no two lists of parts read the same.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position { sort: "0001".into(), key: "ü/b".into() }
    }

    #[test]
    fn a_token_opens_for_its_own_query_only() {
        let key = PageKey::derive(&Secret::new("s"));
        let token = key.issue("q", &position());
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=/".contains(&b)), "{token}");
        assert_eq!(key.open("q", &token).unwrap(), position());
        assert!(key.open("q2", &token).is_err());
        assert!(PageKey::derive(&Secret::new("t")).open("q", &token).is_err());
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let key = PageKey::derive(&Secret::new("s"));
        let text = STANDARD.decode(key.issue("q", &position())).unwrap();
        for index in 0..text.len() {
            let mut changed = text.clone();
            changed[index] ^= 1;
            assert!(key.open("q", &STANDARD.encode(changed)).is_err(), "byte {index}");
        }
        for broken in ["", "=", "AAAA", "not base64!"] {
            assert!(key.open("q", broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn parts_can_not_be_shifted_into_each_other() {
        assert_ne!(mac(b"k", &[b"ab", b"c"]), mac(b"k", &[b"a", b"bc"]));
    }
}
