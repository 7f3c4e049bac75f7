//! DeleteEnvironmentTemplate and DeleteServiceTemplate.

use super::resolve::highest;
use super::{detail, existing, noun, status};
use crate::control_plane::operations::{history, tags, template_sync};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::store::{Document, Typed};
use crate::control_plane::wire::{Call, ProtonError};

/// Removes a template that has no versions left.
pub(crate) async fn delete(
    plane: &Plane,
    call: &Call,
    kind: TemplateKind,
    name: String,
) -> Result<Template, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            let template = existing(tx, &scope, kind, &name)?;
            if let Some(left) = highest(tx, &scope, "template", &template.key())? {
                let (what, version) = (noun(kind), left.version);
                return Err(ProtonError::conflict(format!(
                    "{what} {name} still has versions, {version} among them; delete all of its versions first"
                )));
            }
            let arn = scope.arn(template.key());
            tx.delete(&scope, &template)?;
            tags::remove_tags(tx, &scope, &arn)?;
            template_sync::forget(tx, &scope, &template.key())?;
            history::append(tx, &scope, &arn, Some(status(&template)), history::DELETED, &detail(&name), now)?;
            Ok(template.value)
        })
        .await
}
