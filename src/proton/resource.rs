//! What a deployment is made of, where no endpoint hands it out ready: the resources around a target, read one by one.

use hadron_model::ServiceStatus;

use super::{Proton, ProtonError};
use crate::domain::{EnvironmentFacts, OutputTexts, ServiceFacts, Target};

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What its instances and its pipeline may know of it.
    pub facts: ServiceFacts,
    /// The spec of the whole service; while it is being updated still the old one.
    pub spec: String,
    /// Whether instances are being added or removed.
    pub is_updating: bool,
}

/// An instance of a service, as it was last deployed with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInstance {
    /// Its name.
    pub name: String,
    /// The environment that it runs in.
    pub environment: String,
    /// The template's name, major and minor version.
    pub template: (String, String, String),
    /// The spec, which may hold other instances of the service as well.
    pub spec: String,
}

/// An instance in the list of its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInstanceSummary {
    /// Its name.
    pub name: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Whether it has ever been deployed with success, so that there is something to know of it.
    pub has_succeeded: bool,
}

impl Proton {
    /// What services and components may know of an environment. The outputs are those of `deployment_id`, if that
    /// deployment is still in the record, else those of the last one that succeeded.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn environment_facts(
        &self,
        name: &str,
        deployment_id: Option<&str>,
    ) -> Result<EnvironmentFacts, ProtonError> {
        let found = self.client().get_environment().name(name).send().await?.environment;
        let found = found.ok_or_else(|| ProtonError::nonsense("GetEnvironment without an environment"))?;
        let (scope, target) = Target::parse(&found.arn).map_err(|error| ProtonError::nonsense(error.to_string()))?;
        let outputs = match self.outputs(&target, deployment_id).await {
            // The history of an environment may be cleared, and then its present outputs are all there is.
            Err(ProtonError::NotFound { message }) if deployment_id.is_some() => {
                tracing::warn!(environment = name, message, "the environment's present outputs are used");
                self.outputs(&target, None).await
            }
            outputs => outputs,
        };
        let account_id = found.environment_account_id.unwrap_or(scope.account);
        Ok(EnvironmentFacts { name: found.name, account_id, outputs: outputs? })
    }

    /// A service.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn service(&self, name: &str) -> Result<Service, ProtonError> {
        let found = self.client().get_service().name(name).send().await?.service;
        let found = found.ok_or_else(|| ProtonError::nonsense("GetService without a service"))?;
        let facts = ServiceFacts {
            name: found.name,
            repository_connection_arn: found.repository_connection_arn.unwrap_or_default(),
            repository_id: found.repository_id.unwrap_or_default(),
            branch_name: found.branch_name.unwrap_or_default(),
        };
        let is_updating = found.status.as_str() == ServiceStatus::UpdateInProgress.as_str();
        Ok(Service { facts, spec: found.spec, is_updating })
    }

    /// An instance of a service.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn service_instance(&self, service: &str, name: &str) -> Result<ServiceInstance, ProtonError> {
        let found = self.client().get_service_instance().service_name(service).name(name).send().await?;
        let found = found.service_instance;
        let found = found.ok_or_else(|| ProtonError::nonsense("GetServiceInstance without an instance"))?;
        Ok(ServiceInstance {
            name: found.name,
            environment: found.environment_name,
            template: (found.template_name, found.template_major_version, found.template_minor_version),
            spec: found.spec.ok_or_else(|| ProtonError::nonsense("a service instance without a spec"))?,
        })
    }

    /// All instances of a service.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn service_instances(&self, service: &str) -> Result<Vec<ServiceInstanceSummary>, ProtonError> {
        let mut pages = self.client().list_service_instances().service_name(service).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            found.extend(page?.service_instances.into_iter().map(|summary| ServiceInstanceSummary {
                name: summary.name,
                created_at: summary.created_at.to_millis().unwrap_or_default(),
                // The model wants a time even where there is none; the client then makes it the epoch.
                has_succeeded: summary.last_deployment_succeeded_at.secs() > 0,
            }));
        }
        Ok(found)
    }

    /// The outputs of one of the target's deployments, or of its last one that succeeded, in Proton's order.
    ///
    /// # Errors
    /// [`ProtonError::NotFound`] for a deployment that isn't the target's or not in the record any more.
    pub async fn outputs(&self, target: &Target, deployment_id: Option<&str>) -> Result<OutputTexts, ProtonError> {
        let (client, id) = (self.client(), deployment_id.map(str::to_owned));
        let mut found = OutputTexts::new();
        // Four operations of one shape, each with types of its own.
        macro_rules! all_pages {
            ($request:expr) => {{
                let mut pages = $request.set_deployment_id(id).into_paginator().send();
                while let Some(page) = pages.next().await {
                    found.extend(page?.outputs.into_iter().filter_map(|output| output.key.zip(output.value_string)));
                }
            }};
        }
        match target {
            Target::Environment { name } => all_pages!(client.list_environment_outputs().environment_name(name)),
            Target::Component { name } => all_pages!(client.list_component_outputs().component_name(name)),
            Target::ServicePipeline { service } => {
                all_pages!(client.list_service_pipeline_outputs().service_name(service));
            }
            Target::ServiceInstance { service, name } => {
                let request = client.list_service_instance_outputs().service_name(service);
                all_pages!(request.service_instance_name(name));
            }
        }
        Ok(found)
    }

    /// The text of a service template's schema.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn service_schema(&self, template: &(String, String, String)) -> Result<String, ProtonError> {
        let (name, major, minor) = template;
        let request = self.client().get_service_template_version().template_name(name);
        let answer = request.major_version(major).minor_version(minor).send().await?;
        let schema = answer.service_template_version.and_then(|version| version.schema);
        schema.ok_or_else(|| ProtonError::nonsense(format!("version {major}.{minor} of {name} has no schema")))
    }
}
