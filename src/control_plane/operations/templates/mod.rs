//! Templates and their versions: one set of rules for environment and service templates.
//!
//! The two kinds differ in their words on the wire; [`super::environment_template`] and [`super::service_template`]
//! translate those and nothing more.

mod create;
mod delete;
mod get;
mod list;
mod resolve;
mod update;
pub(crate) mod version;

pub(crate) use create::{NewTemplate, create};
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use list::list;
pub(crate) use resolve::{parse_version, resolve_version};
pub(crate) use update::update;

use std::fmt;

use serde_json::{Value, json};

use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// A template's status, which no shape shows but events tell: without any published version, and with one.
const DRAFT: &str = "DRAFT";
const PUBLISHED: &str = "PUBLISHED";

/// The kind as messages call it.
pub(crate) fn noun(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Environment => "Environment template",
        TemplateKind::Service => "Service template",
    }
}

/// A version, minor or major, as messages begin: `Version 1.0 of environment template net`.
fn version_called(kind: TemplateKind, template: &str, number: impl fmt::Display) -> String {
    format!("Version {number} of {} {template}", noun(kind).to_lowercase())
}

/// A template that must be there.
fn existing(
    tx: &mut dyn Transaction,
    scope: &Scope,
    kind: TemplateKind,
    name: &str,
) -> Result<Stored<Template>, ProtonError> {
    let found = tx.get(scope, &Template::key_of(kind, name))?;
    found.ok_or_else(|| ProtonError::not_found(format!("{} {name} doesn't exist", noun(kind))))
}

/// The status that events tell.
fn status(template: &Template) -> &'static str {
    if template.recommended.is_some() { PUBLISHED } else { DRAFT }
}

/// What events tell about a template besides its status.
fn detail(name: &str) -> Value {
    json!({ "name": name })
}

#[cfg(test)]
mod tests;
