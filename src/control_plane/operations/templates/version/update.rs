//! UpdateEnvironmentTemplateVersion and UpdateServiceTemplateVersion: publish, describe, allow.

use hadron_model::{
    CompatibleEnvironmentTemplateInput, ServiceTemplateSupportedComponentSourceType, TemplateVersionStatus,
};

use super::super::{self as templates, PUBLISHED, existing, version_called};
use super::{Named, Shown, compatible, detail};
use crate::control_plane::events::Events;
use crate::control_plane::operations::history;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::TemplateVersion;
use crate::control_plane::staleness::upgrade_available;
use crate::control_plane::store::{Document, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// What is to change; what isn't given stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) status: Option<TemplateVersionStatus>,
    pub(crate) description: Option<String>,
    pub(crate) compatible: Option<Vec<CompatibleEnvironmentTemplateInput>>,
    pub(crate) component_sources: Option<Vec<ServiceTemplateSupportedComponentSourceType>>,
}

/// Changes a version; publishing the highest one makes it the recommended one.
pub(crate) async fn update(plane: &Plane, call: &Call, named: Named, changes: Changes) -> Result<Shown, ProtonError> {
    let (scope, now, events) = (call.scope.clone(), call.now, plane.events.clone());
    plane
        .store
        .write(move |tx| {
            let mut version = named.existing(tx, &scope)?;
            let before = version.status;
            changes.apply(tx, &scope, &mut version)?;
            version.last_modified_at = now;
            if version.status == TemplateVersionStatus::Published {
                version.published_at.get_or_insert(now);
            }
            tx.save(&scope, &mut version)?;
            if version.status != before {
                published(&events, tx, &scope, &version, before, now)?;
            }
            Ok(Shown::new(tx, &scope, version.value)?)
        })
        .await
}

impl Changes {
    fn apply(&self, tx: &mut dyn Transaction, scope: &Scope, version: &mut TemplateVersion) -> Result<(), ProtonError> {
        if let Some(status) = self.status {
            version.status = move_to(version, status)?;
        }
        if let Some(description) = &self.description {
            version.description = Some(description.clone());
        }
        if let Some(given) = &self.compatible {
            version.compatible = compatible(tx, scope, given)?;
        }
        if let Some(sources) = &self.component_sources {
            version.component_sources.clone_from(sources);
        }
        Ok(())
    }
}

/// Only DRAFT → PUBLISHED can be asked for; asking for what already is changes nothing.
fn move_to(version: &TemplateVersion, to: TemplateVersionStatus) -> Result<TemplateVersionStatus, ProtonError> {
    use TemplateVersionStatus as S;
    let what = version_called(version.kind, &version.template, version.version);
    match (version.status, to) {
        (from, to) if from == to => Ok(to),
        (S::Draft, S::Published) => Ok(to),
        (S::RegistrationInProgress, S::Published) => {
            Err(ProtonError::conflict(format!("{what} is still being registered")))
        }
        (S::RegistrationFailed, S::Published) => {
            let reason = &version.status_message;
            Err(ProtonError::conflict(format!("{what} failed its registration and can't be published: {reason}")))
        }
        (from, to) => Err(ProtonError::validation(format!(
            "{what} is {from} and can't be made {to}: the only status to ask for is PUBLISHED"
        ))),
    }
}

fn published(
    events: &Events,
    tx: &mut dyn Transaction,
    scope: &Scope,
    version: &TemplateVersion,
    before: TemplateVersionStatus,
    now: i64,
) -> Result<(), ProtonError> {
    let (arn, status) = (scope.arn(version.key()), version.status.as_str());
    history::append(tx, scope, &arn, Some(before.as_str()), status, &detail(version), now)?;
    let mut template = existing(tx, scope, version.kind, &version.template)?;
    if template.recommended.is_none() {
        let (arn, told) = (scope.arn(template.key()), templates::detail(&template.name));
        history::append(tx, scope, &arn, Some(templates::status(&template)), PUBLISHED, &told, now)?;
    }
    if template.recommended < Some(version.version) {
        template.recommended = Some(version.version);
        tx.save(scope, &mut template)?;
        upgrade_available(events, tx, scope, &template, now)?;
    }
    Ok(())
}
