//! What lists show of a document, without its specs, states and outputs: most of what is read would be thrown away again,
//! once for each line of a page.

use hadron_model::DeploymentStatus;
use serde::Deserialize;

use super::{Deployment, ServiceInstance, VersionRef};
use crate::control_plane::store::{Document, View};
use crate::domain::Target;

/// A [`Deployment`] in a list.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "as in a deployment")]
pub struct ListedDeployment {
    pub id: String,
    pub target: Target,
    pub target_arn: String,
    pub target_created_at: i64,
    pub environment: String,
    pub status: DeploymentStatus,
    pub created_at: i64,
    pub last_modified_at: i64,
    pub completed_at: Option<i64>,
    pub last_attempted_deployment_id: Option<String>,
    pub last_succeeded_deployment_id: Option<String>,
}

impl View for ListedDeployment {
    const OF: &'static str = Deployment::KIND;
}

impl From<&Deployment> for ListedDeployment {
    fn from(whole: &Deployment) -> Self {
        Self {
            id: whole.id.clone(),
            target: whole.target.clone(),
            target_arn: whole.target_arn.clone(),
            target_created_at: whole.target_created_at,
            environment: whole.environment.clone(),
            status: whole.status,
            created_at: whole.created_at,
            last_modified_at: whole.last_modified_at,
            completed_at: whole.completed_at,
            last_attempted_deployment_id: whole.last_attempted_deployment_id.clone(),
            last_succeeded_deployment_id: whole.last_succeeded_deployment_id.clone(),
        }
    }
}

/// A [`ServiceInstance`] in a list.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "as in an instance")]
pub struct ListedInstance {
    pub name: String,
    pub service: String,
    pub environment: String,
    pub created_at: i64,
    pub template: VersionRef,
    pub progress: ListedProgress,
}

/// How a target in a list stands: its [`Progress`](super::Progress) without the outputs.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct ListedProgress {
    pub status: DeploymentStatus,
    pub message: Option<String>,
    pub last_attempted_deployment_id: Option<String>,
    pub last_succeeded_deployment_id: Option<String>,
    pub last_attempted_at: i64,
    pub last_succeeded_at: Option<i64>,
}

impl View for ListedInstance {
    const OF: &'static str = ServiceInstance::KIND;
}
