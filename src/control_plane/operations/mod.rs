//! What Proton's operations do: one folder a resource, one file a verb, each input → rules → store → output.

pub(crate) mod arn;
pub(crate) mod component;
pub(crate) mod deployment;
pub(crate) mod encryption_key;
pub(crate) mod environment;
pub(crate) mod environment_account_connection;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod listing;
pub(crate) mod repository;
pub(crate) mod service;
pub(crate) mod service_instance;
pub(crate) mod service_pipeline;
pub(crate) mod service_sync;
pub(crate) mod tags;
pub(crate) mod template_sync;
pub(crate) mod templates;

mod account_settings;
mod environment_template;
mod repository_sync;
mod service_template;
mod summary;
mod tag;
#[cfg(test)]
mod tests;

#[cfg_attr(not(test), expect(clippy::wildcard_imports, reason = "the table below names nearly every shape"))]
use hadron_model::*;

pub(crate) use repository::repository_branch;

use super::plane::Plane;
use super::wire::{Call, ProtonError};

/// The routing table: every operation and the function that performs it. One that isn't here would answer
/// UnknownOperationException; a test walks the model to see that none is missing.
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
    create_environment_template(CreateEnvironmentTemplateInput) -> CreateEnvironmentTemplateOutput = environment_template::create;
    get_environment_template(GetEnvironmentTemplateInput) -> GetEnvironmentTemplateOutput = environment_template::get;
    list_environment_templates(ListEnvironmentTemplatesInput) -> ListEnvironmentTemplatesOutput = environment_template::list;
    update_environment_template(UpdateEnvironmentTemplateInput) -> UpdateEnvironmentTemplateOutput = environment_template::update;
    delete_environment_template(DeleteEnvironmentTemplateInput) -> DeleteEnvironmentTemplateOutput = environment_template::delete;
    create_environment_template_version(CreateEnvironmentTemplateVersionInput) -> CreateEnvironmentTemplateVersionOutput = environment_template::create_version;
    get_environment_template_version(GetEnvironmentTemplateVersionInput) -> GetEnvironmentTemplateVersionOutput = environment_template::get_version;
    list_environment_template_versions(ListEnvironmentTemplateVersionsInput) -> ListEnvironmentTemplateVersionsOutput = environment_template::list_versions;
    update_environment_template_version(UpdateEnvironmentTemplateVersionInput) -> UpdateEnvironmentTemplateVersionOutput = environment_template::update_version;
    delete_environment_template_version(DeleteEnvironmentTemplateVersionInput) -> DeleteEnvironmentTemplateVersionOutput = environment_template::delete_version;
    create_service_template(CreateServiceTemplateInput) -> CreateServiceTemplateOutput = service_template::create;
    get_service_template(GetServiceTemplateInput) -> GetServiceTemplateOutput = service_template::get;
    list_service_templates(ListServiceTemplatesInput) -> ListServiceTemplatesOutput = service_template::list;
    update_service_template(UpdateServiceTemplateInput) -> UpdateServiceTemplateOutput = service_template::update;
    delete_service_template(DeleteServiceTemplateInput) -> DeleteServiceTemplateOutput = service_template::delete;
    create_service_template_version(CreateServiceTemplateVersionInput) -> CreateServiceTemplateVersionOutput = service_template::create_version;
    get_service_template_version(GetServiceTemplateVersionInput) -> GetServiceTemplateVersionOutput = service_template::get_version;
    list_service_template_versions(ListServiceTemplateVersionsInput) -> ListServiceTemplateVersionsOutput = service_template::list_versions;
    update_service_template_version(UpdateServiceTemplateVersionInput) -> UpdateServiceTemplateVersionOutput = service_template::update_version;
    delete_service_template_version(DeleteServiceTemplateVersionInput) -> DeleteServiceTemplateVersionOutput = service_template::delete_version;

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

    // account connections
    accept_environment_account_connection(AcceptEnvironmentAccountConnectionInput) -> AcceptEnvironmentAccountConnectionOutput = environment_account_connection::accept;
    create_environment_account_connection(CreateEnvironmentAccountConnectionInput) -> CreateEnvironmentAccountConnectionOutput = environment_account_connection::create;
    delete_environment_account_connection(DeleteEnvironmentAccountConnectionInput) -> DeleteEnvironmentAccountConnectionOutput = environment_account_connection::delete;
    get_environment_account_connection(GetEnvironmentAccountConnectionInput) -> GetEnvironmentAccountConnectionOutput = environment_account_connection::get;
    list_environment_account_connections(ListEnvironmentAccountConnectionsInput) -> ListEnvironmentAccountConnectionsOutput = environment_account_connection::list;
    reject_environment_account_connection(RejectEnvironmentAccountConnectionInput) -> RejectEnvironmentAccountConnectionOutput = environment_account_connection::reject;
    update_environment_account_connection(UpdateEnvironmentAccountConnectionInput) -> UpdateEnvironmentAccountConnectionOutput = environment_account_connection::update;

    // repositories
    create_repository(CreateRepositoryInput) -> CreateRepositoryOutput = repository::create;
    get_repository(GetRepositoryInput) -> GetRepositoryOutput = repository::get;
    list_repositories(ListRepositoriesInput) -> ListRepositoriesOutput = repository::list;
    delete_repository(DeleteRepositoryInput) -> DeleteRepositoryOutput = repository::delete;
    get_repository_sync_status(GetRepositorySyncStatusInput) -> GetRepositorySyncStatusOutput = repository_sync::status;
    list_repository_sync_definitions(ListRepositorySyncDefinitionsInput) -> ListRepositorySyncDefinitionsOutput = repository_sync::definitions;

    // syncing
    create_template_sync_config(CreateTemplateSyncConfigInput) -> CreateTemplateSyncConfigOutput = template_sync::create;
    get_template_sync_config(GetTemplateSyncConfigInput) -> GetTemplateSyncConfigOutput = template_sync::get;
    update_template_sync_config(UpdateTemplateSyncConfigInput) -> UpdateTemplateSyncConfigOutput = template_sync::update;
    delete_template_sync_config(DeleteTemplateSyncConfigInput) -> DeleteTemplateSyncConfigOutput = template_sync::delete;
    get_template_sync_status(GetTemplateSyncStatusInput) -> GetTemplateSyncStatusOutput = template_sync::status;
    create_service_sync_config(CreateServiceSyncConfigInput) -> CreateServiceSyncConfigOutput = service_sync::create;
    get_service_sync_config(GetServiceSyncConfigInput) -> GetServiceSyncConfigOutput = service_sync::get;
    update_service_sync_config(UpdateServiceSyncConfigInput) -> UpdateServiceSyncConfigOutput = service_sync::update;
    delete_service_sync_config(DeleteServiceSyncConfigInput) -> DeleteServiceSyncConfigOutput = service_sync::delete;
    get_service_instance_sync_status(GetServiceInstanceSyncStatusInput) -> GetServiceInstanceSyncStatusOutput = service_sync::status;
    get_service_sync_blocker_summary(GetServiceSyncBlockerSummaryInput) -> GetServiceSyncBlockerSummaryOutput = service_sync::summary;
    update_service_sync_blocker(UpdateServiceSyncBlockerInput) -> UpdateServiceSyncBlockerOutput = service_sync::resolve;

    // tags, account settings, summary
    tag_resource(TagResourceInput) -> TagResourceOutput = tag::set;
    untag_resource(UntagResourceInput) -> UntagResourceOutput = tag::unset;
    list_tags_for_resource(ListTagsForResourceInput) -> ListTagsForResourceOutput = tag::list;
    get_account_settings(GetAccountSettingsInput) -> GetAccountSettingsOutput = account_settings::get;
    update_account_settings(UpdateAccountSettingsInput) -> UpdateAccountSettingsOutput = account_settings::update;
    get_resources_summary(GetResourcesSummaryInput) -> GetResourcesSummaryOutput = summary::get;
}
