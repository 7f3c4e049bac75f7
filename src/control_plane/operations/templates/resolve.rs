//! Which version of a template a deployment means.

use std::fmt;

use hadron_model::TemplateVersionStatus;

use super::{noun, version_called};
use crate::control_plane::records::{Template, TemplateKind, TemplateVersion, Version};
use crate::control_plane::store::{Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// Finds the version that a resource is to be deployed with. Without a minor it is the highest published minor of the
/// major, without either the template's recommended version. A draft is used only when its minor is named.
///
/// # Errors
/// `ResourceNotFoundException` for a template, major or version that isn't there; `ValidationException` for a minor
/// without a major; `ConflictException` when there is nothing published or the version isn't registered.
pub(crate) fn resolve_version(
    tx: &mut dyn Transaction,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    major: Option<&str>,
    minor: Option<&str>,
) -> Result<Stored<TemplateVersion>, ProtonError> {
    let what = format!("{} {template}", noun(kind));
    let key = Template::key_of(kind, template);
    let known = tx.get::<Template>(scope, &key)?.is_some();
    if !known {
        return Err(ProtonError::not_found(format!("{what} doesn't exist")));
    }
    match (major, minor) {
        (None, Some(_)) => Err(ProtonError::validation("A template minor version needs a template major version")),
        (None, None) => highest_stored(tx, scope, "published", &key)?.ok_or_else(|| unpublished(&what)),
        (Some(major), None) => {
            let what = version_called(kind, template, major);
            match highest_stored(tx, scope, "published_major", &format!("{key}:{major}"))? {
                Some(version) => Ok(version),
                None if highest(tx, scope, "major", &format!("{key}:{major}"))?.is_some() => Err(unpublished(&what)),
                None => Err(ProtonError::not_found(format!("{what} doesn't exist"))),
            }
        }
        (Some(major), Some(minor)) => {
            let version = parse_version(kind, template, major, minor)?;
            let found = tx.get::<TemplateVersion>(scope, &TemplateVersion::key_of(kind, template, version))?;
            usable(found.ok_or_else(|| missing(kind, template, version))?)
        }
    }
}

/// Reads `major` and `minor` as they come over the wire: digits without leading zeros, up to twenty of them.
///
/// # Errors
/// `ResourceNotFoundException` for numbers beyond any version.
pub(crate) fn parse_version(
    kind: TemplateKind,
    template: &str,
    major: &str,
    minor: &str,
) -> Result<Version, ProtonError> {
    if let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) {
        return Ok(Version { major, minor });
    }
    Err(missing(kind, template, format_args!("{major}.{minor}")))
}

/// The last version that carries a term.
pub(super) fn highest(
    tx: &mut dyn Transaction,
    scope: &Scope,
    term: &str,
    value: &str,
) -> Result<Option<TemplateVersion>, StoreError> {
    Ok(highest_stored(tx, scope, term, value)?.map(|stored| stored.value))
}

/// The first version that carries a term.
pub(super) fn lowest(
    tx: &mut dyn Transaction,
    scope: &Scope,
    term: &str,
    value: &str,
) -> Result<Option<TemplateVersion>, StoreError> {
    let select = Select { term, value, after: None, descending: false, limit: 1 };
    Ok(tx.page(scope, &select)?.pop().map(|stored| stored.value))
}

fn highest_stored(
    tx: &mut dyn Transaction,
    scope: &Scope,
    term: &str,
    value: &str,
) -> Result<Option<Stored<TemplateVersion>>, StoreError> {
    let select = Select { term, value, after: None, descending: true, limit: 1 };
    Ok(tx.page(scope, &select)?.pop())
}

fn usable(version: Stored<TemplateVersion>) -> Result<Stored<TemplateVersion>, ProtonError> {
    use TemplateVersionStatus as S;
    let what = version_called(version.kind, &version.template, version.value.version);
    match version.status {
        S::Draft | S::Published => Ok(version),
        S::RegistrationInProgress => Err(ProtonError::conflict(format!("{what} is still being registered"))),
        S::RegistrationFailed => {
            let reason = &version.status_message;
            Err(ProtonError::conflict(format!("{what} failed its registration and can't be deployed: {reason}")))
        }
    }
}

/// That a version isn't there.
pub(super) fn missing(kind: TemplateKind, template: &str, number: impl fmt::Display) -> ProtonError {
    ProtonError::not_found(format!("{} doesn't exist", version_called(kind, template, number)))
}

fn unpublished(what: &str) -> ProtonError {
    ProtonError::conflict(format!(
        "{what} has nothing published. Set the status of a version to PUBLISHED, or name its minor version to use a draft"
    ))
}
