//! Linked repositories.

use std::fmt;

use hadron_model::RepositoryProvider;
use serde::{Deserialize, Serialize};

use crate::control_plane::store::Document;

/// What names a repository: its provider and `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct RepositoryRef {
    pub provider: RepositoryProvider,
    pub name: String,
}

/// `github:owner/name`, as in ARNs; also its key in the record.
impl fmt::Display for RepositoryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider.as_str().to_ascii_lowercase(), self.name)
    }
}

/// A repository that has been linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Repository {
    pub repository: RepositoryRef,
    pub connection_arn: String,
    pub encryption_key: Option<String>,
    pub created_at: i64,
}

impl Document for Repository {
    const KIND: &'static str = "repository";

    fn key(&self) -> String {
        self.repository.to_string()
    }
}
