//! Services, instances and pipelines as the wire shows them.

use hadron_model::{self as model, Timestamp};

use crate::control_plane::records::{ListedInstance, Pipeline, Service, ServiceInstance};
use crate::domain::{Scope, Target};

/// A service with its pipeline.
pub(crate) fn service(scope: &Scope, it: &Service, pipeline: Option<&Pipeline>) -> model::Service {
    model::Service {
        arn: arn(scope, &it.name),
        branch_name: it.branch_name.clone(),
        created_at: Timestamp(it.created_at),
        description: it.description.clone(),
        last_modified_at: Timestamp(it.last_modified_at),
        name: it.name.clone(),
        pipeline: pipeline.map(|pipeline| self::pipeline(scope, pipeline)),
        repository_connection_arn: it.repository_connection_arn.clone(),
        repository_id: it.repository_id.clone(),
        spec: it.spec.clone(),
        status: it.status,
        status_message: it.status_message.clone(),
        template_name: it.template.clone(),
    }
}

/// A service's ARN.
pub(crate) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn(format_args!("service/{name}"))
}

/// A service in a list.
pub(super) fn summary(scope: &Scope, it: &Service) -> model::ServiceSummary {
    model::ServiceSummary {
        arn: arn(scope, &it.name),
        created_at: Timestamp(it.created_at),
        description: it.description.clone(),
        last_modified_at: Timestamp(it.last_modified_at),
        name: it.name.clone(),
        status: it.status,
        status_message: it.status_message.clone(),
        template_name: it.template.clone(),
    }
}

/// A pipeline.
pub(crate) fn pipeline(scope: &Scope, it: &Pipeline) -> model::ServicePipeline {
    let progress = &it.progress;
    model::ServicePipeline {
        arn: Target::ServicePipeline { service: it.service.clone() }.arn(scope),
        created_at: Timestamp(it.created_at),
        deployment_status: progress.status,
        deployment_status_message: progress.message.clone(),
        last_attempted_deployment_id: progress.last_attempted_deployment_id.clone(),
        last_deployment_attempted_at: Timestamp(progress.last_attempted_at),
        last_deployment_succeeded_at: progress.last_succeeded_at.map(Timestamp),
        last_succeeded_deployment_id: progress.last_succeeded_deployment_id.clone(),
        spec: Some(it.spec.clone()),
        template_major_version: it.template.version.major.to_string(),
        template_minor_version: it.template.version.minor.to_string(),
        template_name: it.template.template.clone(),
    }
}

/// An instance.
pub(crate) fn instance(scope: &Scope, it: &ServiceInstance) -> model::ServiceInstance {
    let progress = &it.progress;
    model::ServiceInstance {
        arn: Target::ServiceInstance { service: it.service.clone(), name: it.name.clone() }.arn(scope),
        created_at: Timestamp(it.created_at),
        deployment_status: progress.status,
        deployment_status_message: progress.message.clone(),
        environment_name: it.environment.clone(),
        last_attempted_deployment_id: progress.last_attempted_deployment_id.clone(),
        last_client_request_token: it.last_client_request_token.clone(),
        last_deployment_attempted_at: Timestamp(progress.last_attempted_at),
        last_deployment_succeeded_at: progress.last_succeeded_at.map(Timestamp),
        last_succeeded_deployment_id: progress.last_succeeded_deployment_id.clone(),
        name: it.name.clone(),
        service_name: it.service.clone(),
        spec: Some(it.spec.clone()),
        template_major_version: it.template.version.major.to_string(),
        template_minor_version: it.template.version.minor.to_string(),
        template_name: it.template.template.clone(),
    }
}

/// An instance in a list: everything but its spec and its token.
pub(crate) fn instance_summary(scope: &Scope, it: ListedInstance) -> model::ServiceInstanceSummary {
    let progress = it.progress;
    model::ServiceInstanceSummary {
        arn: Target::ServiceInstance { service: it.service.clone(), name: it.name.clone() }.arn(scope),
        created_at: Timestamp(it.created_at),
        deployment_status: progress.status,
        deployment_status_message: progress.message,
        environment_name: it.environment,
        last_attempted_deployment_id: progress.last_attempted_deployment_id,
        last_deployment_attempted_at: Timestamp(progress.last_attempted_at),
        last_deployment_succeeded_at: progress.last_succeeded_at.map(Timestamp),
        last_succeeded_deployment_id: progress.last_succeeded_deployment_id,
        name: it.name,
        service_name: it.service,
        template_major_version: it.template.version.major.to_string(),
        template_minor_version: it.template.version.minor.to_string(),
        template_name: it.template.template,
    }
}
