//! How a deployment ended, for whoever started the agent for it: an exit code alone doesn't say what was changed.

use std::path::PathBuf;

use hadron_model::DeploymentStatus;

use super::claim::Claimed;
use super::poll::Candidate;
use super::run::Ran;
use super::{AgentError, StepError};
use crate::domain::{Finding, Verdict};
use crate::proton::Deployment;
use crate::terraform::Changes;

/// What a one-shot agent did until nothing was pending, or until something kept it from going on.
#[derive(Debug)]
pub struct Drained {
    /// How the worst ended, what kept it from going on included.
    pub worst: Verdict,
    /// How each deployment ended.
    pub outcomes: Vec<Outcome>,
    /// What kept it from going on.
    pub broke_off: Option<AgentError>,
}

/// One deployment of a one-shot agent, at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The deployment.
    pub deployment_id: String,
    /// Its target, in words: `environment dev`.
    pub target: String,
    /// The target's ARN.
    pub target_arn: String,
    /// Counts the attempts at this deployment; None if this agent made none.
    pub attempt: Option<u64>,
    /// How it ended.
    pub verdict: Verdict,
    /// How many resources were changed; None where it didn't come to that, or broke off.
    pub changes: Option<Changes>,
    /// The names of the outputs that were reported.
    pub outputs: Vec<String>,
    /// The status message; None when all went well and there is nothing to say.
    pub message: Option<String>,
    /// Where the run's files lie; None if it didn't come to files.
    pub run_dir: Option<PathBuf>,
    /// What is wrong, and where.
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// Of a deployment that was claimed, as it stands when the journey ends.
    pub(super) fn of(claimed: &Claimed, result: &Result<Ran, StepError>) -> Self {
        let (verdict, ran) = match result {
            Ok(ran) => (Verdict::Done, Some(ran)),
            Err(error) => (error.verdict(), None),
        };
        Self {
            deployment_id: claimed.candidate.id.clone(),
            target: claimed.target.to_string(),
            target_arn: claimed.candidate.target_arn.clone(),
            attempt: Some(claimed.lease.attempt),
            verdict,
            changes: ran.map(|ran| ran.changes),
            outputs: ran.map(|ran| ran.outputs.iter().map(|output| output.key.clone()).collect()).unwrap_or_default(),
            message: None,
            run_dir: None,
            findings: result.as_ref().err().map(findings).unwrap_or_default(),
        }
    }

    /// Of a deployment whose Terraform goes on without the agent.
    pub(super) fn left(candidate: &Candidate) -> Self {
        let target = candidate.target().map_or_else(|_| candidate.target_arn.clone(), |(_, target)| target.to_string());
        Self {
            deployment_id: candidate.id.clone(),
            target,
            target_arn: candidate.target_arn.clone(),
            message: Some(AgentError::Detached.to_string()),
            ..Self::empty(Verdict::Cancelled)
        }
    }

    /// Of a deployment that was over before this agent came to it; None if it isn't over.
    pub(super) fn over(deployment: &Deployment) -> Option<Self> {
        Some(Self {
            deployment_id: deployment.id.clone(),
            target: deployment.target.to_string(),
            target_arn: deployment.target.arn(&deployment.scope),
            message: deployment.status_message.clone(),
            ..Self::empty(verdict(deployment.status)?)
        })
    }

    fn empty(verdict: Verdict) -> Self {
        Self {
            deployment_id: String::new(),
            target: String::new(),
            target_arn: String::new(),
            attempt: None,
            verdict,
            changes: None,
            outputs: Vec::new(),
            message: None,
            run_dir: None,
            findings: Vec::new(),
        }
    }
}

/// What a status that is final means; None for the others.
fn verdict(status: DeploymentStatus) -> Option<Verdict> {
    match status {
        DeploymentStatus::Succeeded | DeploymentStatus::DeleteComplete => Some(Verdict::Done),
        DeploymentStatus::Failed | DeploymentStatus::DeleteFailed => Some(Verdict::ApplyFailed),
        DeploymentStatus::Cancelled => Some(Verdict::Cancelled),
        _ => None,
    }
}

fn findings(error: &StepError) -> Vec<Finding> {
    match error {
        StepError::Terraform { source, .. } => source.diagnostics().iter().map(Finding::from).collect(),
        StepError::Bundle(problems) | StepError::Spec(problems) => problems.0.iter().map(Finding::from).collect(),
        _ => Vec::new(),
    }
}
