//! Access keys: who may sign requests.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;
use crate::domain::Scope;
use crate::support::Secret;

/// A key pair and whom it speaks for. Lies in [`AccessKey::scope`], since it decides the scope of everything else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-explanatory")]
pub struct AccessKey {
    pub id: String,
    pub secret: Secret,
    pub account: String,
    /// The last part of the principal's ARN.
    pub name: String,
    /// `admin` or `agent`.
    pub role: String,
    pub created_at: i64,
}

impl AccessKey {
    /// The scope that all keys lie in.
    pub fn scope() -> Scope {
        Scope::new("", "")
    }

    /// The principal's ARN.
    pub fn principal(&self) -> String {
        format!("arn:aws:iam::{}:user/{}", self.account, self.name)
    }
}

impl Document for AccessKey {
    const KIND: &'static str = "access_key";

    fn key(&self) -> String {
        self.id.clone()
    }
}
