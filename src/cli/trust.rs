//! The certificates that our own clients trust besides the system's.

use std::path::{Path, PathBuf};

use super::{Exit, Failure};
use crate::settings::Resolved;
use crate::support::Trust;

/// What the settings add: `ca_bundle`, and on the server's own machine the certificate that it shows. None if nothing.
///
/// # Errors
/// A file can't be read or holds no certificate.
pub(super) fn of(settings: &Resolved) -> Result<Option<Trust>, Failure> {
    let files: Vec<PathBuf> =
        ["ca_bundle", "tls.cert"].into_iter().filter_map(|name| settings.text(name)).map(PathBuf::from).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let trust = Trust::read(&files).map_err(|error| {
        Failure::new(Exit::Settings, error).hint("`ca_bundle` names a PEM file with the certificates of your authority")
    })?;
    Ok(Some(trust))
}

/// The file of `ca_bundle` by its absolute name, for settings of other programs.
///
/// # Errors
/// The current folder isn't known.
pub(super) fn bundle(settings: &Resolved) -> Result<Option<PathBuf>, Failure> {
    let file = settings.text("ca_bundle");
    Ok(file.map(|file| std::path::absolute(Path::new(&file))).transpose()?)
}
