//! Everything in the record that Terraform has a state for, and the deployment that made it what it is.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use anyhow::anyhow;

use crate::cli::remote::{self, Remote};
use crate::cli::{Exit, Failure};
use crate::domain::{Scope, Target};
use crate::proton::ProtonError;

/// A target.
#[derive(Debug, Clone)]
pub(super) struct Ejected {
    pub(super) target: Target,
    pub(super) arn: String,
    /// Empty for pipelines.
    pub(super) environment: String,
    /// The last deployment that succeeded, or the last one where none did.
    pub(super) deployment: String,
    pub(super) status: String,
}

/// Environments, instances, pipelines, components, each in the order of its name.
pub(super) async fn all(remote: &Remote) -> Result<Vec<Ejected>, Failure> {
    let scope = remote.hadron.scope().await.map_err(remote::refused)?;
    let mut all = listed(remote, &scope).await.map_err(remote::failure)?;
    all.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(all)
}

async fn listed(remote: &Remote, scope: &Scope) -> Result<Vec<Ejected>, ProtonError> {
    let proton = remote.proton.client();
    let mut all = Vec::new();
    let mut add =
        |target: Target, environment: String, succeeded: Option<String>, attempted: Option<String>, status| {
            // Without a deployment there is nothing of it: customer-managed environments, for one.
            if let Some(deployment) = succeeded.or(attempted) {
                all.push(Ejected { arn: target.arn(scope), target, environment, deployment, status });
            }
        };
    let mut environments = proton.list_environments().into_paginator().items().send();
    while let Some(it) = environments.next().await {
        let it = it?;
        let (name, status) = (it.name, it.deployment_status.to_string());
        let target = Target::Environment { name: name.clone() };
        add(target, name, it.last_succeeded_deployment_id, it.last_attempted_deployment_id, status);
    }
    let mut instances = proton.list_service_instances().into_paginator().items().send();
    while let Some(it) = instances.next().await {
        let it = it?;
        let target = Target::ServiceInstance { service: it.service_name, name: it.name };
        let status = it.deployment_status.to_string();
        add(target, it.environment_name, it.last_succeeded_deployment_id, it.last_attempted_deployment_id, status);
    }
    let mut services = proton.list_services().into_paginator().items().send();
    while let Some(it) = services.next().await {
        let found = proton.get_service().name(it?.name).send().await?;
        let Some((service, pipeline)) = found.service.and_then(|it| Some((it.name, it.pipeline?))) else { continue };
        let status = pipeline.deployment_status.to_string();
        let (succeeded, attempted) = (pipeline.last_succeeded_deployment_id, pipeline.last_attempted_deployment_id);
        add(Target::ServicePipeline { service }, String::new(), succeeded, attempted, status);
    }
    let mut components = proton.list_components().into_paginator().items().send();
    while let Some(it) = components.next().await {
        let it = it?;
        let (target, status) = (Target::Component { name: it.name }, it.deployment_status.to_string());
        add(target, it.environment_name, it.last_succeeded_deployment_id, it.last_attempted_deployment_id, status);
    }
    Ok(all)
}

/// Refuses while anything is being deployed: its state is about to change.
pub(super) fn must_be_at_rest(all: &[Ejected]) -> Result<(), Failure> {
    let moving = |it: &&Ejected| matches!(&*it.status, "IN_PROGRESS" | "DELETE_IN_PROGRESS" | "CANCELLING");
    let moving: Vec<String> = all.iter().filter(moving).map(|it| it.target.resource()).collect();
    if moving.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Unexpected, anyhow!("being deployed: {}", moving.join(", ")))
        .hint("wait until `hadron status` shows them at rest, or cancel them"))
}
