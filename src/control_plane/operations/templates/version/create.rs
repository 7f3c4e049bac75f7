//! CreateEnvironmentTemplateVersion and CreateServiceTemplateVersion.

use hadron_model::{
    CompatibleEnvironmentTemplateInput, S3ObjectSource, ServiceTemplateSupportedComponentSourceType, Tag,
    TemplateVersionStatus,
};

use super::super::resolve::highest;
use super::super::{existing, noun, version_called};
use super::{Shown, compatible, detail};
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::{history, tags};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{CompatibleTemplate, Template, TemplateKind, TemplateVersion, Version};
use crate::control_plane::store::{Document, Select, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// How many versions a template may have.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
const MOST: usize = 1000;

/// What a new version is asked to be.
#[derive(Debug, Clone)]
pub(crate) struct NewVersion {
    pub(crate) kind: TemplateKind,
    pub(crate) template: String,
    pub(crate) major: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) source: S3ObjectSource,
    pub(crate) compatible: Vec<CompatibleEnvironmentTemplateInput>,
    pub(crate) component_sources: Vec<ServiceTemplateSupportedComponentSourceType>,
    pub(crate) tags: Option<Vec<Tag>>,
}

/// Numbers a version and leaves its bundle to the registrar.
pub(crate) async fn create(plane: &Plane, call: &Call, new: NewVersion, once: Once) -> Result<Shown, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    let created = plane.store.write(move |tx| new.create(tx, &scope, &once, now)).await?;
    plane.registrations.ring();
    Ok(created)
}

impl NewVersion {
    fn create(&self, tx: &mut dyn Transaction, scope: &Scope, once: &Once, now: i64) -> Result<Shown, ProtonError> {
        if let Some(key) = once.earlier(tx, scope, now)?
            && let Some(version) = tx.get::<TemplateVersion>(scope, &key)?
        {
            return Ok(Shown::new(tx, scope, version.value)?);
        }
        let template = existing(tx, scope, self.kind, &self.template)?;
        self.refuse_too_many(tx, scope, &template)?;
        let version = self.version(self.number(tx, scope, &template)?, compatible(tx, scope, &self.compatible)?, now);
        let arn = arn_of_new(scope, version.key())?;
        tx.add(scope, &version)?;
        let template_arn = scope.arn(template.key());
        let given = tags::inherited_tags(tx, scope, &template_arn, self.tags.as_deref())?;
        let managed = [("aws:proton:account", scope.account.as_str()), ("aws:proton:template", &template_arn)];
        tags::create_tags(tx, scope, &arn, Some(&given), &managed)?;
        history::append(tx, scope, &arn, None, version.status.as_str(), &detail(&version), now)?;
        once.remember(tx, scope, &version.key(), now)?;
        Ok(Shown::new(tx, scope, version)?)
    }

    /// Without a major: the next major, beginning at `.0`. With one: its next minor. The article of Proton's users names
    /// a major that isn't there yet; that is taken when it is the next one.
    fn number(&self, tx: &mut dyn Transaction, scope: &Scope, template: &Template) -> Result<Version, ProtonError> {
        let key = template.key();
        let last = highest(tx, scope, "template", &key)?;
        let next = last.map_or(1, |last| last.version.major + 1);
        let Some(given) = &self.major else { return Ok(Version { major: next, minor: 0 }) };
        if let Some(last) = highest(tx, scope, "major", &format!("{key}:{given}"))? {
            return Ok(Version { minor: last.version.minor + 1, ..last.version });
        }
        if *given == next.to_string() {
            return Ok(Version { major: next, minor: 0 });
        }
        let what = version_called(self.kind, &self.template, given);
        Err(ProtonError::not_found(format!("{what} doesn't exist; the next new major version is {next}")))
    }

    fn refuse_too_many(&self, tx: &mut dyn Transaction, scope: &Scope, template: &Template) -> Result<(), ProtonError> {
        let key = template.key();
        let select = Select { term: "template", value: &key, after: None, descending: false, limit: MOST };
        if tx.select(scope, TemplateVersion::KIND, &select)?.len() < MOST {
            return Ok(());
        }
        let what = noun(self.kind);
        Err(ProtonError::quota(format!("{what} {} has {MOST} versions, the most a template can have", self.template)))
    }

    fn version(&self, version: Version, compatible: Vec<CompatibleTemplate>, now: i64) -> TemplateVersion {
        TemplateVersion {
            kind: self.kind,
            template: self.template.clone(),
            version,
            status: TemplateVersionStatus::RegistrationInProgress,
            status_message: String::new(),
            created_at: now,
            last_modified_at: now,
            published_at: None,
            description: self.description.clone(),
            source_bucket: self.source.bucket.clone(),
            source_key: self.source.key.clone(),
            schema: None,
            bundle: None,
            has_pipeline: false,
            compatible,
            component_sources: self.component_sources.clone(),
        }
    }
}
