//! A template that is named on the command line, and its versions.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::cli::remote::{self, Remote};
use crate::cli::{Exit, Failure};
use crate::domain::BundleKind;
use crate::objects::ObjectUri;
use crate::proton::ProtonError;
use crate::proton::sdk::types::{
    CompatibleEnvironmentTemplate, CompatibleEnvironmentTemplateInput, Provisioning, S3ObjectSource,
    ServiceTemplateSupportedComponentSourceType, TemplateVersionSourceInput, TemplateVersionStatus,
};

/// How often a version that is being registered is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Longer than the control plane tries to get at a bundle.
const PATIENCE: Duration = Duration::from_mins(5);

/// Which templates a name may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Environment,
    Service,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Environment, Self::Service];

    /// As ARNs have it.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Environment => "environment-template",
            Self::Service => "service-template",
        }
    }

    pub(super) fn bundle(self) -> BundleKind {
        match self {
            Self::Environment => BundleKind::Environment,
            Self::Service => BundleKind::Service,
        }
    }
}

/// What the command line names: `NAME`, `environment-template/NAME`, `service-template/NAME` or an ARN; then perhaps
/// `@MAJOR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    kind: Option<Kind>,
    name: String,
    major: Option<String>,
}

impl Named {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let (rest, major) = text.split_once('@').map_or((text, None), |(rest, major)| (rest, Some(major)));
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if major.is_some_and(|major| !number(major)) {
            return Err(Failure::new(Exit::Usage, anyhow!("`{text}` names no major version"))
                .hint("write TEMPLATE@MAJOR, such as web-service@1"));
        }
        let kind = Kind::ALL.into_iter().find(|kind| rest.contains(&format!("{}/", kind.noun())));
        let name = rest.rsplit('/').next().unwrap_or(rest).to_owned();
        Ok(Self { kind, name, major: major.map(str::to_owned) })
    }
}

/// A template that is there.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// Whether the customer provisions the environment, or the pipeline.
    pub(super) customer_managed: bool,
}

/// A version of it.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) arn: String,
    pub(super) major: String,
    pub(super) minor: String,
    status: TemplateVersionStatus,
    compatible: Vec<CompatibleEnvironmentTemplate>,
    component_sources: Vec<ServiceTemplateSupportedComponentSourceType>,
}

impl Version {
    pub(super) fn number(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    fn rank(&self) -> u64 {
        self.minor.parse().unwrap_or_default()
    }
}

/// Reads a version of either kind; services' have more to tell.
macro_rules! version {
    ($it:expr) => {
        version!($it, Vec::new(), Vec::new())
    };
    ($it:expr, $compatible:expr, $sources:expr) => {{
        let it = $it;
        Version {
            arn: it.arn,
            major: it.major_version,
            minor: it.minor_version,
            status: it.status,
            compatible: $compatible,
            component_sources: $sources,
        }
    }};
}

impl Template {
    /// The template that is meant.
    ///
    /// # Errors
    /// There is none, or there are two.
    pub(super) async fn find(remote: &Remote, named: &Named) -> Result<Self, Failure> {
        let kinds = Kind::ALL.into_iter().filter(|kind| named.kind.is_none_or(|wanted| wanted == *kind));
        let mut found = Vec::new();
        for kind in kinds {
            found.extend(Self::get(remote, kind, &named.name).await.map_err(remote::failure)?);
        }
        let name = &named.name;
        match (found.pop(), found.pop()) {
            (Some(template), None) => Ok(template),
            (None, _) => Err(Failure::new(Exit::Usage, anyhow!("there is no template `{name}`"))
                .hint("`aws proton list-environment-templates` and `aws proton list-service-templates` name them")),
            _ => {
                let words = anyhow!("`{name}` is the name of an environment template and of a service template");
                let hint = format!("say which: environment-template/{name} or service-template/{name}");
                Err(Failure::new(Exit::Usage, words).hint(hint))
            }
        }
    }

    async fn get(remote: &Remote, kind: Kind, name: &str) -> Result<Option<Self>, ProtonError> {
        let proton = remote.proton.client();
        let provisioning = match kind {
            Kind::Environment => {
                let got = proton.get_environment_template().name(name).send().await.map_err(ProtonError::from);
                got.map(|got| got.environment_template.and_then(|it| it.provisioning))
            }
            Kind::Service => {
                let got = proton.get_service_template().name(name).send().await.map_err(ProtonError::from);
                got.map(|got| got.service_template.and_then(|it| it.pipeline_provisioning))
            }
        };
        match provisioning {
            Ok(provisioning) => {
                let customer_managed = provisioning == Some(Provisioning::CustomerManaged);
                Ok(Some(Self { kind, name: name.to_owned(), customer_managed }))
            }
            Err(ProtonError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How people write it.
    pub(super) fn noun(&self) -> String {
        format!("{}/{}", self.kind.noun(), self.name)
    }

    /// The newest published minor of a major, or of the highest one that has any; with the drafts after it.
    ///
    /// # Errors
    /// None is published.
    pub(super) async fn newest(&self, remote: &Remote, named: &Named) -> Result<(Version, Vec<Version>), Failure> {
        let majors = if let Some(major) = &named.major {
            vec![major.clone()]
        } else {
            let mut majors = self.versions(remote, None).await.map_err(remote::failure)?;
            majors.sort_by_key(|row| row.major.parse::<u64>().unwrap_or_default());
            majors.into_iter().rev().map(|row| row.major).collect()
        };
        for major in majors {
            let mut minors = self.versions(remote, Some(&major)).await.map_err(remote::failure)?;
            minors.sort_by_key(Version::rank);
            let published = minors.iter().rposition(|row| row.status == TemplateVersionStatus::Published);
            if let Some(at) = published {
                let mut later = minors.split_off(at + 1);
                later.retain(|row| row.status == TemplateVersionStatus::Draft);
                let newest = minors.pop().expect("it was found there");
                // A list doesn't tell all of it.
                let newest = self.version(remote, &newest.major, &newest.minor).await.map_err(remote::failure)?;
                return Ok((newest.0, later));
            }
        }
        let which = named.major.as_ref().map(|major| format!(" of major {major}")).unwrap_or_default();
        Err(Failure::new(Exit::Usage, anyhow!("no version{which} of {} is published", self.noun()))
            .hint("publish one, and its providers can be upgraded from there"))
    }

    /// The minors of a major, or a row for each major.
    async fn versions(&self, remote: &Remote, major: Option<&str>) -> Result<Vec<Version>, ProtonError> {
        let (proton, major) = (remote.proton.client(), major.map(str::to_owned));
        let mut found = Vec::new();
        match self.kind {
            Kind::Environment => {
                let list = proton.list_environment_template_versions().template_name(&self.name);
                let mut pages = list.set_major_version(major).into_paginator().send();
                while let Some(page) = pages.next().await {
                    found.extend(page?.template_versions.into_iter().map(|it| version!(it)));
                }
            }
            Kind::Service => {
                let list = proton.list_service_template_versions().template_name(&self.name);
                let mut pages = list.set_major_version(major).into_paginator().send();
                while let Some(page) = pages.next().await {
                    found.extend(page?.template_versions.into_iter().map(|it| version!(it)));
                }
            }
        }
        Ok(found)
    }

    /// All of a version, and what its registration says.
    async fn version(&self, remote: &Remote, major: &str, minor: &str) -> Result<(Version, String), ProtonError> {
        let proton = remote.proton.client();
        let found = match self.kind {
            Kind::Environment => {
                let get = proton.get_environment_template_version().template_name(&self.name);
                let got = get.major_version(major).minor_version(minor).send().await?.environment_template_version;
                got.map(|it| (it.status_message.clone(), version!(it)))
            }
            Kind::Service => {
                let get = proton.get_service_template_version().template_name(&self.name);
                let got = get.major_version(major).minor_version(minor).send().await?.service_template_version;
                got.map(|mut it| {
                    let compatible = std::mem::take(&mut it.compatible_environment_templates);
                    let sources = it.supported_component_sources.take().unwrap_or_default();
                    (it.status_message.clone(), version!(it, compatible, sources))
                })
            }
        };
        let (message, version) = found.ok_or_else(|| ProtonError::Nonsense { what: "a version is gone".into() })?;
        Ok((version, message.unwrap_or_default()))
    }

    /// Registers the next minor, like `from` but for its bundle, and waits until it is a draft.
    ///
    /// # Errors
    /// The registration failed, and why.
    pub(super) async fn register(
        &self,
        remote: &Remote,
        from: &Version,
        bundle: &ObjectUri,
        description: &str,
    ) -> Result<Version, Failure> {
        let minor = self.create(remote, from, bundle, description).await.map_err(remote::failure)?;
        let began = Instant::now();
        loop {
            let (version, message) = self.version(remote, &from.major, &minor).await.map_err(remote::failure)?;
            let number = version.number();
            match version.status {
                TemplateVersionStatus::RegistrationInProgress if began.elapsed() < PATIENCE => {}
                TemplateVersionStatus::RegistrationInProgress => {
                    let words = anyhow!("{} {number} is still being registered", self.noun());
                    return Err(Failure::new(Exit::Unexpected, words).hint("does `hadron serve` reach the bucket?"));
                }
                TemplateVersionStatus::RegistrationFailed => {
                    let words = anyhow!("{} {number} was not registered: {message}", self.noun());
                    return Err(Failure::new(Exit::InvalidBundle, words));
                }
                _ => return Ok(version),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn create(
        &self,
        remote: &Remote,
        from: &Version,
        bundle: &ObjectUri,
        description: &str,
    ) -> Result<String, ProtonError> {
        let proton = remote.proton.client();
        let unsendable = |error: aws_smithy_types::error::operation::BuildError| ProtonError::Unsendable {
            cause: error.to_string(),
        };
        let source = S3ObjectSource::builder().bucket(&bundle.bucket).key(&bundle.key).build().map_err(unsendable)?;
        let source = TemplateVersionSourceInput::S3(source);
        let nothing = || ProtonError::Nonsense { what: "no version came back".into() };
        match self.kind {
            Kind::Environment => {
                let create = proton.create_environment_template_version().template_name(&self.name).source(source);
                let made = create.major_version(&from.major).description(description).send().await?;
                Ok(made.environment_template_version.ok_or_else(nothing)?.minor_version)
            }
            Kind::Service => {
                let create = proton.create_service_template_version().template_name(&self.name).source(source);
                let mut create = create.major_version(&from.major).description(description);
                for template in &from.compatible {
                    let same = CompatibleEnvironmentTemplateInput::builder().template_name(&template.template_name);
                    let same = same.major_version(&template.major_version).build().map_err(unsendable)?;
                    create = create.compatible_environment_templates(same);
                }
                for source in &from.component_sources {
                    create = create.supported_component_sources(source.clone());
                }
                Ok(create.send().await?.service_template_version.ok_or_else(nothing)?.minor_version)
            }
        }
    }

    /// Publishes a draft.
    ///
    /// # Errors
    /// Proton's own.
    pub(super) async fn publish(&self, remote: &Remote, version: &Version) -> Result<(), Failure> {
        let (proton, status) = (remote.proton.client(), TemplateVersionStatus::Published);
        let (major, minor) = (&version.major, &version.minor);
        match self.kind {
            Kind::Environment => {
                let update = proton.update_environment_template_version().template_name(&self.name).status(status);
                let sent = update.major_version(major).minor_version(minor).send().await.map(drop);
                sent.map_err(|error| remote::failure(error.into()))
            }
            Kind::Service => {
                let update = proton.update_service_template_version().template_name(&self.name).status(status);
                let sent = update.major_version(major).minor_version(minor).send().await.map(drop);
                sent.map_err(|error| remote::failure(error.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_named_with_or_without_its_kind_and_major() {
        let parse = |text: &str| Named::parse(text).unwrap();
        let named = |kind, name: &str, major: Option<&str>| Named {
            kind,
            name: name.to_owned(),
            major: major.map(str::to_owned),
        };
        assert_eq!(parse("web"), named(None, "web", None));
        assert_eq!(parse("web@2"), named(None, "web", Some("2")));
        assert_eq!(parse("service-template/web@2"), named(Some(Kind::Service), "web", Some("2")));
        let arn = "arn:aws:proton:us-east-1:123456789012:environment-template/zone";
        assert_eq!(parse(arn), named(Some(Kind::Environment), "zone", None));
        for text in ["web@", "web@1.0", "web@latest"] {
            assert_eq!(Named::parse(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
