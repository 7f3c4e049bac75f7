//! An agent of a test's control plane: each word of it goes through the operations, as over the wire.

use hadron_model::{ListDeploymentsInput, Proton, ResourceDeploymentStatus};
use http::HeaderMap;

use super::{TestPlane, report};
use crate::control_plane::records::Deployment;
use crate::control_plane::wire::ProtonError;

/// The headers of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer(pub(super) HeaderMap);

impl Answer {
    /// A header's text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}

/// An agent that polls, claims and reports through the operations.
#[derive(Debug, Clone)]
pub(crate) struct Agent<'a> {
    pub(super) test: &'a TestPlane,
    pub(super) id: String,
    pub(crate) access_key: String,
}

impl Agent<'_> {
    /// The ids of at most so many deployments that it may claim now.
    pub(crate) async fn poll(&self, limit: i64) -> Vec<String> {
        self.poll_for(limit, "0").await.0
    }

    /// The same, waiting for them, with the headers of the answer.
    pub(crate) async fn poll_for(&self, limit: i64, seconds: &str) -> (Vec<String>, Answer) {
        let headers = [("x-hadron-agent", self.id.as_str()), ("x-hadron-wait", seconds)];
        let mut call = self.test.call_of(&self.access_key, &headers);
        let input = ListDeploymentsInput { max_results: Some(limit), ..ListDeploymentsInput::default() };
        let found = self.test.plane.list_deployments(&mut call, input).await.unwrap();
        assert_eq!(found.next_token, None);
        (found.deployments.into_iter().map(|it| it.id).collect(), Answer(call.answer_headers))
    }

    /// Claims a deployment; the epoch it got.
    pub(crate) async fn claim(&self, deployment: &Deployment) -> Result<i64, ProtonError> {
        Ok(self.claimed(deployment).await?.get("x-hadron-epoch").unwrap().parse().unwrap())
    }

    /// Claims a deployment; all that the answer says.
    pub(crate) async fn claimed(&self, deployment: &Deployment) -> Result<Answer, ProtonError> {
        let input =
            report(&deployment.target_arn, Some(&deployment.id), Some(ResourceDeploymentStatus::InProgress), &[]);
        self.test.notify(&self.access_key, &[("x-hadron-agent", &self.id)], input).await.0
    }

    /// Gives a sign of life; the status it is told.
    pub(crate) async fn heartbeat(&self, deployment: &Deployment, epoch: i64) -> Result<String, ProtonError> {
        let answer = self.report(deployment, epoch, ResourceDeploymentStatus::InProgress, &[]).await?;
        Ok(answer.get("x-hadron-status").unwrap().to_owned())
    }

    /// Asks about a plan; what the answer says.
    pub(crate) async fn ask(
        &self,
        deployment: &Deployment,
        epoch: i64,
        digest: &str,
        summary: &str,
    ) -> Result<Answer, ProtonError> {
        self.ask_and_wait(deployment, epoch, digest, summary, 0).await
    }

    /// The same with an answer that may be held for so many seconds.
    pub(crate) async fn ask_and_wait(
        &self,
        deployment: &Deployment,
        epoch: i64,
        digest: &str,
        summary: &str,
        seconds: u64,
    ) -> Result<Answer, ProtonError> {
        let (epoch, seconds) = (epoch.to_string(), seconds.to_string());
        let headers = [
            ("x-hadron-agent", self.id.as_str()),
            ("x-hadron-epoch", &epoch),
            ("x-hadron-plan", digest),
            ("x-hadron-plan-summary", summary),
            ("x-hadron-wait", &seconds),
        ];
        let status = Some(ResourceDeploymentStatus::InProgress);
        let input = report(&deployment.target_arn, Some(&deployment.id), status, &[]);
        self.test.notify(&self.access_key, &headers, input).await.0
    }

    /// Tells that what was rendered lies where a pipeline finds it.
    pub(crate) async fn published(&self, deployment: &Deployment, epoch: i64) -> Result<Answer, ProtonError> {
        let epoch = epoch.to_string();
        let headers =
            [("x-hadron-agent", self.id.as_str()), ("x-hadron-epoch", &epoch), ("x-hadron-published", "true")];
        let status = Some(ResourceDeploymentStatus::InProgress);
        let input = report(&deployment.target_arn, Some(&deployment.id), status, &[]);
        self.test.notify(&self.access_key, &headers, input).await.0
    }

    /// Reports success.
    pub(crate) async fn succeed(
        &self,
        deployment: &Deployment,
        epoch: i64,
        outputs: &[(&str, &str)],
    ) -> Result<Answer, ProtonError> {
        self.report(deployment, epoch, ResourceDeploymentStatus::Succeeded, outputs).await
    }

    /// Reports failure.
    pub(crate) async fn fail(&self, deployment: &Deployment, epoch: i64) -> Result<Answer, ProtonError> {
        self.report(deployment, epoch, ResourceDeploymentStatus::Failed, &[]).await
    }

    async fn report(
        &self,
        deployment: &Deployment,
        epoch: i64,
        status: ResourceDeploymentStatus,
        outputs: &[(&str, &str)],
    ) -> Result<Answer, ProtonError> {
        let epoch = epoch.to_string();
        let headers = [("x-hadron-agent", self.id.as_str()), ("x-hadron-epoch", &epoch)];
        let input = report(&deployment.target_arn, Some(&deployment.id), Some(status), outputs);
        self.test.notify(&self.access_key, &headers, input).await.0
    }
}
