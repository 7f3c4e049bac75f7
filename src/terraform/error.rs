//! What can go wrong with Terraform, in words that end up in a deployment's status message.

use std::io;
use std::path::{Path, PathBuf};

use semver::Version;

use super::memory::{RAN_OUT, REMEDY};
use super::{Diagnostic, Severity, Step, Usage};

/// Why Terraform could not be found, started, trusted or finished. Each names the way out where there is one.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// Neither Terraform nor OpenTofu is there.
    #[error(
        "terraform was not found: looked for {looked_for} (install Terraform 1.5 or newer from \
         https://developer.hashicorp.com/terraform/install, or OpenTofu from https://opentofu.org/docs/intro/install, \
         and put it on PATH or name it in the settings)"
    )]
    NotFound {
        /// The path that was configured, or the names and folders that were searched.
        looked_for: String,
    },
    /// The binary is older than what Hadron relies on.
    #[error("{} is version {found}, older than {floor} (install Terraform {floor} or newer)", binary.display())]
    TooOld {
        /// The binary that was asked.
        binary: PathBuf,
        /// Its version.
        found: Version,
        /// The oldest version that will do.
        floor: Version,
    },
    /// The binary doesn't answer `version -json` as Terraform does.
    #[error("{} doesn't answer `version -json` like Terraform: {said}", binary.display())]
    NotTerraform {
        /// The binary that was asked.
        binary: PathBuf,
        /// What it said instead.
        said: String,
    },
    /// This Terraform can't keep the state in S3 in the way that was asked for.
    #[error("the S3 backend needs Terraform {needed} or newer for {what}, and this is {found} ({remedy})")]
    BackendUnsupported {
        /// What it can't do.
        what: &'static str,
        /// The first version that can.
        needed: Version,
        /// The version at hand.
        found: Version,
        /// The way out.
        remedy: &'static str,
    },
    /// The site's environment holds a variable that would reach past Hadron's own settings.
    #[error("the environment variable {name} must not reach Terraform: {reason}")]
    RefusedVariable {
        /// Its name.
        name: String,
        /// What it would do.
        reason: &'static str,
    },
    /// After `init` the state is not where we put it.
    #[error(
        "the state would not be kept where Hadron keeps it: expected {expected}, found {found} (remove the backend or \
         cloud block from the bundle's override files)"
    )]
    BackendNotOurs {
        /// Our backend, in short.
        expected: String,
        /// The one that Terraform would use, in short.
        found: String,
    },
    /// Terraform ended with an error of its own.
    #[error("terraform {step} ended with exit code {exit}{}", told(diagnostics))]
    Failed {
        /// The command.
        step: Step,
        /// Its exit code.
        exit: i32,
        /// What it said, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
    /// Terraform ended early because we asked it to.
    #[error("terraform {step} was interrupted{}{}", half_done(*step), told(diagnostics))]
    Interrupted {
        /// The command.
        step: Step,
        /// What it said, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
    /// Terraform ended without having been able to write the state; it left the state in a file.
    #[error(
        "terraform {step} could not save the state and left it in {} (push it with `terraform state push` before \
         anything else is applied){}", file.display(), told(diagnostics)
    )]
    StateAtRisk {
        /// The command.
        step: Step,
        /// The state that was never uploaded.
        file: PathBuf,
        /// What it said, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
    /// Somebody killed Terraform.
    #[error("terraform {step} {}", killed(*signal, memory.as_ref()))]
    Killed {
        /// The command.
        step: Step,
        /// The signal's number.
        signal: i32,
        /// What it had taken, if the kernel killed it for memory.
        memory: Option<Usage>,
    },
    /// Stop was asked for before Terraform ran.
    #[error("terraform {step} was not started, since the deployment is being stopped")]
    Stopped {
        /// The command.
        step: Step,
    },
    /// The supervisor could not start Terraform.
    #[error("terraform could not be started: {reason}")]
    NotStarted {
        /// The supervisor's own words.
        reason: String,
    },
    /// The supervisor is gone, and with it Terraform's exit code.
    #[error(
        "the supervisor of {} disappeared, so how Terraform ended is not known; infrastructure may be half changed \
         and the state may still be locked", step_dir.display()
    )]
    SupervisorLost {
        /// The step's folder, with all that was said until then.
        step_dir: PathBuf,
    },
    /// The supervisor could not leave the agent's session.
    #[error("the supervisor can't lead a session of its own")]
    Session(#[source] io::Error),
    /// `output -json` was not what Terraform documents.
    #[error("terraform's outputs can't be read")]
    Outputs(#[source] serde_json::Error),
    /// What should be a state isn't one.
    #[error("it is no terraform state")]
    State(#[source] serde_json::Error),
    /// The plan was made, and its file isn't there any more.
    #[error("the saved plan {} is gone", file.display())]
    PlanGone {
        /// Where it was.
        file: PathBuf,
    },
    /// Somebody has changed the plan file since it was shown to people.
    #[error("the saved plan isn't the one that was approved: its SHA-256 is {found}, not {approved}")]
    OtherPlan {
        /// The digest that people have seen.
        approved: String,
        /// The file's digest now.
        found: String,
    },
    /// The file system refused.
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
}

impl TerraformError {
    /// For `map_err`: names what was being done to `path`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// Whether Terraform refused a saved plan because the state has moved on since; nothing was changed then.
    ///
    /// <https://developer.hashicorp.com/terraform/cli/commands/apply#saved-plan-mode>
    pub fn is_stale_plan(&self) -> bool {
        const STALE: [&str; 2] = ["Saved plan is stale", "Saved plan does not match the given state"];
        let Self::Failed { step, diagnostics, .. } = self else { return false };
        step.changes() && diagnostics.iter().any(|diagnostic| STALE.contains(&diagnostic.summary.as_str()))
    }

    /// Whether Terraform itself broke down: it has saved nothing then, and given no lock back.
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::Failed { step, exit, .. } if !step.ends_in_order_with(*exit))
    }

    /// Whether Terraform ended early because we asked it to.
    pub fn was_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// The error in the words that are left once what it warns of was put right.
    pub fn once_settled(&self) -> String {
        match self {
            Self::StateAtRisk { step, diagnostics, .. } => {
                format!("terraform {step} could not save the state{}", told(diagnostics))
            }
            Self::SupervisorLost { .. } => "terraform and its supervisor were killed".to_owned(),
            Self::Failed { step, exit, diagnostics } if self.left_its_lock() => {
                let (left, others): (Vec<_>, Vec<_>) = diagnostics.iter().cloned().partition(Diagnostic::is_lock_left);
                let why = left.iter().find_map(|diagnostic| diagnostic.detail.lines().next());
                format!(
                    "terraform {step} ended with exit code {exit}{}\nterraform could not release the state lock: {}",
                    told(&others),
                    why.unwrap_or("it doesn't say why").trim_start_matches("Error message: ")
                )
            }
            error => error.to_string(),
        }
    }

    /// Whether Terraform ended without having given the lock of the state back.
    pub fn left_its_lock(&self) -> bool {
        self.diagnostics().iter().any(Diagnostic::is_lock_left)
    }

    /// Whether it is the end of a step that could have changed resources.
    pub fn changes(&self) -> bool {
        match self {
            Self::Failed { step, .. }
            | Self::Interrupted { step, .. }
            | Self::Killed { step, .. }
            | Self::StateAtRisk { step, .. } => step.changes(),
            Self::SupervisorLost { .. } => true,
            _ => false,
        }
    }

    /// Whether a provider ended in the middle of a change, so that nobody knows what came of it.
    pub fn is_unanswered(&self) -> bool {
        self.diagnostics().iter().any(Diagnostic::is_unanswered)
    }

    /// Terraform's own words, when it had any.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Failed { diagnostics, .. }
            | Self::Interrupted { diagnostics, .. }
            | Self::StateAtRisk { diagnostics, .. } => diagnostics,
            _ => &[],
        }
    }
}

/// The errors among `diagnostics`, each on lines of its own, those that name a file first: the others are mostly
/// introductions. Warnings are left to the log.
fn told(diagnostics: &[Diagnostic]) -> String {
    let errors = || diagnostics.iter().filter(|diagnostic| diagnostic.severity != Severity::Warning);
    let first = |error: &&Diagnostic| error.file.is_some() || error.summary.starts_with(RAN_OUT);
    let placed = errors().filter(first);
    let unplaced = errors().filter(|error| !first(error));
    placed.chain(unplaced).fold(String::new(), |text, error| text + "\n" + &error.to_string())
}

fn half_done(step: Step) -> &'static str {
    if step.changes() { "; infrastructure may be half changed" } else { "" }
}

/// What a signal means, or usually means.
fn killed(signal: i32, memory: Option<&Usage>) -> String {
    const SIGKILL: i32 = 9;
    match memory {
        Some(usage) => format!("{RAN_OUT}: the kernel killed it{}; {REMEDY}", usage.words()),
        None if signal == SIGKILL => format!(
            "was killed by signal {signal} (as the kernel does when memory runs out: give it more, or lower its \
             parallelism)"
        ),
        None => format!("was killed by signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::{Event, EventKind};

    fn failed(step: Step, stream: &str) -> String {
        let diagnostics = stream.lines().filter_map(|line| match Event::parse(line).kind {
            EventKind::Diagnostic(diagnostic) => Some(diagnostic),
            _ => None,
        });
        TerraformError::Failed { step, exit: 1, diagnostics: diagnostics.collect() }.to_string()
    }

    #[test]
    fn a_failed_apply_reads_as_terraform_told_it() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/failed.jsonl");
        insta::assert_snapshot!(failed(Step::Apply, stream), @r#"
        terraform apply ended with exit code 1
        main.tf:15: local-exec provisioner error (terraform_data.broken)
          |   provisioner "local-exec" { command = "echo on its way; exit 3" }
          Error running command 'echo on its way; exit 3': exit status 3. Output: on its way
        "#);
    }

    #[test]
    fn the_place_comes_before_the_introduction() {
        let stream = include_str!("../../tests/fixtures/terraform/1.11/init_failed.jsonl");
        insta::assert_snapshot!(failed(Step::Init, stream), @"
        terraform init ended with exit code 1
        bad.tf:1: Unclosed configuration block
          | terraform {
          There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.
        Terraform encountered problems during initialisation, including problems
        with the configuration, described below.

        The Terraform configuration must be valid before initialization so that
        Terraform can determine which modules and providers need to be installed.
        ");
    }

    #[test]
    fn a_killed_terraform_hints_at_memory() {
        let text = TerraformError::Killed { step: Step::Apply, signal: 9, memory: None }.to_string();
        assert!(
            text.starts_with("terraform apply was killed by signal 9 (as the kernel does when memory runs out"),
            "{text}"
        );
        let text = TerraformError::Killed { step: Step::Apply, signal: 11, memory: None }.to_string();
        assert!(!text.contains("memory"), "{text}");
    }

    #[test]
    fn what_the_kernel_killed_for_memory_is_named_as_such_with_the_remedy() {
        let memory = Some(Usage { peak_rss: Some(60 << 20), limit: Some(64 << 20), group_peak: Some((64 << 20) - 5) });
        insta::assert_snapshot!(TerraformError::Killed { step: Step::Plan, signal: 9, memory }, @"terraform plan ran out of memory: the kernel killed it (limit 64 MiB, peak 64 MiB); give the agent's machine or container more memory, or lower agent.concurrency or Terraform's parallelism");
        let nothing_known = TerraformError::Killed { step: Step::Plan, signal: 9, memory: Some(Usage::default()) };
        assert!(nothing_known.to_string().contains("the kernel killed it; give"), "{nothing_known}");
    }

    #[test]
    fn a_killed_provider_is_told_before_terraforms_own_words_and_other_failures_are_not_blamed_on_memory() {
        let died = Diagnostic::error("Plugin did not respond", "The plugin encountered an error.");
        let diagnostics: Vec<_> =
            super::super::memory::starved(std::slice::from_ref(&died), None).into_iter().chain([died]).collect();
        let text = TerraformError::Failed { step: Step::Apply, exit: 1, diagnostics }.to_string();
        let (memory, plugin) = (text.find("ran out of memory").unwrap(), text.find("Plugin did not respond").unwrap());
        assert!(memory < plugin && text.contains("lower agent.concurrency"), "{text}");
        let quota = Diagnostic::error("no quota left", "");
        assert_eq!(super::super::memory::starved(&[quota], None), None);
    }
}
