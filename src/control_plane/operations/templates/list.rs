//! ListEnvironmentTemplates and ListServiceTemplates.

use crate::control_plane::operations::listing::{Listing, Page};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::store::Stored;
use crate::control_plane::wire::ProtonError;

/// A page of templates, by name.
pub(crate) async fn list(plane: &Plane, kind: TemplateKind, listing: Listing) -> Result<Page<Template>, ProtonError> {
    let value = |stored: Stored<Template>| stored.value;
    plane.store.read(move |tx| Ok(listing.page(tx, ("kind", kind.resource()), false, |_| true)?.map(value))).await
}
