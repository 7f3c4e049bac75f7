//! The keyring: the data keys that everything in the record is sealed under.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;
use crate::domain::Scope;

/// The record's one keyring. One document, so that servers that start at once agree on it, and a new master key wraps
/// all keys or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyring {
    /// What the master key is called that wraps them.
    pub master: String,
    /// The id of the key that seals; the others only open.
    pub current: String,
    /// Every key there ever was, the oldest first.
    pub keys: Vec<DataKey>,
    /// The key that a whole pass has found everything sealed under.
    #[serde(default)]
    pub resealed: Option<String>,
}

/// A random key, wrapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataKey {
    /// Stands in everything it seals.
    pub id: String,
    /// The key, wrapped by the master key.
    pub wrapped: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

impl Keyring {
    /// The one key of the one document.
    pub const KEY: &'static str = "keyring";

    /// The scope that it lies in: it serves all accounts.
    pub fn scope() -> Scope {
        Scope::new("", "")
    }
}

impl Document for Keyring {
    const KIND: &'static str = "data_key";

    fn key(&self) -> String {
        Self::KEY.into()
    }
}
