//! What an agent does, while it does it, for whoever wants to watch.

use crate::domain::Verdict;

/// One thing that happened on a deployment's journey.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The deployment.
    pub deployment_id: String,
    /// Its target, in words: `environment dev`.
    pub target: String,
    /// What happened.
    pub stage: Stage,
}

/// How far a deployment has come.
#[derive(Debug, Clone)]
pub enum Stage {
    /// This agent has it.
    Claimed,
    /// Its files lie in the work directory.
    Rendered,
    /// Terraform said this.
    Terraform(String),
    /// It has ended, and Proton knows unless the verdict says otherwise.
    Ended(Verdict),
}
