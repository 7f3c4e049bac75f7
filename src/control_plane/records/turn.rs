//! When an environment last had its turn.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;

/// When an agent last claimed something of an environment, so that a busy environment doesn't starve the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The environment's name; empty for pipelines.
    pub environment: String,
    /// Milliseconds since the epoch.
    pub at: i64,
}

impl Turn {
    /// The key of an environment's turn.
    pub fn key_of(environment: &str) -> String {
        format!("environment/{environment}")
    }
}

impl Document for Turn {
    const KIND: &'static str = "turn";

    fn key(&self) -> String {
        Self::key_of(&self.environment)
    }
}
