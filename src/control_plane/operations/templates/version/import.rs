//! Template versions under numbers that they were given long ago.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hadron_model::hadron::{ImportedTemplateVersion, TemplateKind as Given};
use hadron_model::{ServiceTemplateSupportedComponentSourceType as Source, TemplateVersionStatus};
use sha2::{Digest, Sha256};

use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::tags::create_tags;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{BundleRef, CompatibleTemplate, Template, TemplateKind, TemplateVersion, Version};
use crate::control_plane::store::{Document, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{Bundle, BundleKind, Files, Problems, Scope, check_alone, unpack};
use crate::objects::ObjectUri;

/// A version whose bundle is sound and lies in the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Sound {
    pub(crate) kind: TemplateKind,
    pub(crate) template: String,
    pub(crate) version: Version,
    /// SHA-256 over paths and contents: the same however they are packed.
    pub(crate) contents: String,
    bundle: BundleRef,
    schema: String,
    has_pipeline: bool,
    compatible: Vec<CompatibleTemplate>,
    takes_components: bool,
    /// It was registered and never published.
    draft: bool,
    description: Option<String>,
    template_description: Option<String>,
    template_display_name: Option<String>,
}

/// What an archive holds.
struct Opened {
    bundle: Bundle,
    contents: String,
}

impl Sound {
    /// Checks a bundle as registration does, and keeps a copy of it under its digest. What compatibility between minors
    /// demands is left out: these versions are history, and were all in use.
    ///
    /// # Errors
    /// `ValidationException` with every problem.
    pub(crate) async fn of(plane: &Plane, given: &ImportedTemplateVersion) -> Result<Self, ProtonError> {
        let (kind, bundle_kind) = match given.kind {
            Given::Environment => (TemplateKind::Environment, BundleKind::Environment),
            Given::Service => (TemplateKind::Service, BundleKind::Service),
        };
        let number = &given.version;
        let version = Version { major: number.major.unsigned_abs(), minor: number.minor.unsigned_abs() };
        let what = TemplateVersion::key_of(kind, &number.template_name, version);
        let archive = STANDARD.decode(&given.bundle);
        let archive = archive.map_err(|error| ProtonError::validation(format!("{what}: no base64: {error}")))?;
        let bytes = archive.clone();
        let opened = tokio::task::spawn_blocking(move || open(bundle_kind, &bytes)).await;
        let Opened { bundle, contents } = opened
            .map_err(ProtonError::internal)?
            .map_err(|problems| ProtonError::validation(format!("the bundle of {what} is refused:\n{problems}")))?;
        let digest = hex::encode(Sha256::digest(&archive));
        let copy = ObjectUri::new(&plane.settings.bucket, format!("bundles/sha256/{digest}"));
        plane.objects.put_if_absent(&copy, Bytes::from(archive)).await.map_err(ProtonError::internal)?;
        let compatible = given.compatible_environments.iter().flatten();
        Ok(Self {
            kind,
            template: number.template_name.clone(),
            version,
            contents,
            bundle: BundleRef { uri: copy.to_string(), digest },
            has_pipeline: bundle.pipeline.is_some(),
            schema: bundle.schema_text.unwrap_or_default(),
            compatible: compatible
                .map(|it| CompatibleTemplate { template: it.template_name.clone(), major: it.major.unsigned_abs() })
                .collect(),
            takes_components: given.takes_components.unwrap_or_default(),
            draft: given.draft.unwrap_or_default(),
            description: given.description.clone(),
            template_description: given.template_description.clone(),
            template_display_name: given.template_display_name.clone(),
        })
    }

    /// The version's key in the record, which is also the resource part of its ARN.
    pub(crate) fn key(&self) -> String {
        TemplateVersion::key_of(self.kind, &self.template, self.version)
    }

    /// SHA-256 of the archive.
    pub(crate) fn digest(&self) -> &str {
        &self.bundle.digest
    }

    /// Puts the version into the record, published, and its template if that isn't there.
    ///
    /// # Errors
    /// An ARN that would be too long.
    pub(crate) fn import(&self, tx: &mut dyn Transaction, scope: &Scope, now: i64) -> Result<(), ProtonError> {
        let version = self.document(now);
        let arn = arn_of_new(scope, version.key())?;
        self.recommend(tx, scope, now)?;
        tx.add(scope, &version)?;
        let template = scope.arn(Template::key_of(self.kind, &self.template));
        let managed = [
            ("aws:proton:account", scope.account.as_str()),
            ("aws:proton:template", &template),
            ("hadron:bundle", &self.bundle.uri),
        ];
        create_tags(tx, scope, &arn, None, &managed)
    }

    /// The template, which recommends the newest version.
    fn recommend(&self, tx: &mut dyn Transaction, scope: &Scope, now: i64) -> Result<(), ProtonError> {
        let without_pipeline = self.kind == TemplateKind::Service && !self.has_pipeline;
        if let Some(mut template) = tx.get::<Template>(scope, &Template::key_of(self.kind, &self.template))? {
            template.recommended = template.recommended.max(self.published());
            template.customer_managed &= without_pipeline;
            return Ok(tx.save(scope, &mut template)?);
        }
        let template = Template {
            kind: self.kind,
            name: self.template.clone(),
            created_at: now,
            last_modified_at: now,
            description: self.template_description.clone(),
            display_name: self.template_display_name.clone().or_else(|| Some(self.template.clone())),
            encryption_key: None,
            customer_managed: without_pipeline,
            recommended: self.published(),
        };
        tx.add(scope, &template)?;
        let managed = [("aws:proton:account", scope.account.as_str())];
        create_tags(tx, scope, &scope.arn(template.key()), None, &managed)
    }

    fn published(&self) -> Option<Version> {
        (!self.draft).then_some(self.version)
    }

    fn document(&self, now: i64) -> TemplateVersion {
        let ObjectUri { bucket, key } = self.bundle.uri.parse().unwrap_or_else(|_| ObjectUri::new("", ""));
        TemplateVersion {
            kind: self.kind,
            template: self.template.clone(),
            version: self.version,
            status: if self.draft { TemplateVersionStatus::Draft } else { TemplateVersionStatus::Published },
            status_message: String::new(),
            created_at: now,
            last_modified_at: now,
            published_at: self.published().map(|_| now),
            description: self.description.clone(),
            source_bucket: bucket,
            source_key: key,
            schema: Some(self.schema.clone()),
            bundle: Some(self.bundle.clone()),
            has_pipeline: self.has_pipeline,
            compatible: self.compatible.clone(),
            component_sources: self.takes_components.then_some(Source::DirectlyDefined).into_iter().collect(),
        }
    }
}

/// Whether a service's pipeline is its customer's matter shows by the bundle, as nothing else is left to tell.
fn open(kind: BundleKind, archive: &[u8]) -> Result<Opened, Problems> {
    let files = unpack(archive)?;
    let contents = contents(&files);
    let bundle = check_alone(kind, files)?;
    Ok(Opened { bundle, contents })
}

fn contents(files: &Files) -> String {
    let mut digest = Sha256::new();
    for (path, bytes) in files {
        digest.update(format!("{path}\0{}\0", bytes.len()));
        digest.update(bytes);
    }
    hex::encode(digest.finalize())
}
