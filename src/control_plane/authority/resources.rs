//! What each operation is authorised on: how its resource is found in the input, as AWS documents it.
//!
//! Account settings, summaries, most lists, and whatever is about a sync have no resource of their own and are
//! authorised on `*`; what a pipeline does on its service, what a template version does on its template.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsproton.html>

use std::collections::BTreeMap;

use hadron_model::{Action, Operation, hadron};
use serde_json::Value;

/// A resource type, as policies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// What has no resource of its own: `*`.
    Account,
    EnvironmentTemplate,
    ServiceTemplate,
    Environment,
    Service,
    ServiceInstance,
    Component,
    Deployment,
    EnvironmentAccountConnection,
    Repository,
    AccessKey,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::Account,
        Self::EnvironmentTemplate,
        Self::ServiceTemplate,
        Self::Environment,
        Self::Service,
        Self::ServiceInstance,
        Self::Component,
        Self::Deployment,
        Self::EnvironmentAccountConnection,
        Self::Repository,
        Self::AccessKey,
    ];

    /// Its name in policies.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Account => "Proton::Account",
            Self::EnvironmentTemplate => "Proton::EnvironmentTemplate",
            Self::ServiceTemplate => "Proton::ServiceTemplate",
            Self::Environment => "Proton::Environment",
            Self::Service => "Proton::Service",
            Self::ServiceInstance => "Proton::ServiceInstance",
            Self::Component => "Proton::Component",
            Self::Deployment => "Proton::Deployment",
            Self::EnvironmentAccountConnection => "Proton::EnvironmentAccountConnection",
            Self::Repository => "Proton::Repository",
            Self::AccessKey => "Hadron::AccessKey",
        }
    }

    /// What it can lie in.
    pub(super) const fn parents(self) -> &'static [Self] {
        match self {
            Self::ServiceInstance | Self::Component | Self::Deployment => &[Self::Environment, Self::Service],
            _ => &[],
        }
    }
}

/// How an operation names its resource: the members of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// Nothing in particular.
    Account,
    /// A resource whose ARN is the kind and its name.
    Named(Kind, &'static str),
    /// A service instance: the members of its service and its name.
    Instance(&'static str, &'static str),
    /// A component, and the service that it is to be attached to.
    Component(&'static str),
    /// A repository: `provider` and `name`.
    Repository,
    /// What a deployment deploys, by its ARN; perhaps with `deploymentId`.
    Target(&'static str),
    /// Anything, by its ARN.
    Arn(&'static str),
}

impl On {
    /// The resource types it can lead to; an ARN that can't be read leads to the account.
    pub(super) fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Account => vec![Kind::Account],
            Self::Named(kind, _) => vec![kind],
            Self::Instance(..) => vec![Kind::ServiceInstance],
            Self::Component(_) => vec![Kind::Component, Kind::Service],
            Self::Repository => vec![Kind::Repository],
            Self::Target(_) => {
                vec![Kind::Environment, Kind::Service, Kind::ServiceInstance, Kind::Component, Kind::Account]
            }
            Self::Arn(_) => Kind::ALL.into_iter().filter(|kind| *kind != Kind::AccessKey).collect(),
        }
    }

    /// The members it reads.
    #[cfg(test)]
    pub(super) fn members(self) -> Vec<&'static str> {
        match self {
            Self::Account => vec![],
            Self::Named(_, one) | Self::Component(one) | Self::Target(one) | Self::Arn(one) => vec![one],
            Self::Instance(service, name) => vec![service, name],
            Self::Repository => vec!["name", "provider"],
        }
    }
}

/// The table: every operation of both APIs.
pub(super) const fn on(action: Action) -> On {
    match action {
        Action::Proton(operation) => of_proton(operation),
        Action::Hadron(operation) => of_hadron(operation),
    }
}

const fn of_proton(operation: Operation) -> On {
    use Kind as K;
    use On::{Account, Arn, Component, Instance, Named, Repository, Target};
    use Operation as O;
    match operation {
        O::GetAccountSettings
        | O::UpdateAccountSettings
        | O::GetResourcesSummary
        | O::ListComponents
        | O::ListDeployments
        | O::ListEnvironmentAccountConnections
        | O::ListEnvironmentTemplates
        | O::ListEnvironments
        | O::ListRepositories
        | O::ListRepositorySyncDefinitions
        | O::ListServiceInstances
        | O::ListServiceTemplates
        | O::ListServices
        | O::CreateEnvironmentAccountConnection
        | O::CreateServiceSyncConfig
        | O::GetServiceSyncConfig
        | O::UpdateServiceSyncConfig
        | O::DeleteServiceSyncConfig
        | O::CreateTemplateSyncConfig
        | O::GetTemplateSyncConfig
        | O::UpdateTemplateSyncConfig
        | O::DeleteTemplateSyncConfig
        | O::GetRepositorySyncStatus
        | O::GetServiceInstanceSyncStatus
        | O::GetTemplateSyncStatus
        | O::GetServiceSyncBlockerSummary
        | O::UpdateServiceSyncBlocker => Account,

        O::CreateEnvironmentTemplate
        | O::GetEnvironmentTemplate
        | O::UpdateEnvironmentTemplate
        | O::DeleteEnvironmentTemplate => Named(K::EnvironmentTemplate, "name"),
        O::CreateEnvironmentTemplateVersion
        | O::GetEnvironmentTemplateVersion
        | O::ListEnvironmentTemplateVersions
        | O::UpdateEnvironmentTemplateVersion
        | O::DeleteEnvironmentTemplateVersion => Named(K::EnvironmentTemplate, "templateName"),
        O::CreateServiceTemplate | O::GetServiceTemplate | O::UpdateServiceTemplate | O::DeleteServiceTemplate => {
            Named(K::ServiceTemplate, "name")
        }
        O::CreateServiceTemplateVersion
        | O::GetServiceTemplateVersion
        | O::ListServiceTemplateVersions
        | O::UpdateServiceTemplateVersion
        | O::DeleteServiceTemplateVersion => Named(K::ServiceTemplate, "templateName"),

        O::CreateEnvironment | O::GetEnvironment | O::UpdateEnvironment | O::DeleteEnvironment => {
            Named(K::Environment, "name")
        }
        O::CancelEnvironmentDeployment | O::ListEnvironmentOutputs | O::ListEnvironmentProvisionedResources => {
            Named(K::Environment, "environmentName")
        }

        O::CreateService | O::GetService | O::UpdateService | O::DeleteService => Named(K::Service, "name"),
        O::UpdateServicePipeline
        | O::CancelServicePipelineDeployment
        | O::ListServicePipelineOutputs
        | O::ListServicePipelineProvisionedResources => Named(K::Service, "serviceName"),
        O::CreateServiceInstance | O::GetServiceInstance | O::UpdateServiceInstance => Instance("serviceName", "name"),
        O::CancelServiceInstanceDeployment
        | O::ListServiceInstanceOutputs
        | O::ListServiceInstanceProvisionedResources => Instance("serviceName", "serviceInstanceName"),

        O::CreateComponent | O::GetComponent | O::UpdateComponent | O::DeleteComponent => Component("name"),
        O::CancelComponentDeployment | O::ListComponentOutputs | O::ListComponentProvisionedResources => {
            Component("componentName")
        }

        O::GetDeployment | O::DeleteDeployment => Named(K::Deployment, "id"),
        O::NotifyResourceDeploymentStatusChange => Target("resourceArn"),

        O::AcceptEnvironmentAccountConnection
        | O::RejectEnvironmentAccountConnection
        | O::GetEnvironmentAccountConnection
        | O::UpdateEnvironmentAccountConnection
        | O::DeleteEnvironmentAccountConnection => Named(K::EnvironmentAccountConnection, "id"),
        O::CreateRepository | O::GetRepository | O::DeleteRepository => Repository,

        O::TagResource | O::UntagResource | O::ListTagsForResource => Arn("resourceArn"),
    }
}

const fn of_hadron(operation: hadron::Operation) -> On {
    use On::{Account, Named, Target};
    use hadron::Operation as O;
    match operation {
        O::CreateKey
        | O::ListKeys
        | O::ListRuns
        | O::ListStates
        | O::ListAuditEntries
        | O::VerifyAudit
        | O::ListDeadLetters
        | O::ReplayDeadLetters
        | O::ReportStale
        | O::SendStaleReport
        | O::RotateDataKey
        | O::ImportEstate
        | O::ListQuarantined => Account,
        O::RevokeKey | O::RotateKey => Named(Kind::AccessKey, "id"),
        O::DescribeRun | O::ApproveRun | O::RejectRun => Named(Kind::Deployment, "deploymentId"),
        O::DescribeState
        | O::GetStateVersion
        | O::ListStateVersions
        | O::PushState
        | O::ReleaseLock
        | O::BlockState
        | O::UnblockState
        | O::AdoptResources
        | O::RecordAdoptionPlan
        | O::AdoptTarget => Target("targetArn"),
        O::SetExecutor => Named(Kind::Environment, "environmentName"),
    }
}

/// A text member of an input, unless it is absent or empty.
pub(super) fn text<'i>(input: &'i Value, member: &str) -> Option<&'i str> {
    input.get(member)?.as_str().filter(|text| !text.is_empty())
}

/// The tags that a request sets: `aws:RequestTag`.
pub(super) fn requested_tags(input: &Value) -> BTreeMap<String, String> {
    let tags = input.get("tags").and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| Some((tag.get("key")?.as_str()?.to_owned(), tag.get("value")?.as_str()?.to_owned())))
        .collect()
}

/// The keys of tags that a request sets or removes: `aws:TagKeys`.
pub(super) fn tag_keys(input: &Value) -> Vec<String> {
    let removed = input.get("tagKeys").and_then(Value::as_array).into_iter().flatten();
    let removed = removed.filter_map(Value::as_str).map(str::to_owned);
    requested_tags(input).into_keys().chain(removed).collect()
}

/// The ARN that stands in a refusal before anything is looked up: that of the resource, whether it is there or not.
pub(super) fn arn_suffix(on: On, input: &Value) -> Option<String> {
    let of = |member| text(input, member).unwrap_or_default();
    Some(match on {
        On::Account | On::Target(_) | On::Arn(_) => return None,
        On::Named(kind, member) => format!("{}/{}", folder(kind), of(member)),
        On::Instance(service, name) => format!("service/{}/service-instance/{}", of(service), of(name)),
        On::Component(member) => format!("component/{}", of(member)),
        On::Repository => format!("repository/{}:{}", of("provider").to_lowercase(), of("name")),
    })
}

/// The first part of a kind's resource in ARNs.
pub(super) const fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Account => "*",
        Kind::EnvironmentTemplate => "environment-template",
        Kind::ServiceTemplate => "service-template",
        Kind::Environment => "environment",
        Kind::Service | Kind::ServiceInstance => "service",
        Kind::Component => "component",
        Kind::Deployment => "deployment",
        Kind::EnvironmentAccountConnection => "environment-account-connection",
        Kind::Repository => "repository",
        Kind::AccessKey => "access-key",
    }
}
