//! What every imported target is made of.

use hadron_model::hadron::{ImportedOutput, VersionOf};

use crate::control_plane::operations::templates::resolve_version;
use crate::control_plane::records::{Output, TemplateKind, TemplateVersion};
use crate::control_plane::store::{Stored, Transaction};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// The version that a target was deployed with.
///
/// # Errors
/// As [`resolve_version`].
pub(crate) fn imported_version(
    tx: &mut dyn Transaction,
    scope: &Scope,
    kind: TemplateKind,
    version: &VersionOf,
) -> Result<Stored<TemplateVersion>, ProtonError> {
    let (major, minor) = (version.major.to_string(), version.minor.to_string());
    resolve_version(tx, scope, kind, &version.template_name, Some(&major), Some(&minor))
}

/// Outputs as the record keeps them. Proton knew no sensitive ones: what it wrote into repositories lies there in clear.
pub(crate) fn given_outputs(outputs: Option<&[ImportedOutput]>) -> Vec<Output> {
    let plain = |it: &ImportedOutput| Output::Plain { key: it.key.clone(), value: it.value.clone() };
    outputs.unwrap_or_default().iter().map(plain).collect()
}
