//! Access keys: who may sign requests.

use hadron_model::hadron::Role;
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
    pub role: Role,
    /// The groups of its owner, for policies that compare them with a service's `owner` tag.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The environments that it is bound to; all if there are none.
    #[serde(default)]
    pub environments: Vec<String>,
    pub created_at: i64,
    /// From when on it signs nothing any more.
    #[serde(default)]
    pub expires_at: Option<i64>,
    #[serde(default)]
    pub revoked_at: Option<i64>,
    /// The key that it was rotated to.
    #[serde(default)]
    pub replaced_by: Option<String>,
}

impl AccessKey {
    /// A key that is bound to nothing and never expires.
    pub fn new(id: &str, secret: Secret, account: &str, name: &str, role: Role, created_at: i64) -> Self {
        Self {
            id: id.to_owned(),
            secret,
            account: account.to_owned(),
            name: name.to_owned(),
            role,
            groups: Vec::new(),
            environments: Vec::new(),
            created_at,
            expires_at: None,
            revoked_at: None,
            replaced_by: None,
        }
    }

    /// The scope that all keys lie in.
    pub fn scope() -> Scope {
        Scope::new("", "")
    }

    /// The principal's ARN.
    pub fn principal(&self) -> String {
        format!("arn:aws:iam::{}:user/{}", self.account, self.name)
    }

    /// Whether it may sign at that moment, in milliseconds since the epoch.
    pub fn is_active(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl Document for AccessKey {
    const KIND: &'static str = "access_key";

    fn key(&self) -> String {
        self.id.clone()
    }
}
