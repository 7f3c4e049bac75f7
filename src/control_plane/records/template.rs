//! Templates and their versions.

use std::fmt;

use hadron_model::hadron::Staleness;
use hadron_model::{ServiceTemplateSupportedComponentSourceType, TemplateVersionStatus};
use serde::{Deserialize, Serialize};

use crate::control_plane::store::{Document, Term};

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Proton's own names")]
pub enum TemplateKind {
    Environment,
    Service,
}

impl TemplateKind {
    /// `environment-template` or `service-template`, as in ARNs.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Environment => "environment-template",
            Self::Service => "service-template",
        }
    }
}

/// `major.minor`; ordered as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Version {
    pub major: u64,
    pub minor: u64,
}

impl Version {
    /// How what lies on this version stands to what its template recommends.
    ///
    /// <https://docs.aws.amazon.com/proton/latest/APIReference/API_ResourceCountsSummary.html>
    pub fn staleness(self, recommended: Option<Self>) -> Staleness {
        match recommended {
            None => Staleness::Unpublished,
            Some(recommended) if self.major < recommended.major => Staleness::BehindMajor,
            Some(recommended) if self < recommended => Staleness::BehindMinor,
            Some(_) => Staleness::UpToDate,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A version of a named template.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct VersionRef {
    pub template: String,
    pub version: Version,
}

/// A template: a name that versions hang on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Template {
    pub kind: TemplateKind,
    pub name: String,
    pub created_at: i64,
    pub last_modified_at: i64,
    pub description: Option<String>,
    pub display_name: Option<String>,
    pub encryption_key: Option<String>,
    /// CUSTOMER_MANAGED: an environment template without code, or a service template without a pipeline.
    pub customer_managed: bool,
    /// The highest published version.
    pub recommended: Option<Version>,
}

impl Document for Template {
    const KIND: &'static str = "template";

    fn key(&self) -> String {
        Self::key_of(self.kind, &self.name)
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new("kind", self.kind.resource())]
    }
}

impl Template {
    /// `service-template/web`; also the resource part of its ARN.
    pub fn key_of(kind: TemplateKind, name: &str) -> String {
        format!("{}/{name}", kind.resource())
    }
}

/// Where a registered bundle lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRef {
    /// `s3://bucket/bundles/sha256/DIGEST`.
    pub uri: String,
    /// SHA-256 of the archive, in lower-case hexadecimal.
    pub digest: String,
}

/// An environment template that a service template's version can be deployed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct CompatibleTemplate {
    pub template: String,
    pub major: u64,
}

/// One version of a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct TemplateVersion {
    pub kind: TemplateKind,
    pub template: String,
    pub version: Version,
    pub status: TemplateVersionStatus,
    pub status_message: String,
    pub created_at: i64,
    pub last_modified_at: i64,
    /// When it was published; older records don't say.
    #[serde(default)]
    pub published_at: Option<i64>,
    pub description: Option<String>,
    /// The bundle as the author put it.
    pub source_bucket: String,
    pub source_key: String,
    /// The text of `schema/schema.yaml`, once registered.
    pub schema: Option<String>,
    /// Our own copy of the bundle, once registered.
    pub bundle: Option<BundleRef>,
    /// For service templates: whether the bundle has a pipeline.
    pub has_pipeline: bool,
    pub compatible: Vec<CompatibleTemplate>,
    pub component_sources: Vec<ServiceTemplateSupportedComponentSourceType>,
}

impl Document for TemplateVersion {
    const KIND: &'static str = "template_version";

    fn key(&self) -> String {
        Self::key_of(self.kind, &self.template, self.version)
    }

    fn terms(&self) -> Vec<Term> {
        let order = format!("{:020}.{:020}", self.version.major, self.version.minor);
        let template = Template::key_of(self.kind, &self.template);
        let major = format!("{template}:{}", self.version.major);
        let mut terms = vec![
            Term::new("major", &major).sorted_by(&order),
            Term::new("template", &template).sorted_by(&order),
            Term::new("status", self.status.as_str()),
        ];
        if self.status == TemplateVersionStatus::Published {
            terms.push(Term::new("published_major", major).sorted_by(&order));
            terms.push(Term::new("published", template).sorted_by(order));
        }
        terms
    }
}

impl TemplateVersion {
    /// `service-template/web:1.0`; also the resource part of its ARN.
    pub fn key_of(kind: TemplateKind, template: &str, version: Version) -> String {
        format!("{}:{version}", Template::key_of(kind, template))
    }

    /// The version with its template's name.
    pub fn reference(&self) -> VersionRef {
        VersionRef { template: self.template.clone(), version: self.version }
    }
}
