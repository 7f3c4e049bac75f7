//! How the work on a target ended, and what was wrong.

use super::Problem;

/// How a run ended, or all of several; from the best to the worst. The names are those of the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the exit codes of the same names")]
pub enum Verdict {
    Done,
    /// Not begun, since what it rests on failed.
    Skipped,
    /// The agent has left; its next life goes on waiting.
    AwaitingApproval,
    Cancelled,
    StoppedByGate,
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
            Self::StoppedByGate => 12,
            Self::StateAtRisk => 13,
            Self::LeaseLost => 14,
            Self::AwaitingApproval => 20,
            Self::Cancelled => 130,
        }
    }

    /// As scripts read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::AwaitingApproval => "awaiting-approval",
            Self::Cancelled => "cancelled",
            Self::StoppedByGate => "stopped-by-gate",
            Self::LeaseLost => "lease-lost",
            Self::Settings => "settings",
            Self::InvalidBundle => "invalid-bundle",
            Self::PlanFailed => "plan-failed",
            Self::ApplyFailed => "apply-failed",
            Self::Unexpected => "unexpected",
            Self::StateAtRisk => "state-at-risk",
        }
    }

    /// As people read it.
    pub fn words(self) -> String {
        self.name().replace('-', " ")
    }
}

/// One thing that is wrong, as Terraform or the bundle's checks say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether things went on nevertheless.
    pub warning: bool,
    /// The file: of the bundle, of the rendered directory, or of the repository.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
    /// The problem in one line.
    pub summary: String,
    /// The explanation; may be empty.
    pub detail: String,
}

impl From<&Problem> for Finding {
    fn from(problem: &Problem) -> Self {
        Self {
            warning: false,
            file: Some(problem.file.clone()),
            line: problem.line.and_then(|line| u64::try_from(line).ok()),
            summary: problem.message.clone(),
            detail: problem.remedy.clone(),
        }
    }
}
