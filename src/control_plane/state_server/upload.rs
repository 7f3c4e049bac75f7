//! A state on its way in: whole, and really a state.

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use md5::{Digest, Md5};
use serde::Deserialize;
use sha2::Sha256;

use super::StateError;
use crate::control_plane::records::StateStamp;

/// A state that may be written.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    pub(super) stamp: StateStamp,
    /// SHA-256, in hexadecimal.
    pub(super) digest: String,
}

#[derive(Deserialize)]
struct Head {
    lineage: String,
    serial: i64,
}

impl Upload {
    /// Compares the bytes with the digest that came with them, and reads their lineage and serial. Takes a while for a
    /// state of many megabytes.
    pub(super) fn check(bytes: Bytes, md5_header: Option<&HeaderValue>) -> Result<Self, StateError> {
        if md5_header.is_some_and(|given| given.as_bytes() != md5(&bytes).as_bytes()) {
            return Err(StateError::Torn);
        }
        let Head { lineage, serial } = serde_json::from_slice(&bytes).map_err(StateError::NotState)?;
        let digest = hex::encode(Sha256::digest(&bytes));
        Ok(Self { bytes, stamp: StateStamp { lineage, serial }, digest })
    }
}

/// As `Content-MD5` has it: in base64.
pub(super) fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}
