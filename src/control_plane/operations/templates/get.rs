//! GetEnvironmentTemplate and GetServiceTemplate.

use super::existing;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::wire::{Call, ProtonError};

/// Reads a template.
pub(crate) async fn get(plane: &Plane, call: &Call, kind: TemplateKind, name: String) -> Result<Template, ProtonError> {
    let scope = call.scope.clone();
    plane.store.read(move |tx| Ok(existing(tx, &scope, kind, &name)?.value)).await
}
