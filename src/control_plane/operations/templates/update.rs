//! UpdateEnvironmentTemplate and UpdateServiceTemplate.

use super::existing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// Changes what people read about a template; what isn't given stays.
pub(crate) async fn update(
    plane: &Plane,
    call: &Call,
    kind: TemplateKind,
    name: String,
    (display_name, description): (Option<String>, Option<String>),
) -> Result<Template, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            let mut template = existing(tx, &scope, kind, &name)?;
            template.display_name = display_name.clone().or_else(|| template.display_name.clone());
            template.description = description.clone().or_else(|| template.description.clone());
            template.last_modified_at = now;
            tx.save(&scope, &mut template)?;
            Ok(template.value)
        })
        .await
}
