//! How a directory's run ended.

use crate::domain::{Finding, Verdict};
use crate::terraform::{Changes, Diagnostic};

use super::Directory;

/// Whether Proton was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// With this status.
    As(&'static str),
    /// Not, and why.
    Not(String),
    /// There was nothing to tell: it was only planned.
    NothingToTell,
}

/// One directory at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Path in the repository.
    pub path: String,
    /// What it provisions, in words: `environment dev`.
    pub target: String,
    /// Its ARN.
    pub arn: String,
    /// The deployment, if the metadata names one.
    pub deployment_id: Option<String>,
    /// Whether it is to be destroyed.
    pub deleted: bool,
    /// How it ended.
    pub verdict: Verdict,
    /// What was changed, or would be; None where it didn't come to that.
    pub changes: Option<Changes>,
    /// A plan as Terraform shows it; None where it was applied, or where there is nothing to do.
    pub plan: Option<String>,
    /// The names of the outputs that were reported.
    pub outputs: Vec<String>,
    /// What went wrong, or is to be known.
    pub message: Option<String>,
    /// Whether Proton was told.
    pub notified: Notified,
    /// What is wrong, and where; files are paths in the repository.
    pub findings: Vec<Finding>,
}

impl Outcome {
    pub(super) fn of(directory: &Directory, verdict: Verdict) -> Self {
        Self {
            path: directory.shown().to_owned(),
            target: directory.target.to_string(),
            arn: directory.arn.clone(),
            deployment_id: directory.deployment_id.clone(),
            deleted: directory.deleted,
            verdict,
            changes: None,
            plan: None,
            outputs: Vec::new(),
            message: None,
            notified: Notified::NothingToTell,
            findings: Vec::new(),
        }
    }
}

/// What Terraform says of a directory, with the file as a path in the repository.
pub(super) fn finding(directory: &Directory, diagnostic: &Diagnostic) -> Finding {
    let mut finding = Finding::from(diagnostic);
    if !directory.path.is_empty() {
        finding.file = finding.file.map(|file| format!("{}/{file}", directory.path));
    }
    finding
}
