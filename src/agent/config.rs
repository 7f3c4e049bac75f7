//! What an operator chose for an agent, as plain values.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::site::called;
use super::{BundleLocation, Departure};
use crate::forge;
use crate::objects::ObjectsConfig;
use crate::support::{AwsAccess, Clock};

/// An agent's settings.
///
/// Two identities never mix: to Proton, and to the store that Proton names, the agent signs as `proton`; Terraform, its
/// state bucket and any other bucket get what stands in `child_env` or in the default AWS chain.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the agent is called, in front of the randomness that makes its id unique.
    pub name: String,
    /// Where run directories and the agent's identity are kept. One agent per directory.
    pub data: PathBuf,
    /// How many deployments may be under way at once.
    pub concurrency: usize,
    /// Where Proton answers, and as whom to ask.
    pub proton: AwsAccess,
    /// The store of bundles, inputs and run records, where the claim's answer names none.
    pub objects: ObjectsConfig,
    /// Where bundles lie for a Proton that doesn't tell; None = it always does.
    pub bundles: Option<BundleLocation>,
    /// The `terraform` or `tofu` to run; None = the first on `search_path`.
    pub terraform: Option<PathBuf>,
    /// The folders to look for Terraform in, as `PATH` has them.
    pub search_path: OsString,
    /// The `hadron` binary, which supervises Terraform.
    pub supervisor: PathBuf,
    /// The folder of the provider store; None = every init finds its providers by itself.
    pub provider_store: Option<PathBuf>,
    /// What Terraform's environment holds besides Hadron's own: credentials, proxies, a CLI configuration.
    pub child_env: BTreeMap<String, String>,
    /// Choices per environment, by its name; `pipeline` for pipelines, which have no environment; `*` for all others.
    pub environments: BTreeMap<String, EnvironmentConfig>,
    /// The only environments to work for, `pipeline` among them if pipelines are wanted; empty = all. (Hadron also binds
    /// agents by their access key.)
    pub bound_to: Vec<String>,
    /// How long a poll may be held by an endpoint that can, at most 50 s.
    pub poll_wait: Duration,
    /// How long Terraform waits for a state that somebody else has locked.
    pub lock_timeout: Duration,
    /// How long one run waits for people at a gate before it is left for a later life of the agent; None = for ever.
    pub approval_wait: Option<Duration>,
    /// Who opens and watches requests where an environment wants them; None = branches are pushed, and that is all.
    pub forge: Option<forge::Access>,
    /// How often requests are looked at.
    pub watch_every: Duration,
    /// How long a store or a server that doesn't answer is waited for, while what a run has left is settled, before people
    /// are asked.
    pub settle_patience: Duration,
    /// What is known of the host that will end the agent some day.
    pub host: HostConfig,
    /// The time.
    pub clock: Clock,
}

/// What an agent owes to the host that it runs on.
#[derive(Debug, Clone, Default)]
pub struct HostConfig {
    /// How it leaves.
    pub departure: Departure,
    /// The address of ECS's agent (`ECS_AGENT_URI`): the task is protected from scale-in while a run is at work.
    pub ecs_agent: Option<String>,
    /// The address of EC2's instance metadata, where a Spot interruption is announced two minutes ahead.
    pub spot_notices: Option<String>,
}

/// Choices for one environment.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentConfig {
    /// A folder whose files are laid beside the rendered ones, such as `*_override.tf` for provider endpoints.
    pub overlay: Option<PathBuf>,
    /// Values for variables that the template declares itself; Terraform warns of one that it doesn't.
    pub variables: BTreeMap<String, String>,
    /// Where the state goes when Proton's endpoint doesn't keep it.
    pub state: Option<S3State>,
    /// The S3 that holds the states of imported targets, if not Amazon's.
    pub state_endpoint: Option<String>,
    /// More for Terraform's environment, over [`Config::child_env`].
    pub child_env: BTreeMap<String, String>,
    /// Whether people decide on each plan before it is applied.
    pub approval: bool,
}

/// A bucket for Terraform's state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the settings of Terraform's S3 backend")]
pub struct S3State {
    pub bucket: String,
    pub region: String,
    /// Another S3 than Amazon's.
    pub endpoint: Option<String>,
    pub use_path_style: bool,
    /// For a Terraform that is older than 1.10.
    pub dynamodb_table: Option<String>,
}

impl Config {
    /// The choices for an environment; `""` is a pipeline's.
    pub(super) fn environment(&self, name: &str) -> EnvironmentConfig {
        EnvironmentConfig::of(&self.environments, name)
    }

    /// Whether the agent works for an environment; `""` is a pipeline's.
    pub(super) fn works_for(&self, environment: &str) -> bool {
        self.bound_to.is_empty() || self.bound_to.iter().any(|bound| bound == called(environment))
    }
}
