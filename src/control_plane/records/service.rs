//! Services, their instances and their pipeline.

use hadron_model::{DeploymentStatus, ServiceStatus};
use serde::{Deserialize, Serialize};

use super::{Progress, VersionRef};
use crate::control_plane::store::{Document, Term};

/// A service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Service {
    pub name: String,
    pub created_at: i64,
    pub last_modified_at: i64,
    pub description: Option<String>,
    pub template: String,
    /// The version that instances were created with.
    pub template_version: VersionRef,
    /// The whole ServiceSpec as the user last submitted it with success.
    pub spec: String,
    pub status: ServiceStatus,
    pub status_message: Option<String>,
    pub branch_name: Option<String>,
    pub repository_id: Option<String>,
    pub repository_connection_arn: Option<String>,
    /// An UpdateService or CreateService under way: the spec it leads to.
    pub pending_spec: Option<String>,
    /// Names of instances that the change under way adds.
    pub pending_added: Vec<String>,
    /// Names of instances that the change under way removes.
    pub pending_removed: Vec<String>,
    /// Whether the pipeline is to be provisioned anew once the instances have settled.
    #[serde(default)]
    pub pipeline_due: bool,
    /// What the pipeline was before the change under way locked it: its status, and whether it was due.
    #[serde(default)]
    pub pipeline_before: Option<(DeploymentStatus, bool)>,
    /// Which removals the change under way has begun, by the resource in the ARN: each is tried once.
    #[serde(default)]
    pub removals_begun: Vec<String>,
}

impl Document for Service {
    const KIND: &'static str = "service";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new("template", &self.template)]
    }
}

/// One instance of a service in one environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct ServiceInstance {
    pub name: String,
    pub service: String,
    pub environment: String,
    pub created_at: i64,
    pub template: VersionRef,
    pub spec: String,
    pub progress: Progress,
    pub last_client_request_token: Option<String>,
    /// The component attached to it.
    pub component: Option<String>,
}

impl ServiceInstance {
    /// Its key in the record.
    pub fn key_of(service: &str, name: &str) -> String {
        format!("{service}/{name}")
    }
}

impl Document for ServiceInstance {
    const KIND: &'static str = "service_instance";

    fn key(&self) -> String {
        Self::key_of(&self.service, &self.name)
    }

    /// By service, then by name; a service's name may be the beginning of another's.
    fn sort(&self) -> String {
        format!("{}\0{}", self.service, self.name)
    }

    fn terms(&self) -> Vec<Term> {
        let VersionRef { template, version } = &self.template;
        let term = |name, value: &str| Term::new(name, value).sorted_by(self.sort());
        vec![
            term("service", &self.service),
            term("environment", &self.environment),
            term("name", &self.name),
            term("status", self.progress.status.as_str()),
            term("template", template),
            Term::new("template_version", format!("service-template/{template}:{version}")),
        ]
    }
}

/// A service's pipeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Pipeline {
    pub service: String,
    pub created_at: i64,
    pub template: VersionRef,
    pub spec: String,
    pub progress: Progress,
}

impl Document for Pipeline {
    const KIND: &'static str = "pipeline";

    fn key(&self) -> String {
        self.service.clone()
    }

    fn terms(&self) -> Vec<Term> {
        let VersionRef { template, version } = &self.template;
        vec![
            Term::new("template", template),
            Term::new("template_version", format!("service-template/{template}:{version}")),
        ]
    }
}
