//! Versions of templates: `major.minor`, registered, then published.
//!
//! ```text
//! REGISTRATION_IN_PROGRESS ──┬──▶ DRAFT ──▶ PUBLISHED
//!                            └──▶ REGISTRATION_FAILED
//! ```

mod create;
mod delete;
mod get;
mod import;
mod list;
mod update;

pub(crate) use create::{NewVersion, create};
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use import::Sound;
pub(crate) use list::list;
pub(crate) use update::{Changes, update};

use hadron_model::CompatibleEnvironmentTemplateInput;
use serde_json::{Value, json};

use super::parse_version;
use super::resolve::{highest, lowest, missing};
use crate::control_plane::records::{CompatibleTemplate, Template, TemplateKind, TemplateVersion};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// A version as requests name it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) kind: TemplateKind,
    pub(crate) template: String,
    pub(crate) major: String,
    pub(crate) minor: String,
}

/// A version with what is told beside it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) version: TemplateVersion,
    /// The recommended minor of its major.
    pub(crate) recommended_minor: u64,
}

impl Named {
    /// The version, which must be there.
    fn existing(&self, tx: &mut dyn Transaction, scope: &Scope) -> Result<Stored<TemplateVersion>, ProtonError> {
        let Self { kind, template, major, minor } = self;
        let version = parse_version(*kind, template, major, minor)?;
        let found = tx.get(scope, &TemplateVersion::key_of(*kind, template, version))?;
        found.ok_or_else(|| missing(*kind, template, version))
    }
}

impl Shown {
    fn new(tx: &mut dyn Transaction, scope: &Scope, version: TemplateVersion) -> Result<Self, StoreError> {
        let recommended_minor = recommended_minor(tx, scope, &major_of(&version))?;
        Ok(Self { version, recommended_minor })
    }
}

/// The recommended minor of a major: the highest that is published. AWS shows one even before anything is published:
/// the first.
fn recommended_minor(tx: &mut dyn Transaction, scope: &Scope, major: &str) -> Result<u64, StoreError> {
    let recommended = match highest(tx, scope, "published_major", major)? {
        Some(published) => Some(published),
        None => lowest(tx, scope, "major", major)?,
    };
    Ok(recommended.map_or(0, |found| found.version.minor))
}

/// The term that all minors of a version's major carry.
fn major_of(version: &TemplateVersion) -> String {
    format!("{}:{}", Template::key_of(version.kind, &version.template), version.version.major)
}

/// What events tell about a version besides its status.
pub(crate) fn detail(version: &TemplateVersion) -> Value {
    let (major, minor) = (version.version.major.to_string(), version.version.minor.to_string());
    json!({ "name": version.template, "majorVersion": major, "minorVersion": minor })
}

/// The environment templates that a service template's version names, each of which must have the major.
fn compatible(
    tx: &mut dyn Transaction,
    scope: &Scope,
    given: &[CompatibleEnvironmentTemplateInput],
) -> Result<Vec<CompatibleTemplate>, ProtonError> {
    let kind = TemplateKind::Environment;
    let mut found: Vec<CompatibleTemplate> = Vec::new();
    for CompatibleEnvironmentTemplateInput { template_name, major_version } in given {
        let major = format!("{}:{major_version}", Template::key_of(kind, template_name));
        let version =
            highest(tx, scope, "major", &major)?.ok_or_else(|| missing(kind, template_name, major_version))?;
        let entry = CompatibleTemplate { template: version.template, major: version.version.major };
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}
