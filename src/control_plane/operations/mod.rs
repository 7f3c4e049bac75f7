//! What Proton's operations do: one folder a resource, one file a verb, each input → rules → store → output.

pub(crate) mod arn;
pub(crate) mod component;
pub(crate) mod deployment;
pub(crate) mod environment;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod listing;
pub(crate) mod service;
pub(crate) mod service_instance;
pub(crate) mod service_pipeline;
pub(crate) mod tags;
pub(crate) mod templates;

use hadron_model::*;

use super::plane::Plane;
use super::wire::{Call, ProtonError};

/// The routing table: every operation and the function that performs it. An operation that isn't here answers
/// UnknownOperationException.
macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = $($path:ident)::+;)*) => {
        impl Proton for Plane {
            type Call = Call;
            type Error = ProtonError;
            $(async fn $name(&self, call: &mut Call, input: $input) -> Result<$output, ProtonError> {
                $($path)::+(self, call, input).await
            })*
        }
    };
}

operations! {
    // templates

    // environments
    create_environment(CreateEnvironmentInput) -> CreateEnvironmentOutput = environment::create_environment;
    get_environment(GetEnvironmentInput) -> GetEnvironmentOutput = environment::get_environment;
    list_environments(ListEnvironmentsInput) -> ListEnvironmentsOutput = environment::list_environments;
    update_environment(UpdateEnvironmentInput) -> UpdateEnvironmentOutput = environment::update_environment;
    cancel_environment_deployment(CancelEnvironmentDeploymentInput) -> CancelEnvironmentDeploymentOutput = environment::cancel_environment_deployment;
    delete_environment(DeleteEnvironmentInput) -> DeleteEnvironmentOutput = environment::delete_environment;
    list_environment_outputs(ListEnvironmentOutputsInput) -> ListEnvironmentOutputsOutput = environment::list_environment_outputs;
    list_environment_provisioned_resources(ListEnvironmentProvisionedResourcesInput) -> ListEnvironmentProvisionedResourcesOutput = environment::list_environment_provisioned_resources;

    // services
    create_service(CreateServiceInput) -> CreateServiceOutput = service::create_service;
    get_service(GetServiceInput) -> GetServiceOutput = service::get_service;
    list_services(ListServicesInput) -> ListServicesOutput = service::list_services;
    update_service(UpdateServiceInput) -> UpdateServiceOutput = service::update_service;
    delete_service(DeleteServiceInput) -> DeleteServiceOutput = service::delete_service;
    create_service_instance(CreateServiceInstanceInput) -> CreateServiceInstanceOutput = service_instance::create_service_instance;
    get_service_instance(GetServiceInstanceInput) -> GetServiceInstanceOutput = service_instance::get_service_instance;
    list_service_instances(ListServiceInstancesInput) -> ListServiceInstancesOutput = service_instance::list_service_instances;
    update_service_instance(UpdateServiceInstanceInput) -> UpdateServiceInstanceOutput = service_instance::update_service_instance;
    cancel_service_instance_deployment(CancelServiceInstanceDeploymentInput) -> CancelServiceInstanceDeploymentOutput = service_instance::cancel_service_instance_deployment;
    list_service_instance_outputs(ListServiceInstanceOutputsInput) -> ListServiceInstanceOutputsOutput = service_instance::list_service_instance_outputs;
    list_service_instance_provisioned_resources(ListServiceInstanceProvisionedResourcesInput) -> ListServiceInstanceProvisionedResourcesOutput = service_instance::list_service_instance_provisioned_resources;
    update_service_pipeline(UpdateServicePipelineInput) -> UpdateServicePipelineOutput = service_pipeline::update_service_pipeline;
    cancel_service_pipeline_deployment(CancelServicePipelineDeploymentInput) -> CancelServicePipelineDeploymentOutput = service_pipeline::cancel_service_pipeline_deployment;
    list_service_pipeline_outputs(ListServicePipelineOutputsInput) -> ListServicePipelineOutputsOutput = service_pipeline::list_service_pipeline_outputs;
    list_service_pipeline_provisioned_resources(ListServicePipelineProvisionedResourcesInput) -> ListServicePipelineProvisionedResourcesOutput = service_pipeline::list_service_pipeline_provisioned_resources;

    // components

    // deployments
    get_deployment(GetDeploymentInput) -> GetDeploymentOutput = deployment::get_deployment;
    list_deployments(ListDeploymentsInput) -> ListDeploymentsOutput = deployment::list_deployments;
    delete_deployment(DeleteDeploymentInput) -> DeleteDeploymentOutput = deployment::delete_deployment;
    notify_resource_deployment_status_change(NotifyResourceDeploymentStatusChangeInput) -> NotifyResourceDeploymentStatusChangeOutput = deployment::notify_resource_deployment_status_change;

    // tags, account settings, summary
}
