//! A deployment as Proton tells it, and where the work for it lies.

use hadron_model::DeploymentStatus;
use serde::{Deserialize, Serialize};

use super::sdk::types;
use super::{Proton, ProtonError};
use crate::domain::{Scope, Target};

const BUNDLE_TAG: &str = "hadron:bundle";
const INPUTS_TAG: &str = "hadron:inputs";
const ACTION_TAG: &str = "hadron:action";

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Deployment {
    pub id: String,
    pub arn: String,
    pub scope: Scope,
    pub target: Target,
    /// Empty for pipelines.
    pub environment: String,
    pub status: DeploymentStatus,
    pub status_message: Option<String>,
    /// What it started from; for a delete the last attempt that reached Terraform.
    pub initial_state: Option<Attempt>,
    pub target_state: Option<Attempt>,
}

impl Deployment {
    /// The state that is to be rendered: a delete destroys what was there, everything else builds what shall be.
    pub fn rendered_state(&self, deletes: bool) -> Option<&Attempt> {
        if deletes {
            return self.initial_state.as_ref().or(self.target_state.as_ref());
        }
        self.target_state.as_ref()
    }
}

/// What a deployment brings, or brought, its target to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The template's name, major and minor version; None for components.
    pub template: Option<(String, String, String)>,
    /// The spec; for components the service's part of it.
    pub spec: Option<String>,
    /// Components: the text of the template file.
    pub template_file: Option<String>,
    /// Components: the service and the instance it is attached to.
    pub attached_to: Option<(String, String)>,
    /// Service instances: the environment's deployment whose outputs it is given.
    pub environment_deployment: Option<String>,
    /// Service instances: the deployments of the component whose outputs it is given; one at most.
    pub component_deployments: Vec<String>,
}

/// What shall be done to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// The managed tags of a deployment: where its bundle and its resolved inputs lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the tag of the same name")]
pub struct Work {
    pub bundle: Option<String>,
    pub inputs: Option<String>,
    pub action: Option<Action>,
}

impl Proton {
    /// One deployment, whole.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn deployment(&self, id: &str) -> Result<Deployment, ProtonError> {
        let answer = self.client().get_deployment().id(id).send().await?;
        let found = answer.deployment.ok_or_else(|| ProtonError::nonsense("GetDeployment without a deployment"))?;
        let (scope, target) =
            Target::parse(&found.target_arn).map_err(|error| ProtonError::nonsense(error.to_string()))?;
        Ok(Deployment {
            status: status(&found.deployment_status)?,
            id: found.id,
            arn: found.arn,
            scope,
            target,
            environment: found.environment_name,
            status_message: found.deployment_status_message,
            initial_state: found.initial_state.as_ref().and_then(attempt),
            target_state: found.target_state.as_ref().and_then(attempt),
        })
    }

    /// The managed tags of a deployment; all absent on a stock endpoint.
    ///
    /// # Errors
    /// [`ProtonError`], but not for an endpoint that knows no tags on deployments.
    pub async fn work(&self, deployment_arn: &str) -> Result<Work, ProtonError> {
        let mut pages = self.client().list_tags_for_resource().resource_arn(deployment_arn).into_paginator().send();
        let mut work = Work::default();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(ProtonError::from) {
                Ok(page) => page,
                Err(ProtonError::NotFound { .. } | ProtonError::Refused { .. }) => return Ok(Work::default()),
                Err(error) => return Err(error),
            };
            for tag in page.tags {
                work.take(&tag);
            }
        }
        Ok(work)
    }
}

impl Work {
    fn take(&mut self, tag: &types::Tag) {
        match tag.key.as_str() {
            BUNDLE_TAG => self.bundle = Some(tag.value.clone()),
            INPUTS_TAG => self.inputs = Some(tag.value.clone()),
            ACTION_TAG => self.action = Action::named(&tag.value),
            _ => {}
        }
    }
}

impl Action {
    /// An action by its name on the wire.
    pub(super) fn named(text: &str) -> Option<Self> {
        match text {
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Reads the SDK's enum as ours; a value that neither knows can't be worked on.
pub(super) fn status(theirs: &types::DeploymentStatus) -> Result<DeploymentStatus, ProtonError> {
    named(theirs.as_str()).ok_or_else(|| ProtonError::nonsense(format!("deployment status {}", theirs.as_str())))
}

/// A status by its name on the wire.
pub(super) fn named(text: &str) -> Option<DeploymentStatus> {
    DeploymentStatus::ALL.iter().copied().find(|status| status.to_string() == text)
}

fn attempt(state: &types::DeploymentState) -> Option<Attempt> {
    use types::DeploymentState as S;
    let template = |name: &str, major: &str, minor: &str| Some((name.to_owned(), major.to_owned(), minor.to_owned()));
    Some(match state {
        S::Environment(s) => Attempt {
            template: template(&s.template_name, &s.template_major_version, &s.template_minor_version),
            spec: s.spec.clone(),
            ..Attempt::default()
        },
        S::ServiceInstance(s) => Attempt {
            template: template(&s.template_name, &s.template_major_version, &s.template_minor_version),
            spec: Some(s.spec.clone()),
            environment_deployment: s.last_successful_environment_deployment_id.clone(),
            component_deployments: s.last_successful_component_deployment_ids.clone().unwrap_or_default(),
            ..Attempt::default()
        },
        S::ServicePipeline(s) => Attempt {
            template: template(&s.template_name, &s.template_major_version, &s.template_minor_version),
            spec: s.spec.clone(),
            ..Attempt::default()
        },
        S::Component(s) => Attempt {
            spec: s.service_spec.clone(),
            template_file: s.template_file.clone(),
            // An empty name stands for none.
            attached_to: s.service_name.clone().zip(s.service_instance_name.clone()).filter(|(of, _)| !of.is_empty()),
            ..Attempt::default()
        },
        _ => return None,
    })
}
