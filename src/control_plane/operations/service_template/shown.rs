//! Service templates and versions in the model's shapes.

use hadron_model::{
    CompatibleEnvironmentTemplate, Provisioning, ServiceTemplate, ServiceTemplateSummary, ServiceTemplateVersion,
    ServiceTemplateVersionSummary, Timestamp,
};

use crate::control_plane::operations::templates::version::Shown;
use crate::control_plane::records::{CompatibleTemplate, Template};
use crate::control_plane::store::Document;
use crate::domain::Scope;

pub(super) fn shown(scope: &Scope, template: Template) -> ServiceTemplate {
    ServiceTemplate {
        arn: scope.arn(template.key()),
        created_at: Timestamp(template.created_at),
        description: template.description,
        display_name: template.display_name,
        encryption_key: template.encryption_key,
        last_modified_at: Timestamp(template.last_modified_at),
        pipeline_provisioning: template.customer_managed.then_some(Provisioning::CustomerManaged),
        recommended_version: template.recommended.map(|version| version.to_string()),
        name: template.name,
    }
}

pub(super) fn summary(scope: &Scope, template: Template) -> ServiceTemplateSummary {
    let ServiceTemplate {
        arn,
        created_at,
        description,
        display_name,
        last_modified_at,
        name,
        pipeline_provisioning,
        recommended_version,
        encryption_key: _,
    } = shown(scope, template);
    ServiceTemplateSummary {
        arn,
        created_at,
        description,
        display_name,
        last_modified_at,
        name,
        pipeline_provisioning,
        recommended_version,
    }
}

pub(super) fn version_shown(scope: &Scope, Shown { version, recommended_minor }: Shown) -> ServiceTemplateVersion {
    ServiceTemplateVersion {
        arn: scope.arn(version.key()),
        created_at: Timestamp(version.created_at),
        last_modified_at: Timestamp(version.last_modified_at),
        major_version: version.version.major.to_string(),
        minor_version: version.version.minor.to_string(),
        recommended_minor_version: Some(recommended_minor.to_string()),
        status: version.status,
        description: version.description,
        schema: version.schema,
        status_message: Some(version.status_message),
        template_name: version.template,
        compatible_environment_templates: version.compatible.into_iter().map(compatible).collect(),
        supported_component_sources: Some(version.component_sources),
    }
}

pub(super) fn version_summary(scope: &Scope, shown: Shown) -> ServiceTemplateVersionSummary {
    let version = version_shown(scope, shown);
    ServiceTemplateVersionSummary {
        arn: version.arn,
        created_at: version.created_at,
        description: version.description,
        last_modified_at: version.last_modified_at,
        major_version: version.major_version,
        minor_version: version.minor_version,
        recommended_minor_version: version.recommended_minor_version,
        status: version.status,
        status_message: version.status_message,
        template_name: version.template_name,
    }
}

fn compatible(template: CompatibleTemplate) -> CompatibleEnvironmentTemplate {
    CompatibleEnvironmentTemplate { template_name: template.template, major_version: template.major.to_string() }
}
