//! Which repository a template's versions come from.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-template-sync-configs.html>

mod create;
mod delete;
mod get;
mod status;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use create::create;
pub(crate) use delete::{delete, forget};
pub(crate) use get::get;
pub(crate) use status::status;
pub(crate) use update::update;

use hadron_model as model;
use hadron_model::TemplateType;

use crate::control_plane::records::{Template, TemplateKind, TemplateSyncConfig};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

fn kind_of(template_type: TemplateType) -> TemplateKind {
    match template_type {
        TemplateType::Environment => TemplateKind::Environment,
        TemplateType::Service => TemplateKind::Service,
    }
}

/// A template's configuration.
///
/// # Errors
/// `ResourceNotFoundException`.
fn existing(
    tx: &mut dyn Transaction,
    scope: &Scope,
    template_type: TemplateType,
    name: &str,
) -> Result<Stored<TemplateSyncConfig>, ProtonError> {
    let key = Template::key_of(kind_of(template_type), name);
    tx.get(scope, &key)?.ok_or_else(|| ProtonError::not_found(format!("{key} has no template sync configuration")))
}

fn shown(it: &TemplateSyncConfig) -> model::TemplateSyncConfig {
    model::TemplateSyncConfig {
        branch: it.branch.clone(),
        repository_name: it.repository.name.clone(),
        repository_provider: it.repository.provider,
        subdirectory: it.subdirectory.clone(),
        template_name: it.template.clone(),
        template_type: match it.kind {
            TemplateKind::Environment => TemplateType::Environment,
            TemplateKind::Service => TemplateType::Service,
        },
    }
}
