//! What Proton's operations do: one folder a resource, one file a verb, each input → rules → store → output.

pub(crate) mod arn;
pub(crate) mod component;
pub(crate) mod deployment;
pub(crate) mod environment;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod listing;
pub(crate) mod service;
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

    // components
    create_component(CreateComponentInput) -> CreateComponentOutput = component::create_component;
    get_component(GetComponentInput) -> GetComponentOutput = component::get_component;
    list_components(ListComponentsInput) -> ListComponentsOutput = component::list_components;
    update_component(UpdateComponentInput) -> UpdateComponentOutput = component::update_component;
    cancel_component_deployment(CancelComponentDeploymentInput) -> CancelComponentDeploymentOutput = component::cancel_component_deployment;
    delete_component(DeleteComponentInput) -> DeleteComponentOutput = component::delete_component;
    list_component_outputs(ListComponentOutputsInput) -> ListComponentOutputsOutput = component::list_component_outputs;
    list_component_provisioned_resources(ListComponentProvisionedResourcesInput) -> ListComponentProvisionedResourcesOutput = component::list_component_provisioned_resources;

    // deployments
    get_deployment(GetDeploymentInput) -> GetDeploymentOutput = deployment::get_deployment;
    list_deployments(ListDeploymentsInput) -> ListDeploymentsOutput = deployment::list_deployments;
    delete_deployment(DeleteDeploymentInput) -> DeleteDeploymentOutput = deployment::delete_deployment;
    notify_resource_deployment_status_change(NotifyResourceDeploymentStatusChangeInput) -> NotifyResourceDeploymentStatusChangeOutput = deployment::notify_resource_deployment_status_change;

    // tags, account settings, summary
}
