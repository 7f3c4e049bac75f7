//! What waits to be done.

use std::time::Duration;

use hadron_model::DeploymentStatus;

use super::deployment::status;
use super::headers::{AnswerHeaders, OurHeaders};
use super::sdk::types::DeploymentSummary;
use super::{Proton, ProtonError};
use crate::domain::{Scope, Target};

/// A deployment that nobody has finished yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Pending {
    pub id: String,
    pub arn: String,
    pub target_arn: String,
    pub scope: Scope,
    pub target: Target,
    /// Empty for pipelines.
    pub environment: String,
    pub status: DeploymentStatus,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// Hadron chose: only what this agent may claim now, in the order to claim it.
    Offered {
        /// As many as were asked for, at most.
        pending: Vec<Pending>,
        /// How many there are, those included.
        claimable: usize,
    },
    /// A stock endpoint ignored our headers: everything that is in progress, oldest first, whoever works on it.
    Everything(Vec<Pending>),
}

impl Proton {
    /// Asks for at most `limit` deployments that `agent` may claim; an endpoint that understands holds the answer for
    /// up to `wait` until there is one.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn poll(&self, agent: &str, wait: Duration, limit: usize) -> Result<Poll, ProtonError> {
        let headers = AnswerHeaders::default();
        let (agent, wait) = (agent.to_owned(), wait.as_secs().to_string());
        let request = self.client().list_deployments().max_results(i32::try_from(limit.clamp(1, 100)).unwrap_or(100));
        let answer = request
            .customize()
            .interceptor(headers.clone())
            .interceptor(OurHeaders::new(vec![("x-hadron-agent", agent), ("x-hadron-wait", wait)]))
            .send()
            .await?;
        let Some(claimable) = headers.get("x-hadron-claimable") else {
            return self.everything_pending().await.map(Poll::Everything);
        };
        let pending: Vec<_> = answer.deployments.iter().map(pending).collect::<Result<_, _>>()?;
        Ok(Poll::Offered { claimable: claimable.parse().unwrap_or(pending.len()), pending })
    }

    /// Pages through all deployments, since the stock API knows no filter for those in progress.
    async fn everything_pending(&self) -> Result<Vec<Pending>, ProtonError> {
        let mut pages = self.client().list_deployments().max_results(100).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for summary in page?.deployments {
                found.push(pending(&summary)?);
            }
        }
        found.retain(|p| matches!(p.status, DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress));
        found.sort_by_key(|pending| pending.created_at);
        Ok(found)
    }
}

fn pending(summary: &DeploymentSummary) -> Result<Pending, ProtonError> {
    let (scope, target) =
        Target::parse(&summary.target_arn).map_err(|error| ProtonError::nonsense(error.to_string()))?;
    Ok(Pending {
        id: summary.id.clone(),
        arn: summary.arn.clone(),
        target_arn: summary.target_arn.clone(),
        scope,
        target,
        environment: summary.environment_name.clone(),
        status: status(&summary.deployment_status)?,
        created_at: summary.created_at.to_millis().unwrap_or_default(),
    })
}
