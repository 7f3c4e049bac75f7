//! GetEnvironmentTemplateVersion and GetServiceTemplateVersion.

use super::{Named, Shown};
use crate::control_plane::plane::Plane;
use crate::control_plane::wire::{Call, ProtonError};

/// Reads a version.
pub(crate) async fn get(plane: &Plane, call: &Call, named: Named) -> Result<Shown, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let version = named.existing(tx, &scope)?.value;
            Ok(Shown::new(tx, &scope, version)?)
        })
        .await
}
