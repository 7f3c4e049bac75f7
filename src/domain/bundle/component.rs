//! A component's two texts as a bundle, so that components are stored, checked and rendered as everything else.

use super::manifest::{MANIFEST, Manifest};
use super::{BundleKind, Files, check_bundle, pack};
use crate::domain::{Problem, Problems};

/// Packs a component's manifest and the template that it names; the same texts give the same bytes.
///
/// # Errors
/// Every mistake in the two, called `manifest` and `templateFile` as in the request.
pub fn pack_component(manifest: &str, template_file: &str) -> Result<Vec<u8>, Problems> {
    let path = format!("infrastructure/{MANIFEST}");
    let template = match Manifest::parse(&path, manifest) {
        Ok(parsed) => format!("infrastructure/{}", parsed.single_file()),
        Err(problems) => return Err(renamed(problems)),
    };
    if template.matches('/').count() > 1 || template.contains("..") {
        let message = "a component is one file without a folder";
        return Err(Problem::of("manifest", message, "write file: \"component.tf\"").into());
    }
    let files = Files::from([(path, manifest.as_bytes().to_vec()), (template, template_file.as_bytes().to_vec())]);
    check_bundle(BundleKind::Component, files.clone(), false).map_err(renamed)?;
    pack(&files).map_err(|error| Problem::of("templateFile", format!("can't be packed: {error}"), "").into())
}

/// The problems by the names of the request's arguments instead of paths that the requester never saw.
fn renamed(problems: Problems) -> Problems {
    let rename = |problem: Problem| {
        let file = if problem.file.ends_with(MANIFEST) { "manifest" } else { "templateFile" };
        Problem { file: file.into(), ..problem }
    };
    Problems(problems.0.into_iter().map(rename).collect())
}
