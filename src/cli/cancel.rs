//! `hadron cancel`: calls off what is being deployed.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::remote::{self, Remote};
use super::target::Named;
use super::{Exit, Failure, Form, print};
use crate::domain::Target;
use crate::proton::ProtonError;
use crate::settings::Resolved;

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// An ARN, environment/NAME, service/SERVICE/instance/NAME, service/SERVICE/pipeline or component/NAME
    target: Named,
}

/// Asks for the end of a target's deployment, and prints how it stands then: CANCELLING until its agent has stopped.
pub(super) async fn run(settings: &Resolved, args: CancelArgs, form: Form) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    if let Some(scope) = &args.target.scope {
        let own = remote.hadron.scope().await.map_err(remote::refused)?;
        if own != *scope {
            let words = anyhow!("{} is of another account or region than this server's", args.target.target);
            return Err(Failure::new(Exit::Usage, words).hint(format!("here it is {}", args.target.target.arn(&own))));
        }
    }
    let target = args.target.target;
    let (status, message) = cancel(&remote, &target).await.map_err(remote::failure)?;
    match form {
        Form::Json => print::json(&json!({
            "target": target.resource(), "deploymentStatus": status, "deploymentStatusMessage": message,
        }))?,
        Form::Text => print::text(&format!("{target} is {status}\n"))?,
    }
    Ok(Exit::Done)
}

/// The target's status and message afterwards.
async fn cancel(remote: &Remote, target: &Target) -> Result<(String, Option<String>), ProtonError> {
    let proton = remote.proton.client();
    let gone = || ("CANCELLED".to_owned(), None);
    Ok(match target {
        Target::Environment { name } => {
            let answer = proton.cancel_environment_deployment().environment_name(name).send().await?;
            answer.environment.map_or_else(gone, |it| (it.deployment_status.to_string(), it.deployment_status_message))
        }
        Target::ServiceInstance { service, name } => {
            let cancel = proton.cancel_service_instance_deployment().service_name(service).service_instance_name(name);
            let instance = cancel.send().await?.service_instance;
            instance.map_or_else(gone, |it| (it.deployment_status.to_string(), it.deployment_status_message))
        }
        Target::ServicePipeline { service } => {
            let pipeline = proton.cancel_service_pipeline_deployment().service_name(service).send().await?.pipeline;
            pipeline.map_or_else(gone, |it| (it.deployment_status.to_string(), it.deployment_status_message))
        }
        Target::Component { name } => {
            let component = proton.cancel_component_deployment().component_name(name).send().await?.component;
            component.map_or_else(gone, |it| (it.deployment_status.to_string(), it.deployment_status_message))
        }
    })
}
