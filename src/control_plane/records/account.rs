//! What an account has besides its resources.

use std::collections::BTreeMap;

use hadron_model::RepositoryBranch;
use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;

/// The account's settings; there is one document per account and region, under the key `settings`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct AccountSettings {
    pub pipeline_service_role_arn: Option<String>,
    pub pipeline_codebuild_role_arn: Option<String>,
    pub pipeline_provisioning_repository: Option<RepositoryBranch>,
}

impl Document for AccountSettings {
    const KIND: &'static str = "account_settings";

    fn key(&self) -> String {
        "settings".into()
    }
}

/// A resource's tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TagSet {
    /// The resource.
    pub arn: String,
    /// Set by customers.
    pub tags: BTreeMap<String, String>,
    /// `aws:proton:…` and `hadron:…`: readable, never writable by customers, outside their quota.
    pub managed: BTreeMap<String, String>,
}

impl Document for TagSet {
    const KIND: &'static str = "tags";

    fn key(&self) -> String {
        self.arn.clone()
    }
}

/// A client token that has been used, so that a repeat finds the first result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdempotencyToken {
    /// The operation's name.
    pub operation: String,
    /// What the client sent.
    pub token: String,
    /// SHA-256 of the input, in hexadecimal.
    pub input: String,
    /// The key of the resource that the first request made or changed.
    pub resource: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
}

impl Document for IdempotencyToken {
    const KIND: &'static str = "idempotency_token";

    fn key(&self) -> String {
        Self::key_of(&self.operation, &self.token)
    }

    /// Oldest first, so that the expired ones are found without a search.
    fn sort(&self) -> String {
        format!("{:020}", self.at)
    }
}

impl IdempotencyToken {
    /// Its key in the record.
    pub fn key_of(operation: &str, token: &str) -> String {
        format!("{operation}/{token}")
    }
}
