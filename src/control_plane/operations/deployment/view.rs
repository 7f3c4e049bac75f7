//! A deployment in Proton's words.

use hadron_model as model;
use hadron_model::Timestamp;

use crate::control_plane::records::{Action, Deployment, ListedDeployment, TargetState, VersionRef};
use crate::domain::{Scope, Target};

/// The names of a deployment's target: component, service, instance.
type Names = (Option<String>, Option<String>, Option<String>);

fn names(target: Target) -> Names {
    match target {
        Target::Environment { .. } => (None, None, None),
        Target::Component { name } => (Some(name), None, None),
        Target::ServiceInstance { service, name } => (None, Some(service), Some(name)),
        Target::ServicePipeline { service } => (None, Some(service), None),
    }
}

/// What a list shows of a deployment.
pub(super) fn summary(scope: &Scope, it: ListedDeployment) -> model::DeploymentSummary {
    let target_resource_type = it.target.resource_type();
    let (component_name, service_name, service_instance_name) = names(it.target);
    model::DeploymentSummary {
        arn: scope.arn(format_args!("deployment/{}", it.id)),
        completed_at: it.completed_at.map(Timestamp),
        component_name,
        created_at: Timestamp(it.created_at),
        deployment_status: it.status,
        environment_name: it.environment,
        id: it.id,
        last_attempted_deployment_id: it.last_attempted_deployment_id,
        last_modified_at: Timestamp(it.last_modified_at),
        last_succeeded_deployment_id: it.last_succeeded_deployment_id,
        service_instance_name,
        service_name,
        target_arn: it.target_arn,
        target_resource_created_at: Timestamp(it.target_created_at),
        target_resource_type,
    }
}

/// The whole deployment. A deletion leads to nothing, so it shows only what it starts from.
pub(super) fn full(scope: &Scope, it: &Deployment) -> model::Deployment {
    let shown = summary(scope, it.into());
    let target_state = (it.action != Action::Delete).then_some(&it.target_state);
    model::Deployment {
        arn: shown.arn,
        completed_at: shown.completed_at,
        component_name: shown.component_name,
        created_at: shown.created_at,
        deployment_status: shown.deployment_status,
        deployment_status_message: it.message.clone(),
        environment_name: shown.environment_name,
        id: shown.id,
        initial_state: it.initial_state.as_ref().map(|at| state(&it.target, at)),
        last_attempted_deployment_id: shown.last_attempted_deployment_id,
        last_modified_at: shown.last_modified_at,
        last_succeeded_deployment_id: shown.last_succeeded_deployment_id,
        service_instance_name: shown.service_instance_name,
        service_name: shown.service_name,
        target_arn: shown.target_arn,
        target_resource_created_at: shown.target_resource_created_at,
        target_resource_type: shown.target_resource_type,
        target_state: target_state.map(|at| state(&it.target, at)),
    }
}

fn state(target: &Target, at: &TargetState) -> model::DeploymentState {
    let (template_name, template_major_version, template_minor_version) = version(at.template.as_ref());
    let spec = at.spec.clone();
    match target {
        Target::Environment { .. } => model::DeploymentState::Environment(model::EnvironmentState {
            spec,
            template_major_version,
            template_minor_version,
            template_name,
        }),
        Target::ServicePipeline { .. } => model::DeploymentState::ServicePipeline(model::ServicePipelineState {
            spec,
            template_major_version,
            template_minor_version,
            template_name,
        }),
        Target::ServiceInstance { .. } => model::DeploymentState::ServiceInstance(model::ServiceInstanceState {
            last_successful_component_deployment_ids: Some(at.component_deployment_ids.clone())
                .filter(|ids| !ids.is_empty()),
            last_successful_environment_deployment_id: at.environment_deployment_id.clone(),
            last_successful_service_pipeline_deployment_id: at.pipeline_deployment_id.clone(),
            spec: spec.unwrap_or_default(),
            template_major_version,
            template_minor_version,
            template_name,
        }),
        Target::Component { .. } => {
            let (service_name, service_instance_name) = at.attached_to.clone().unzip();
            model::DeploymentState::Component(model::ComponentState {
                service_instance_name,
                service_name,
                service_spec: spec,
                template_file: at.template_file.clone(),
            })
        }
    }
}

fn version(template: Option<&VersionRef>) -> (String, String, String) {
    let part = |of: fn(&VersionRef) -> String| template.map(of).unwrap_or_default();
    (part(|it| it.template.clone()), part(|it| it.version.major.to_string()), part(|it| it.version.minor.to_string()))
}
