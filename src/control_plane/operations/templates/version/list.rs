//! ListEnvironmentTemplateVersions and ListServiceTemplateVersions.

use std::collections::BTreeMap;

use hadron_model::TemplateVersionStatus;

use super::super::existing;
use super::{Shown, recommended_minor};
use crate::control_plane::operations::listing::{Listing, Page};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateKind, TemplateVersion};
use crate::control_plane::store::{Document, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// A page of the minors of a major, or of the majors when none is named.
pub(crate) async fn list(
    plane: &Plane,
    call: &Call,
    (kind, template, major): (TemplateKind, String, Option<String>),
    listing: Listing,
) -> Result<Page<Shown>, ProtonError> {
    let scope = call.scope.clone();
    plane
        .store
        .read(move |tx| {
            let template = existing(tx, &scope, kind, &template)?;
            match &major {
                Some(major) => minors(tx, &scope, &template, major, &listing),
                None => majors(tx, &scope, &template, &listing),
            }
        })
        .await
}

fn minors(
    tx: &mut dyn Transaction,
    scope: &Scope,
    template: &Template,
    major: &str,
    listing: &Listing,
) -> Result<Page<Shown>, ProtonError> {
    let value = format!("{}:{major}", template.key());
    let recommended_minor = recommended_minor(tx, scope, &value)?;
    let page = listing.page::<TemplateVersion>(tx, ("major", &value), false, |_| true)?;
    Ok(page.map(|stored| Shown { version: stored.value, recommended_minor }))
}

/// One row a major: its recommended minor, or its highest while none is published.
fn majors(
    tx: &mut dyn Transaction,
    scope: &Scope,
    template: &Template,
    listing: &Listing,
) -> Result<Page<Shown>, ProtonError> {
    let published = |version: &TemplateVersion| version.status == TemplateVersionStatus::Published;
    let mut rows: BTreeMap<u64, Shown> = BTreeMap::new();
    // Ascending, so that a later version of the same rank is the higher one.
    for stored in tx.by_term::<TemplateVersion>(scope, "template", &template.key())? {
        let version = stored.value;
        let recommended_minor = match rows.get(&version.version.major) {
            Some(earlier) if !published(&version) && published(&earlier.version) => continue,
            Some(earlier) if !published(&version) => earlier.recommended_minor,
            _ => version.version.minor,
        };
        rows.insert(version.version.major, Shown { version, recommended_minor });
    }
    listing.page_of(rows.into_values().collect(), false, |row| format!("{:020}", row.version.version.major))
}
