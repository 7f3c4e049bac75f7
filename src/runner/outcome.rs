//! How a directory's run ended.

use crate::terraform::{Changes, Diagnostic, Severity};

use super::Directory;

/// How it ended, from the best to the worst; the names of the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the exit codes of the same names")]
pub enum Verdict {
    Done,
    /// Not begun, since what it rests on failed.
    Skipped,
    Cancelled,
    /// The deployment is somebody else's.
    LeaseLost,
    Settings,
    InvalidBundle,
    PlanFailed,
    ApplyFailed,
    Unexpected,
    StateAtRisk,
}

impl Verdict {
    /// The exit code that says so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unexpected => 1,
            Self::Settings => 3,
            Self::InvalidBundle => 4,
            Self::PlanFailed => 10,
            // Whatever made it be skipped has a code of its own.
            Self::ApplyFailed | Self::Skipped => 11,
            Self::StateAtRisk => 13,
            Self::LeaseLost => 14,
            Self::Cancelled => 130,
        }
    }
}

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

/// One thing that Terraform complains about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether things went on nevertheless.
    pub warning: bool,
    /// The file, as a path in the repository.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
    /// The problem in one line.
    pub summary: String,
    /// The explanation; may be empty.
    pub detail: String,
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

impl Finding {
    pub(super) fn of(directory: &Directory, diagnostic: &Diagnostic) -> Self {
        let file = diagnostic.file.as_ref();
        Self {
            warning: diagnostic.severity == Severity::Warning,
            file: file.map(|file| match directory.path.as_str() {
                "" => file.clone(),
                path => format!("{path}/{file}"),
            }),
            line: diagnostic.line,
            summary: diagnostic.summary.clone(),
            detail: diagnostic.detail.clone(),
        }
    }
}
