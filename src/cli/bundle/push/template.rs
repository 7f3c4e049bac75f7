//! A template at a Proton endpoint, of either kind, with the words of the stock API.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use crate::domain::BundleKind;
use crate::objects::ObjectUri;
use crate::proton::sdk::error::BuildError;
use crate::proton::sdk::types::{
    CompatibleEnvironmentTemplateInput, EnvironmentTemplateVersion, Provisioning, S3ObjectSource,
    ServiceTemplateSupportedComponentSourceType, ServiceTemplateVersion, TemplateVersionSourceInput,
    TemplateVersionStatus,
};
use crate::proton::{Proton, ProtonError};

/// One template.
pub(super) struct Template<'a> {
    pub(super) proton: &'a Proton,
    /// Environment or service.
    pub(super) kind: BundleKind,
    pub(super) name: String,
}

/// One of its versions.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) major: String,
    pub(super) minor: String,
    pub(super) status: String,
    pub(super) message: Option<String>,
    pub(super) arn: String,
    /// Only in [`Template::version`]'s answer, as the two that follow.
    pub(super) schema: Option<String>,
    /// Environment templates and their majors.
    pub(super) compatible: Vec<(String, String)>,
    /// Whether components may be attached.
    pub(super) components: bool,
}

impl Version {
    pub(super) fn number(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

/// A version that is to be.
pub(super) struct Draft {
    /// None begins a new major.
    pub(super) major: Option<String>,
    pub(super) description: Option<String>,
    pub(super) compatible: Vec<(String, String)>,
    pub(super) components: bool,
}

fn missing() -> ProtonError {
    ProtonError::Nonsense { what: "it lacks what was asked for".into() }
}

impl Template<'_> {
    /// Whether provisioning, or the pipeline's of a service, is the customer's.
    pub(super) async fn customer_managed(&self) -> Result<bool, ProtonError> {
        let client = self.proton.client();
        let provisioning = if self.kind == BundleKind::Service {
            let got = client.get_service_template().name(&self.name).send().await?;
            got.service_template.ok_or_else(missing)?.pipeline_provisioning
        } else {
            let got = client.get_environment_template().name(&self.name).send().await?;
            got.environment_template.ok_or_else(missing)?.provisioning
        };
        Ok(provisioning == Some(Provisioning::CustomerManaged))
    }

    pub(super) async fn create(
        &self,
        display_name: Option<String>,
        description: Option<String>,
        customer_managed: bool,
    ) -> Result<(), ProtonError> {
        let client = self.proton.client();
        let provisioning = customer_managed.then_some(Provisioning::CustomerManaged);
        if self.kind == BundleKind::Service {
            let create = client.create_service_template().name(&self.name).set_display_name(display_name);
            create.set_description(description).set_pipeline_provisioning(provisioning).send().await?;
        } else {
            let create = client.create_environment_template().name(&self.name).set_display_name(display_name);
            create.set_description(description).set_provisioning(provisioning).send().await?;
        }
        Ok(())
    }

    /// The registered versions.
    pub(super) async fn versions(&self) -> Result<Vec<Version>, ProtonError> {
        let client = self.proton.client();
        let mut found = Vec::new();
        if self.kind == BundleKind::Service {
            let list = client.list_service_template_versions().template_name(&self.name);
            let mut pages = list.into_paginator().send();
            while let Some(page) = pages.next().await {
                for it in page?.template_versions {
                    found.push(version(it.major_version, it.minor_version, &it.status, it.status_message, it.arn));
                }
            }
        } else {
            let list = client.list_environment_template_versions().template_name(&self.name);
            let mut pages = list.into_paginator().send();
            while let Some(page) = pages.next().await {
                for it in page?.template_versions {
                    found.push(version(it.major_version, it.minor_version, &it.status, it.status_message, it.arn));
                }
            }
        }
        found.retain(|version| matches!(version.status.as_str(), "DRAFT" | "PUBLISHED"));
        Ok(found)
    }

    /// One version with all that is known of it.
    pub(super) async fn version(&self, of: &Version) -> Result<Version, ProtonError> {
        let client = self.proton.client();
        if self.kind == BundleKind::Service {
            let get = client.get_service_template_version().template_name(&self.name);
            let got = get.major_version(&of.major).minor_version(&of.minor).send().await?;
            got.service_template_version.map(of_service).ok_or_else(missing)
        } else {
            let get = client.get_environment_template_version().template_name(&self.name);
            let got = get.major_version(&of.major).minor_version(&of.minor).send().await?;
            got.environment_template_version.map(of_environment).ok_or_else(missing)
        }
    }

    /// Begins the registration of an archive.
    pub(super) async fn register(&self, draft: &Draft, archive: &ObjectUri) -> Result<Version, ProtonError> {
        let unsendable = |error: BuildError| ProtonError::Unsendable { cause: error.to_string() };
        let source = S3ObjectSource::builder().bucket(&archive.bucket).key(&archive.key).build().map_err(unsendable)?;
        let source = TemplateVersionSourceInput::S3(source);
        let client = self.proton.client();
        if self.kind == BundleKind::Environment {
            let create = client.create_environment_template_version().template_name(&self.name).source(source);
            let create = create.set_major_version(draft.major.clone()).set_description(draft.description.clone());
            return create.send().await?.environment_template_version.map(of_environment).ok_or_else(missing);
        }
        let mut create = client.create_service_template_version().template_name(&self.name).source(source);
        for (template, major) in &draft.compatible {
            let input = CompatibleEnvironmentTemplateInput::builder().template_name(template).major_version(major);
            create = create.compatible_environment_templates(input.build().map_err(unsendable)?);
        }
        if draft.components {
            create = create.supported_component_sources(ServiceTemplateSupportedComponentSourceType::DirectlyDefined);
        }
        let create = create.set_major_version(draft.major.clone()).set_description(draft.description.clone());
        create.send().await?.service_template_version.map(of_service).ok_or_else(missing)
    }

    pub(super) async fn publish(&self, of: &Version) -> Result<Version, ProtonError> {
        let client = self.proton.client();
        if self.kind == BundleKind::Service {
            let update = client.update_service_template_version().template_name(&self.name);
            let update = update.major_version(&of.major).minor_version(&of.minor);
            let published = update.status(TemplateVersionStatus::Published).send().await?;
            published.service_template_version.map(of_service).ok_or_else(missing)
        } else {
            let update = client.update_environment_template_version().template_name(&self.name);
            let update = update.major_version(&of.major).minor_version(&of.minor);
            let published = update.status(TemplateVersionStatus::Published).send().await?;
            published.environment_template_version.map(of_environment).ok_or_else(missing)
        }
    }

    /// Whether a version was registered from an archive with this digest. Hadron's own tag tells; another endpoint has
    /// none, and then nobody knows.
    pub(super) async fn has_bytes(&self, of: &Version, digest: &str) -> Result<bool, ProtonError> {
        let listed = self.proton.client().list_tags_for_resource().resource_arn(&of.arn).send().await?;
        Ok(listed.tags.iter().any(|tag| tag.key == "hadron:bundle" && tag.value.ends_with(digest)))
    }

    /// A version as people say it.
    pub(super) fn called(&self, version: &Version) -> String {
        format!("{} {}", self.name, version.number())
    }
}

fn version(
    major: String,
    minor: String,
    status: &TemplateVersionStatus,
    message: Option<String>,
    arn: String,
) -> Version {
    let status = status.as_str().to_owned();
    Version { major, minor, status, message, arn, schema: None, compatible: Vec::new(), components: false }
}

fn of_environment(it: EnvironmentTemplateVersion) -> Version {
    let known = version(it.major_version, it.minor_version, &it.status, it.status_message, it.arn);
    Version { schema: it.schema, ..known }
}

fn of_service(it: ServiceTemplateVersion) -> Version {
    let known = version(it.major_version, it.minor_version, &it.status, it.status_message, it.arn);
    let compatible = it.compatible_environment_templates.into_iter();
    Version {
        schema: it.schema,
        compatible: compatible.map(|it| (it.template_name, it.major_version)).collect(),
        components: it.supported_component_sources.is_some_and(|sources| !sources.is_empty()),
        ..known
    }
}
