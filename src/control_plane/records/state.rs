//! Terraform's states as this server keeps them: who holds a target's lock, and every version ever written.

use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};

/// A target's lock: who holds it, who held it last, and what must be decided or done before it may be taken again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLock {
    /// The target whose state it guards.
    pub target_arn: String,
    /// None while it is free.
    pub holder: Option<LockHolder>,
    /// Whoever released it last; Terraform repeats an unlock whose answer was lost.
    pub last: Option<LockHolder>,
    /// Why nobody may lock or write it, until an operator has compared it with what is deployed.
    #[serde(default)]
    pub blocked: Option<StateBlock>,
    /// Resources that the next run must bring into the state, oldest first.
    #[serde(default)]
    pub adoptions: Vec<Adoption>,
    /// Counts all adoptions that were ever noted here.
    #[serde(default)]
    pub adopted: i64,
}

impl StateLock {
    /// The term that lists the locks that somebody holds.
    pub const HELD: &'static str = "held";
    /// The term that lists the states that are blocked.
    pub const BLOCKED: &'static str = "blocked";

    /// The lock of a target whose state nobody has locked yet.
    pub fn free(target_arn: impl Into<String>) -> Self {
        let target_arn = target_arn.into();
        Self { target_arn, holder: None, last: None, blocked: None, adoptions: Vec::new(), adopted: 0 }
    }
}

/// A resource that exists and isn't in the state, with the id that `terraform import` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// Its place among all of the target's adoptions, from 1.
    pub number: i64,
    /// The resource's address in the configuration.
    pub address: String,
    /// Its id as its provider imports it.
    pub id: String,
    /// Whether a blocked state asked for it: it may then take the place of what the state holds at the address.
    #[serde(default = "asked")]
    pub asked: bool,
}

/// What earlier versions noted.
fn asked() -> bool {
    true
}

/// Why a state is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateBlock {
    /// In words for whoever finds it blocked.
    pub reason: String,
    /// Milliseconds since the epoch.
    pub since: i64,
    /// The serial of the newest version that was there; None if there was none.
    pub serial: Option<i64>,
    /// The run that blocked it; none of a restore.
    #[serde(default)]
    pub by: Option<BlockingRun>,
    /// Resources that may exist without being in the state.
    #[serde(default)]
    pub suspects: Vec<Suspect>,
    /// States that a run couldn't push, kept until somebody decides; the last is the newest.
    #[serde(default)]
    pub parked: Vec<ParkedState>,
}

/// A run that couldn't settle what it, or a run before it, had begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockingRun {
    /// The run: a deployment and the epoch of its claim.
    pub deployment: String,
    /// See [`BlockingRun::deployment`].
    pub epoch: i64,
    /// Its agent.
    pub agent: String,
}

/// A resource that may exist without being in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The resource's address in the configuration.
    pub address: String,
    /// Its type, `aws_sqs_queue`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id as its provider imports it, if that is known.
    #[serde(default)]
    pub id: Option<String>,
    /// What makes it one, for people.
    #[serde(default)]
    pub why: String,
    /// Whether the newest parked state has it.
    #[serde(default)]
    pub in_parked: bool,
}

/// A state that couldn't be pushed; the bytes lie in a blob of the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedState {
    /// The target whose state it is.
    pub target_arn: String,
    /// Terraform's own count and the history it belongs to.
    pub stamp: StateStamp,
    /// Size of the state in bytes.
    pub size: i64,
    /// SHA-256 of the state, in hexadecimal.
    pub digest: String,
    /// When it came, in milliseconds since the epoch.
    pub at: i64,
    /// The run that wrote it.
    pub by: BlockingRun,
}

impl Document for ParkedState {
    const KIND: &'static str = "parked_state";

    fn key(&self) -> String {
        format!("{}#{}", self.target_arn, self.digest)
    }
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

    fn terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        if self.holder.is_some() {
            terms.push(Term::new(Self::HELD, ""));
        }
        if self.blocked.is_some() {
            terms.push(Term::new(Self::BLOCKED, ""));
        }
        terms
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
