//! From a template's version to what a deployment of it needs.

use hadron_model::DeploymentUpdateType;

use crate::control_plane::operations::templates::resolve_version;
use crate::control_plane::records::{BundleRef, TemplateKind, TemplateVersion, VersionRef};
use crate::control_plane::store::{Stored, Transaction};
use crate::control_plane::wire::ProtonError;
use crate::domain::{BundleKind, Problems, Schema, Scope};

/// The version that an update leads to.
///
/// - CURRENT_VERSION: the one in use; naming a version is refused.
/// - MINOR_VERSION: the recommended minor of the major in use, or the named one.
/// - MAJOR_VERSION: the recommended version, or the named one of a major that isn't lower.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_UpdateEnvironment.html>
///
/// # Errors
/// `ValidationException` for a version that the deployment type forbids, and what resolving a version says.
pub(crate) fn next_version(
    tx: &mut dyn Transaction,
    scope: &Scope,
    kind: TemplateKind,
    current: &VersionRef,
    deployment_type: DeploymentUpdateType,
    (major, minor): (Option<&str>, Option<&str>),
) -> Result<Stored<TemplateVersion>, ProtonError> {
    use DeploymentUpdateType as T;
    let in_use = current.version.major.to_string();
    let refused = |what: String| Err(ProtonError::validation(format!("deployment type {deployment_type}: {what}")));
    match deployment_type {
        T::None | T::CurrentVersion if major.is_some() || minor.is_some() => {
            refused("a template version can't be given, since the one in use stays".into())
        }
        T::None | T::CurrentVersion => {
            let minor = current.version.minor.to_string();
            resolve_version(tx, scope, kind, &current.template, Some(&in_use), Some(&minor))
        }
        T::MinorVersion if major.is_some_and(|major| major != in_use) => {
            refused(format!("the major version is {in_use} and stays; use MAJOR_VERSION to change it"))
        }
        T::MinorVersion => resolve_version(tx, scope, kind, &current.template, Some(&in_use), minor),
        T::MajorVersion => {
            let version = resolve_version(tx, scope, kind, &current.template, major, minor)?;
            if version.value.version.major < current.version.major {
                let lower = version.value.version.major;
                return refused(format!("major version {lower} is lower than {in_use}, which is in use"));
            }
            Ok(version)
        }
    }
}

/// The schema of a version that is registered.
///
/// # Errors
/// `ConflictException`: the registrar has read this schema before, so an older Hadron must have been less strict.
pub(crate) fn schema_of(version: &TemplateVersion, customer_managed: bool) -> Result<Schema, ProtonError> {
    let kind = match version.kind {
        TemplateKind::Environment => BundleKind::Environment,
        TemplateKind::Service => BundleKind::Service,
    };
    let text = version.schema.as_deref().unwrap_or_default();
    Schema::parse(text, kind, version.has_pipeline, customer_managed).map_err(|problems| {
        let (template, number) = (&version.template, version.version);
        ProtonError::conflict(format!("the schema of template {template}, version {number}, can't be read: {problems}"))
    })
}

/// The bundle of a version that is registered.
///
/// # Errors
/// `ConflictException` for a version without one.
pub(crate) fn bundle_of(version: &TemplateVersion) -> Result<BundleRef, ProtonError> {
    let name = || format!("template {}, version {}, has no registered bundle", version.template, version.version);
    version.bundle.clone().ok_or_else(|| ProtonError::conflict(name()))
}

/// All problems of a spec or a bundle, as the client's to mend.
#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
pub(crate) fn refusal(problems: Problems) -> ProtonError {
    ProtonError::validation(problems.to_string())
}
