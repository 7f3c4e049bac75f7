//! The first step: a deployment that may be ours to do.

use serde::{Deserialize, Serialize};

use crate::domain::{Scope, Target, UnknownTarget};
use crate::proton::{Deployment, Pending};

/// A deployment that was offered, or left unfinished by this agent's last life. Nobody has claimed it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) target_arn: String,
    /// Empty for pipelines.
    pub(super) environment: String,
}

impl Candidate {
    /// What it deploys, and for which account and region.
    pub(super) fn target(&self) -> Result<(Scope, Target), UnknownTarget> {
        Target::parse(&self.target_arn)
    }
}

impl From<Pending> for Candidate {
    fn from(pending: Pending) -> Self {
        let Pending { id, arn, target_arn, environment, .. } = pending;
        Self { id, arn, target_arn, environment }
    }
}

impl From<&Deployment> for Candidate {
    fn from(deployment: &Deployment) -> Self {
        Self {
            id: deployment.id.clone(),
            arn: deployment.arn.clone(),
            target_arn: deployment.target.arn(&deployment.scope),
            environment: deployment.environment.clone(),
        }
    }
}
