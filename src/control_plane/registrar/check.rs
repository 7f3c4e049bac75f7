//! What a version's bundle must be: there, small enough, sound, and compatible with the minors before it.

use hadron_model::TemplateVersionStatus;
use sha2::{Digest, Sha256};

use super::Waiting;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{BundleRef, TemplateKind, TemplateVersion};
use crate::control_plane::store::{StoreError, Typed};
use crate::domain::{Bundle, BundleKind, Problems, Schema, open_bundle};
use crate::objects::{ObjectUri, ObjectsError};

/// The largest archive, in bytes.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
const LARGEST: u64 = 10 << 20;

/// The longest statusMessage, in characters.
const LONGEST_MESSAGE: usize = 5000;

/// What S3 answers when it is its own fault.
const PASSING_CODES: [&str; 5] =
    ["InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "RequestTimeTooSkewed"];

/// The end of a check.
#[derive(Debug)]
pub(super) enum Verdict {
    Sound(Checked),
    /// The reason, as the customer reads it.
    Failed(String),
}

/// What a sound bundle is known by.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) schema: String,
    pub(super) bundle: BundleRef,
    pub(super) has_pipeline: bool,
}

/// Why the check couldn't be made; it may succeed later.
#[derive(Debug, thiserror::Error)]
pub(super) enum Passing {
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks one version's bundle and keeps a copy of it under its digest.
pub(super) async fn check(plane: &Plane, waiting: &Waiting) -> Result<Verdict, Passing> {
    let version = &waiting.version;
    let source = ObjectUri::new(&version.source_bucket, &version.source_key);
    let archive = match plane.objects.get_limited(&source, LARGEST).await {
        Ok(archive) => archive,
        Err(error) if is_passing(&error) => return Err(error.into()),
        Err(error) => return Ok(Verdict::Failed(error.to_string())),
    };
    let (kind, customer_managed, bytes) = (bundle_kind(version.kind), waiting.customer_managed, archive.clone());
    let opened = tokio::task::spawn_blocking(move || open_bundle(kind, &bytes, customer_managed)).await;
    let bundle = match opened {
        Ok(Ok(bundle)) => bundle,
        Ok(Err(problems)) => return Ok(failed(&problems)),
        Err(panic) => {
            tracing::error!(%source, %panic, "a bundle made its check panic");
            return Ok(Verdict::Failed("the bundle made its check fail in an unforeseen way".into()));
        }
    };
    let problems = incompatibilities(plane, waiting, &bundle).await?;
    if !problems.is_empty() {
        return Ok(failed(&problems));
    }
    let digest = hex::encode(Sha256::digest(&archive));
    let copy = ObjectUri::new(&plane.settings.bucket, format!("bundles/sha256/{digest}"));
    plane.objects.put_if_absent(&copy, archive).await?;
    let has_pipeline = bundle.pipeline.is_some();
    let bundle_ref = BundleRef { uri: copy.to_string(), digest };
    Ok(Verdict::Sound(Checked { schema: bundle.schema_text.unwrap_or_default(), bundle: bundle_ref, has_pipeline }))
}

fn is_passing(error: &ObjectsError) -> bool {
    let refused_for_now = matches!(error, ObjectsError::Refused { code, .. } if PASSING_CODES.contains(&code.as_str()));
    error.is_passing() || refused_for_now
}

fn failed(problems: &Problems) -> Verdict {
    Verdict::Failed(problems.within(LONGEST_MESSAGE))
}

fn bundle_kind(kind: TemplateKind) -> BundleKind {
    match kind {
        TemplateKind::Environment => BundleKind::Environment,
        TemplateKind::Service => BundleKind::Service,
    }
}

/// What specs of the same major's earlier minors could trip over, each thing once.
async fn incompatibilities(plane: &Plane, waiting: &Waiting, bundle: &Bundle) -> Result<Problems, StoreError> {
    let Some(schema) = &bundle.schema else { return Ok(Problems::default()) };
    let mut problems = Problems::default();
    for earlier in earlier_minors(plane, waiting).await? {
        let text = earlier.schema.unwrap_or_default();
        let kind = bundle_kind(earlier.kind);
        // A schema that was accepted once and isn't any more must not keep its template from ever moving on.
        let Ok(older) = Schema::parse(&text, kind, earlier.has_pipeline, waiting.customer_managed) else { continue };
        for problem in schema.incompatible_with(&older).0 {
            if !problems.0.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    Ok(problems)
}

async fn earlier_minors(plane: &Plane, waiting: &Waiting) -> Result<Vec<TemplateVersion>, StoreError> {
    let (scope, version) = (waiting.scope.clone(), waiting.version.version);
    let major = format!("{}/{}:{}", waiting.version.kind.resource(), waiting.version.template, version.major);
    let registered = |found: &TemplateVersion| {
        found.version < version
            && matches!(found.status, TemplateVersionStatus::Draft | TemplateVersionStatus::Published)
    };
    let minors = plane.store.read(move |tx| tx.by_term::<TemplateVersion>(&scope, "major", &major)).await?;
    Ok(minors.into_iter().map(|stored| stored.value).filter(registered).collect())
}
