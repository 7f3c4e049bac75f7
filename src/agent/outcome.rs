//! How a deployment ended, for whoever started the agent for it: an exit code alone doesn't say what was changed.

use std::path::PathBuf;

use super::StepError;
use super::claim::Claimed;
use super::run::Ran;
use crate::domain::{Finding, Verdict};
use crate::terraform::Changes;

/// One deployment of a one-shot agent, at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The deployment.
    pub deployment_id: String,
    /// Its target, in words: `environment dev`.
    pub target: String,
    /// The target's ARN.
    pub target_arn: String,
    /// Counts the attempts at this deployment.
    pub attempt: u64,
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
            attempt: claimed.lease.attempt,
            verdict,
            changes: ran.map(|ran| ran.changes),
            outputs: ran.map(|ran| ran.outputs.iter().map(|output| output.key.clone()).collect()).unwrap_or_default(),
            message: None,
            run_dir: None,
            findings: result.as_ref().err().map(findings).unwrap_or_default(),
        }
    }
}

fn findings(error: &StepError) -> Vec<Finding> {
    match error {
        StepError::Terraform { source, .. } => source.diagnostics().iter().map(Finding::from).collect(),
        StepError::Bundle(problems) | StepError::Spec(problems) => problems.0.iter().map(Finding::from).collect(),
        _ => Vec::new(),
    }
}
