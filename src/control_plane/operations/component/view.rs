//! A component in Proton's words.

use hadron_model as model;
use hadron_model::Timestamp;

use crate::control_plane::records::Component;
use crate::domain::Scope;

/// The whole component; its template file is only in its deployments.
pub(super) fn full(scope: &Scope, it: &Component) -> model::Component {
    let shown = summary(scope, it);
    model::Component {
        arn: shown.arn,
        created_at: shown.created_at,
        deployment_status: shown.deployment_status,
        deployment_status_message: shown.deployment_status_message,
        description: it.description.clone(),
        environment_name: shown.environment_name,
        last_attempted_deployment_id: shown.last_attempted_deployment_id,
        last_client_request_token: it.last_client_request_token.clone(),
        last_deployment_attempted_at: shown.last_deployment_attempted_at,
        last_deployment_succeeded_at: shown.last_deployment_succeeded_at,
        last_modified_at: shown.last_modified_at,
        last_succeeded_deployment_id: shown.last_succeeded_deployment_id,
        name: shown.name,
        service_instance_name: shown.service_instance_name,
        service_name: shown.service_name,
        service_spec: it.service_spec.clone(),
    }
}

/// What a list shows of a component.
pub(super) fn summary(scope: &Scope, it: &Component) -> model::ComponentSummary {
    let progress = &it.progress;
    let (service_name, service_instance_name) = it.attached_to.clone().unzip();
    model::ComponentSummary {
        arn: scope.arn(format_args!("component/{}", it.name)),
        created_at: Timestamp(it.created_at),
        deployment_status: progress.status,
        deployment_status_message: progress.message.clone(),
        environment_name: it.environment.clone(),
        last_attempted_deployment_id: progress.last_attempted_deployment_id.clone(),
        last_deployment_attempted_at: Some(Timestamp(progress.last_attempted_at)),
        last_deployment_succeeded_at: progress.last_succeeded_at.map(Timestamp),
        last_modified_at: Timestamp(it.last_modified_at),
        last_succeeded_deployment_id: progress.last_succeeded_deployment_id.clone(),
        name: it.name.clone(),
        service_instance_name,
        service_name,
    }
}
