//! One step of a pipeline: rendered directories of a provisioning repository are planned or applied, and Proton is told.
//!
//! This takes the place of AWS's sample workflow
//! (<https://github.com/aws-samples/aws-proton-terraform-github-actions-sample>): the same repositories, the same
//! `env_config.json`, the same keys of the state. [`Directory`] is what a directory says of itself, [`Site`] where its
//! state lies and as whom it is deployed, [`changed`] which directories a commit means, [`Pipeline`] what the service
//! that runs us says; [`Runner::run`] does the work.
//!
//! Terraform runs in the directory itself, so that paths to modules elsewhere in the repository lead somewhere. What is
//! laid beside the rendered files is taken away again.

mod beside;
mod changes;
mod directory;
mod ears;
mod job;
mod order;
mod outcome;
mod pipeline;
mod role;
mod site;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use changes::{Changed, ChangesError, changed};
pub use directory::{Directory, DirectoryError};
pub use order::in_order;
pub use outcome::{Notified, Outcome};
pub use pipeline::{Pipeline, Since};
pub use role::{Identities, RoleError};
pub use site::{Choices, Site, SiteError};

use crate::domain::Verdict;
use crate::support::{AwsAccess, Trust};
use crate::terraform::{ProviderStore, Terraform};

/// What is to be done with the directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Show what would be done; nothing is changed and nobody is told.
    Plan,
    /// Do it, and tell Proton.
    Apply,
}

/// Whoever watches the work.
pub trait Watcher {
    /// A directory is begun.
    fn begins(&mut self, directory: &Directory);
    /// Terraform says something; one or several lines.
    fn says(&mut self, text: &str);
    /// A directory is over.
    fn ended(&mut self, outcome: &Outcome);
}

/// All that the work needs.
#[derive(Debug)]
pub struct Runner {
    /// The Terraform to run.
    pub terraform: Terraform,
    /// The `hadron` binary, for `hadron supervise`.
    pub supervisor: PathBuf,
    /// Folder for the steps of the runs.
    pub runs: PathBuf,
    /// What Terraform may see of the environment.
    pub child_env: BTreeMap<String, String>,
    /// What the settings file says, by environment; `*` stands for every other, `pipeline` for all pipelines.
    pub choices: BTreeMap<String, Choices>,
    /// Another S3 than Amazon's for the state.
    pub state_endpoint: Option<String>,
    /// Where providers are kept.
    pub providers: Option<ProviderStore>,
    /// How long Terraform waits for a state that somebody else has locked.
    pub lock_timeout: Duration,
    /// The Proton to tell, in whatever region an ARN names; None = nobody is told.
    pub proton: Option<AwsAccess>,
    /// Where roles come from.
    pub identities: Identities,
    /// Whose certificates are trusted.
    pub trust: Option<Trust>,
    /// Where people see this pipeline at work, for the messages to Proton.
    pub link: Option<String>,
}

impl Runner {
    /// Works through the directories, which [`in_order`] has ordered. What a failure leaves without its base is not
    /// begun. Cancelling `stop` interrupts Terraform once; what comes after isn't begun.
    pub async fn run(
        &self,
        intent: Intent,
        directories: &[Directory],
        stop: &CancellationToken,
        watcher: &mut (dyn Watcher + Send),
    ) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for (at, directory) in directories.iter().enumerate() {
            watcher.begins(directory);
            let failed = directories[..at].iter().zip(&outcomes).find(|(earlier, outcome)| {
                // Of a plan nothing hangs on another's.
                intent == Intent::Apply && outcome.verdict != Verdict::Done && order::rests_on(directory, earlier)
            });
            let outcome = match failed {
                Some((base, _)) => self.skip(directory, base).await,
                None => self.one(intent, directory, stop, watcher).await,
            };
            watcher.ended(&outcome);
            outcomes.push(outcome);
        }
        outcomes
    }
}
