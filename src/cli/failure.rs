//! The one place that decides words, hints and exit codes for what goes wrong.

use std::fmt::Write as _;

use crate::settings::SettingsError;

use crate::domain::Verdict;

/// What a command can end with; the numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Exit {
    Done = 0,
    Unexpected = 1,
    Usage = 2,
    Settings = 3,
    InvalidBundle = 4,
    PlanFailed = 10,
    ApplyFailed = 11,
    StoppedByGate = 12,
    StateAtRisk = 13,
    LeaseLost = 14,
    AwaitingApproval = 20,
    Cancelled = 130,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Settings,
        Self::InvalidBundle,
        Self::PlanFailed,
        Self::ApplyFailed,
        Self::StoppedByGate,
        Self::StateAtRisk,
        Self::LeaseLost,
        Self::AwaitingApproval,
        Self::Cancelled,
    ];

    /// What it says, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unexpected => "unexpected",
            Self::Usage => "wrong usage",
            Self::Settings => "a setting, or something on this machine, is missing or wrong",
            Self::InvalidBundle => "invalid bundle or spec",
            Self::PlanFailed => "plan (or init) failed",
            Self::ApplyFailed => "apply failed",
            Self::StoppedByGate => "stopped by a gate",
            Self::StateAtRisk => {
                "state at risk: `errored.tfstate` was left; or a push or unlock of a state was refused"
            }
            Self::LeaseLost => "lease lost: another agent has the deployment",
            Self::AwaitingApproval => {
                "awaiting approval: a one-shot that doesn't wait longer, or an agent that was asked to go"
            }
            Self::Cancelled => "cancelled, or asked to leave before it was done",
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Done => Self::Done,
            Verdict::Unexpected => Self::Unexpected,
            Verdict::Settings => Self::Settings,
            Verdict::InvalidBundle => Self::InvalidBundle,
            Verdict::PlanFailed => Self::PlanFailed,
            Verdict::ApplyFailed | Verdict::Skipped => Self::ApplyFailed,
            Verdict::StoppedByGate => Self::StoppedByGate,
            Verdict::AwaitingApproval => Self::AwaitingApproval,
            Verdict::StateAtRisk => Self::StateAtRisk,
            Verdict::LeaseLost => Self::LeaseLost,
            Verdict::Cancelled => Self::Cancelled,
        }
    }
}

/// A command's failure: what was tried and why it didn't work, how to mend it, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, with its causes.
    pub error: anyhow::Error,
    /// What the reader can do.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with an exit code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// Adds advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The text for stderr: the error, each cause on a line of its own, then the hints.
    pub fn words(&self) -> String {
        let mut words = format!("error: {}\n", self.error);
        for cause in self.error.chain().skip(1) {
            writeln!(words, "  caused by: {cause}").expect("text takes text");
        }
        for hint in &self.hints {
            writeln!(words, "hint: {hint}").expect("text takes text");
        }
        words
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Unexpected, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Unexpected, error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let hint = match error {
            // With a file that can't be read there is nothing to show.
            SettingsError::File { .. } => "`hadron settings --config /dev/null` lists every setting there is",
            _ => "`hadron settings` shows every setting and where it comes from",
        };
        Self::new(Exit::Settings, error).hint(hint)
    }
}

/// Who may not do something, for hints: in a container nobody knows by heart whom it runs as.
pub(super) fn this_user() -> String {
    format!("this user (number {})", rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_and_its_exit_have_one_number() {
        use Verdict as V;
        let settled = [V::Done, V::Skipped, V::AwaitingApproval, V::Cancelled, V::StoppedByGate, V::LeaseLost];
        let broken = [V::Settings, V::InvalidBundle, V::PlanFailed, V::ApplyFailed, V::Unexpected, V::StateAtRisk];
        for verdict in settled.into_iter().chain(broken) {
            assert_eq!(Exit::from(verdict) as u8, verdict.exit_code(), "{verdict:?}");
        }
    }

    #[test]
    fn causes_and_hints_stand_on_lines_of_their_own() {
        let error = anyhow::anyhow!("disk full").context("cannot write the record");
        insta::assert_snapshot!(Failure::new(Exit::Unexpected, error).hint("make room").words(), @r"
        error: cannot write the record
          caused by: disk full
        hint: make room
        ");
    }
}
