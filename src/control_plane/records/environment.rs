//! Environments.

use hadron_model::RepositoryBranch;
use serde::{Deserialize, Serialize};

use super::{Progress, VersionRef};
use crate::control_plane::store::{Document, Term};

/// Who deploys what lies in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Executor {
    /// Hadron's agents.
    #[default]
    Agent,
    /// A pipeline outside, which notifies.
    Ci,
    /// An agent publishes the rendered directory as a request to a repository, and a pipeline there applies and notifies.
    PullRequest,
}

/// Where rendered directories are published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The URL that Git clones.
    pub repository: String,
    /// The branch that requests are for.
    pub branch: String,
}

/// An environment. Template and spec are those of the last deployment that succeeded, or of the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Environment {
    pub name: String,
    pub created_at: i64,
    pub description: Option<String>,
    pub template: VersionRef,
    pub spec: String,
    pub progress: Progress,
    pub proton_service_role_arn: Option<String>,
    pub codebuild_role_arn: Option<String>,
    pub component_role_arn: Option<String>,
    pub environment_account_connection_id: Option<String>,
    pub environment_account_id: Option<String>,
    pub provisioning_repository: Option<RepositoryBranch>,
    pub executor: Executor,
    /// Where it is published, if the executor is that.
    #[serde(default)]
    pub requests: Option<Requests>,
}

impl Document for Environment {
    const KIND: &'static str = "environment";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn terms(&self) -> Vec<Term> {
        let VersionRef { template, version } = &self.template;
        vec![
            Term::new("template", template),
            Term::new("template_version", format!("environment-template/{template}:{version}")),
        ]
    }
}

/// Who shall deploy an environment that doesn't exist yet, so that its first deployment is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorAhead {
    /// The name that it will have.
    pub environment: String,
    /// Who.
    pub executor: Executor,
    /// Where to, if by requests.
    pub requests: Option<Requests>,
}

impl Document for ExecutorAhead {
    const KIND: &'static str = "executor_ahead";

    fn key(&self) -> String {
        self.environment.clone()
    }
}
