//! What a pipeline tells, which holds no lease: the stock notification, as AWS's sample workflow sent it.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-works-prov-methods.html>

use hadron_model::DeploymentStatus;

use super::deployment::status;
use super::headers::{AnswerHeaders, OurHeaders};
use super::lease::{sdk_output, sensitive_header, shortened, what_may_travel};
use super::sdk::types::ResourceDeploymentStatus as Told;
use super::{Proton, ProtonError, Report};
use crate::domain::{Output, Target};

/// What an endpoint showed of itself when it was told that a pipeline has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Whether it seals sensitive outputs; one that doesn't would show them to everyone.
    pub seals: bool,
}

impl Proton {
    /// Tells that a pipeline works on the deployment; without an id on the one that the target has under way.
    ///
    /// # Errors
    /// [`ProtonError::NotFound`] where the target isn't known; [`ProtonError::Conflict`] when the deployment is over,
    /// held by an agent, or another's.
    pub async fn pipeline_begins(
        &self,
        target_arn: &str,
        deployment_id: Option<&str>,
        message: &str,
    ) -> Result<Begun, ProtonError> {
        let answer = self.tell(target_arn, deployment_id, Told::InProgress, Some(message), &[]).await?;
        Ok(Begun { seals: answer.get("x-hadron-status").is_some() })
    }

    /// Tells how it ended. The repeat of an end that was heard is answered like the first.
    ///
    /// # Errors
    /// As [`Proton::pipeline_begins`].
    pub async fn pipeline_ends(
        &self,
        target_arn: &str,
        deployment_id: Option<&str>,
        report: &Report,
        begun: Begun,
    ) -> Result<(), ProtonError> {
        match report {
            Report::Succeeded { outputs, message } => {
                let (outputs, message) = what_may_travel(begun.seals, outputs, message.as_deref());
                self.tell(target_arn, deployment_id, Told::Succeeded, message.as_deref(), &outputs).await?;
            }
            Report::Failed { message } => {
                self.tell(target_arn, deployment_id, Told::Failed, Some(message), &[]).await?;
            }
        }
        Ok(())
    }

    /// Tells that the request was closed without being merged: the deployment is called off, a deletion has failed.
    ///
    /// # Errors
    /// As [`Proton::pipeline_begins`].
    pub async fn request_closed(
        &self,
        target_arn: &str,
        deployment_id: &str,
        message: &str,
    ) -> Result<(), ProtonError> {
        let request = self.client().notify_resource_deployment_status_change().resource_arn(target_arn);
        request
            .deployment_id(deployment_id)
            .status_message(message)
            .status(Told::Failed)
            .customize()
            .interceptor(OurHeaders::new(vec![("x-hadron-request", "closed".to_owned())]))
            .send()
            .await?;
        Ok(())
    }

    async fn tell(
        &self,
        target_arn: &str,
        deployment_id: Option<&str>,
        status: Told,
        message: Option<&str>,
        outputs: &[Output],
    ) -> Result<AnswerHeaders, ProtonError> {
        let answer = AnswerHeaders::default();
        let request = self.client().notify_resource_deployment_status_change().resource_arn(target_arn);
        request
            .set_deployment_id(deployment_id.map(str::to_owned))
            .set_status_message(message.filter(|text| !text.is_empty()).map(shortened))
            // None at all are outputs too: those of before are gone.
            .set_outputs((status == Told::Succeeded).then(|| outputs.iter().map(sdk_output).collect()))
            .status(status)
            .customize()
            .interceptor(answer.clone())
            .interceptor(OurHeaders::new(sensitive_header(outputs).into_iter().collect()))
            .send()
            .await?;
        Ok(answer)
    }

    /// How the target stands, and the deployment that brought or brings it there.
    ///
    /// # Errors
    /// [`ProtonError::NotFound`] and the rest.
    pub async fn standing(&self, target: &Target) -> Result<(DeploymentStatus, Option<String>), ProtonError> {
        let client = self.client();
        let found = match target {
            Target::Environment { name } => {
                let found = client.get_environment().name(name).send().await?.environment;
                found.map(|found| (found.deployment_status, found.last_attempted_deployment_id))
            }
            Target::Component { name } => {
                let found = client.get_component().name(name).send().await?.component;
                found.map(|found| (found.deployment_status, found.last_attempted_deployment_id))
            }
            Target::ServiceInstance { service, name } => {
                let found = client.get_service_instance().service_name(service).name(name).send().await?;
                found.service_instance.map(|found| (found.deployment_status, found.last_attempted_deployment_id))
            }
            Target::ServicePipeline { service } => {
                let found = client.get_service().name(service).send().await?.service.and_then(|found| found.pipeline);
                found.map(|found| (found.deployment_status, found.last_attempted_deployment_id))
            }
        };
        let gone = || ProtonError::NotFound { message: format!("{target} doesn't exist") };
        let (stands, deployment) = found.ok_or_else(gone)?;
        Ok((status(&stands)?, deployment))
    }
}
