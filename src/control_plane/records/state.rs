//! Terraform's states as this server keeps them: who holds a target's lock, and every version ever written.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};

/// A target's lock: who holds it, and who held it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLock {
    /// The target whose state it guards.
    pub target_arn: String,
    /// None while it is free.
    pub holder: Option<LockHolder>,
    /// Whoever released it last; Terraform repeats an unlock whose answer was lost.
    pub last: Option<LockHolder>,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Terraform's id of the lock.
    pub lock_id: String,
    /// Terraform's own description of the lock, as JSON text.
    pub info: String,
    /// The run: a deployment and the epoch of its claim.
    pub deployment: String,
    /// See [`LockHolder::deployment`].
    pub epoch: i64,
    /// The agent that had claimed the deployment.
    pub agent: String,
    /// The access key that had claimed it.
    pub access_key: String,
    /// SHA-256 of the claim's password: the holder is known by it even when its key is gone.
    pub password_digest: String,
    /// When it took the lock, in milliseconds since the epoch.
    pub since: i64,
}

impl Document for StateLock {
    const KIND: &'static str = "state_lock";

    fn key(&self) -> String {
        self.target_arn.clone()
    }
}

/// One state as Terraform wrote it; the bytes lie in a blob of the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// The target whose state it is.
    pub target_arn: String,
    /// Counts the target's versions from 1.
    pub number: i64,
    /// Terraform's own count and the history it belongs to; none of a deletion.
    pub stamp: Option<StateStamp>,
    /// Size of the state in bytes; 0 of a deletion.
    pub size: i64,
    /// SHA-256 of the state, in hexadecimal.
    pub digest: String,
    /// When it was written, in milliseconds since the epoch.
    pub at: i64,
    /// The run that wrote it: a deployment and the epoch of its claim. Empty of a state that an operator pushed.
    pub deployment: String,
    /// See [`StateVersion::deployment`].
    pub epoch: i64,
    /// The agent of that run; of a pushed state, the principal who did it.
    pub agent: String,
}

/// What Terraform writes into a state to tell its histories apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Terraform's own names")]
pub struct StateStamp {
    pub lineage: String,
    pub serial: i64,
}

impl StateVersion {
    /// The term that lists the versions of a target, oldest first.
    pub const OF_TARGET: &'static str = "target";
}

impl Document for StateVersion {
    const KIND: &'static str = "state_version";

    fn key(&self) -> String {
        format!("{}#{}", self.target_arn, self.number)
    }

    fn sort(&self) -> String {
        format!("{:020}", self.at)
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new(Self::OF_TARGET, &self.target_arn).sorted_by(format!("{:020}", self.number))]
    }
}
