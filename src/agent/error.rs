//! How a deployment can fail, what that means for the exit code, and what people are told.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::AtRisk;
use crate::domain::{Problems, Verdict};
use crate::forge::ForgeError;
use crate::git::GitError;
use crate::objects::{NotAnObjectUri, ObjectUri, ObjectsError};
use crate::proton::ProtonError;
use crate::terraform::TerraformError;

/// Why an agent can't work at all.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A second agent on one data directory would be the first one's twin.
    #[error("another agent works in {} (stop it, or give this one a data directory of its own)", .0.display())]
    DataInUse(PathBuf),
    /// The data directory refuses us.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A later version of Hadron has worked here, and may have left runs that this one would misread.
    #[error(
        "the runs in {} have format {found}, this hadron knows up to {known}; use the newer hadron, or give this one \
         another data folder",
        path.display()
    )]
    NewerRuns {
        /// The folder of the runs.
        path: PathBuf,
        /// What its stamp says.
        found: String,
        /// What this program knows.
        known: u32,
    },
    /// The system gives us no thread for the heartbeats.
    #[error("starting the thread that keeps the leases")]
    Keeper(#[source] io::Error),
    /// The name can't be part of an id.
    #[error("{0:?} can't be an agent's name: use letters, digits, `.`, `_` and `-`, at most 60 of them")]
    BadName(String),
    /// No Terraform that will do.
    #[error(transparent)]
    Terraform(#[from] TerraformError),
    /// It was asked to leave, and leaves its run to the supervisor.
    #[error("left; Terraform goes on under its supervisor, and the next agent with this data folder takes it over")]
    Detached,
    /// Proton won't talk to us, and waiting won't help.
    #[error(transparent)]
    Proton(#[from] ProtonError),
}

impl AgentError {
    /// What it means for the exit code.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Detached => Verdict::Cancelled,
            Self::Proton(error) if error.is_passing() => Verdict::Unexpected,
            // Somebody else has it, or needs it no more.
            Self::Proton(ProtonError::Conflict { .. }) => Verdict::LeaseLost,
            Self::Keeper(_) | Self::Proton(ProtonError::Nonsense { .. }) => Verdict::Unexpected,
            _ => Verdict::Settings,
        }
    }
}

/// Why a deployment failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the text of each says it")]
pub enum StepError {
    #[error(transparent)]
    Proton(#[from] ProtonError),
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error("a tag of the deployment is wrong")]
    Address(#[from] NotAnObjectUri),
    #[error(
        "this endpoint doesn't say what to provision: the deployment has no tags hadron:bundle and hadron:inputs; \
         set HADRON_BUNDLES to where the template bundles lie, like s3://BUCKET/{{template}}/{{version}}.tar.gz, or use \
         an endpoint that sets the tags"
    )]
    NoWork,
    #[error("{uri} isn't what its name says: its SHA-256 is {found}; it was changed after it was registered")]
    Altered { uri: ObjectUri, found: String },
    #[error("{uri} can't be read as JSON")]
    Inputs { uri: ObjectUri, source: serde_json::Error },
    #[error(
        "the inputs hold sealed values that this endpoint doesn't hand out; update what produces them from an \
         endpoint that is Hadron's, or make that output public"
    )]
    Sealed,
    #[error("the template bundle has problems:\n{0}")]
    Bundle(Problems),
    #[error("the spec doesn't fit the template:\n{0}")]
    Spec(Problems),
    #[error("the template bundle holds no files for the {0}")]
    NoPart(String),
    #[error("{}", .0.join("; "))]
    Outputs(Vec<String>),
    #[error("the outputs can't be reported, though everything was applied: {}", .0.join("; "))]
    OutputsAfterApply(Vec<String>),
    #[error("the overlay's file {} would replace one of the template's; overlays only add files", .0.display())]
    OverlayCollides(PathBuf),
    #[error(
        "nothing says where Terraform's state is kept: this endpoint keeps none; configure state = \"s3\" with a bucket \
         for the environment"
    )]
    NoState,
    #[error("{source}")]
    Terraform {
        source: TerraformError,
        /// Whether Terraform had begun to change resources.
        changing: bool,
    },
    #[error("the lease on the deployment was lost before Terraform changed anything, so nothing was applied")]
    LeaseLost,
    #[error("the deployment was cancelled before Terraform changed anything")]
    Cancelled,
    #[error("the plan ({summary}) was rejected by {by}{}", comment.as_deref().map(|it| format!(": {it}")).unwrap_or_default())]
    Rejected {
        summary: String,
        /// The ARN of whoever rejected it.
        by: String,
        comment: Option<String>,
    },
    #[error(
        "the environment's plans need approval, and this endpoint can't ask people for it; use an endpoint that is \
         Hadron's, or take the gate out of the agent's settings"
    )]
    CannotAsk,
    #[error("the agent left while the plan awaits approval; it goes on when it is back")]
    StillAwaiting,
    #[error("{}\n{note}", end.once_settled())]
    Settled {
        /// How it ended; no source, since the words above are the ones to be read.
        end: Box<TerraformError>,
        /// What it took to bring state and infrastructure together.
        note: String,
    },
    #[error("{}{risk}", end.as_ref().map(|it| format!("{}\n", it.once_settled())).unwrap_or_default())]
    AtRisk {
        /// The end that left it so, if it was this run's own.
        end: Option<Box<TerraformError>>,
        risk: Box<AtRisk>,
    },
    #[error("the agent left before the last end was settled; it goes on when it is back")]
    StillSettling,
    #[error("{why}")]
    CannotSettle { why: String },
    #[error("the saved plan {} {why}", path.display())]
    PlanLost { path: PathBuf, why: &'static str },
    #[error("the agent was asked to leave before Terraform changed anything; the next one takes it from here")]
    Left,
    #[error(
        "the rendered files can't be published: their inputs hold sealed values, which would lie open in the repository; make \
         that output public, or let agents deploy the environment (hadron executor ENVIRONMENT agent)"
    )]
    SealedInGit,
    #[error("the rendered files can't be published to {repository}: {source}")]
    Git { repository: String, source: GitError },
    #[error("the branch was pushed, but no request could be opened: {0}")]
    Forge(#[source] ForgeError),
    #[error("{0:?} is no deployment id that a directory could be named after")]
    BadId(String),
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl StepError {
    /// For `map_err`: names what was being done to `path`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// Whether Terraform ended because it was asked to.
    pub(super) fn is_interrupt(&self) -> bool {
        match self {
            Self::Terraform { source, .. } => source.was_interrupted(),
            Self::Settled { end, .. } | Self::AtRisk { end: Some(end), .. } => end.was_interrupted(),
            _ => false,
        }
    }

    /// Whether the deployment isn't over, and a later life of this agent, or another agent, goes on with it. Nothing is
    /// reported then.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::StillAwaiting | Self::StillSettling | Self::Left)
    }

    /// Whether it is only that somebody doesn't answer now.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Proton(error) => error.is_passing(),
            Self::Objects(error) => error.is_passing(),
            _ => false,
        }
    }

    /// What it means for the exit code.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Bundle(_) | Self::Spec(_) | Self::NoPart(_) | Self::Outputs(_) => Verdict::InvalidBundle,
            Self::NoState
            | Self::NoWork
            | Self::OverlayCollides(_)
            | Self::CannotAsk
            | Self::Objects(ObjectsError::NoConditionalWrites { .. }) => Verdict::Settings,
            Self::Settled { end, .. } if end.was_interrupted() => Verdict::Cancelled,
            Self::Settled { end, .. } if !end.changes() => Verdict::PlanFailed,
            Self::OutputsAfterApply(_) | Self::Settled { .. } => Verdict::ApplyFailed,
            Self::LeaseLost => Verdict::LeaseLost,
            Self::Cancelled | Self::Left => Verdict::Cancelled,
            Self::Rejected { .. } => Verdict::StoppedByGate,
            Self::StillAwaiting => Verdict::AwaitingApproval,
            Self::AtRisk { .. } | Self::CannotSettle { .. } => Verdict::StateAtRisk,
            Self::Terraform { source, changing } => terraform_verdict(source, *changing),
            _ => Verdict::Unexpected,
        }
    }

    /// The status message: what failed in the words of whoever refused, where the evidence is, how to put it right.
    pub(super) fn message(&self, agent: &str, run_dir: Option<&Path>) -> String {
        let mut text = chain(self);
        if let Some(run_dir) = run_dir {
            write!(text, "\n\nThe run directory is kept: {} on agent {agent}.", run_dir.display())
                .expect("a String takes all");
        }
        let way_out = self.way_out();
        if !way_out.is_empty() {
            text.push(if run_dir.is_some() { ' ' } else { '\n' });
            text.push_str(way_out);
        }
        text
    }

    fn way_out(&self) -> &'static str {
        match self {
            Self::Terraform { source: TerraformError::Interrupted { .. }, .. } => {
                "If it was cancelled, only the record goes back to what it was: infrastructure may be half changed. What \
                 was done is in the state, so update again to finish it, with the old spec to undo it."
            }
            Self::Settled { end, .. } if end.was_interrupted() => {
                "Only the record goes back to what it was. What was done is in the state, so update again to finish it, \
                 with the old spec to undo it."
            }
            Self::Settled { end, .. } if !end.changes() => "No resource was changed: update again.",
            Self::Settled { .. } => "What was done is in the state: update again to finish it.",
            Self::Terraform { source: TerraformError::StateAtRisk { .. }, .. } => {
                "Nothing else should be applied to this target until the state is pushed."
            }
            Self::Terraform { changing: true, .. } => {
                "What was changed before it failed is in the state: correct the template or the spec and update again, \
                 or delete."
            }
            Self::Terraform { changing: false, .. } => {
                "No resource was changed: correct the template or the spec and update again."
            }
            Self::Rejected { .. } => "No resource was changed.",
            Self::OutputsAfterApply(_) => "Correct the template's outputs, register it as a new version and update.",
            Self::Bundle(_) | Self::NoPart(_) | Self::Outputs(_) => {
                "No resource was changed: correct the template, register it as a new version and update."
            }
            Self::Proton(_) | Self::Objects(_) | Self::PlanLost { .. } | Self::Io { .. } => {
                "No resource was changed: update again."
            }
            _ => "",
        }
    }
}

fn terraform_verdict(error: &TerraformError, changing: bool) -> Verdict {
    match error {
        TerraformError::StateAtRisk { .. } => Verdict::StateAtRisk,
        TerraformError::Interrupted { .. } | TerraformError::Stopped { .. } => Verdict::Cancelled,
        TerraformError::BackendUnsupported { .. } | TerraformError::RefusedVariable { .. } => Verdict::Settings,
        TerraformError::BackendNotOurs { .. } => Verdict::InvalidBundle,
        TerraformError::Failed { .. } if !changing => Verdict::PlanFailed,
        TerraformError::Failed { .. } | TerraformError::Killed { .. } | TerraformError::SupervisorLost { .. } => {
            Verdict::ApplyFailed
        }
        _ => Verdict::Unexpected,
    }
}

/// An error and its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            write!(text, ": {words}").expect("a String takes all");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::Step;

    fn failed(changing: bool) -> StepError {
        let source = TerraformError::Failed { step: Step::Apply, exit: 1, diagnostics: Vec::new() };
        StepError::Terraform { source, changing }
    }

    #[test]
    fn the_worst_verdict_is_a_state_at_risk() {
        let all = [Verdict::Cancelled, Verdict::StateAtRisk, Verdict::ApplyFailed, Verdict::Done];
        assert_eq!(all.into_iter().max(), Some(Verdict::StateAtRisk));
    }

    #[test]
    fn a_failure_before_the_first_change_is_a_failed_plan() {
        assert_eq!(failed(false).verdict().exit_code(), 10);
        assert_eq!(failed(true).verdict().exit_code(), 11);
    }

    #[test]
    fn a_message_says_what_failed_where_it_lies_and_what_to_do() {
        insta::assert_snapshot!(failed(true).message("a-1", Some(Path::new("/data/runs/d/1"))), @r"
        terraform apply ended with exit code 1

        The run directory is kept: /data/runs/d/1 on agent a-1. What was changed before it failed is in the state: correct the template or the spec and update again, or delete.
        ");
        let io = StepError::io("writing", Path::new("/full"))(io::Error::other("no space"));
        insta::assert_snapshot!(io.message("a-1", None), @r"
        writing /full: no space
        No resource was changed: update again.
        ");
    }
}
