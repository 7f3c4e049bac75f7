//! Which database keeps the record.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::cli::{Exit, Failure};
use crate::control_plane::store::{Sqlite, Store};
use crate::settings::Resolved;

/// Opens the record that the settings name.
///
/// # Errors
/// It can't be opened, with the remedy.
pub(super) fn open(settings: &Resolved, data: &Path) -> Result<Store, Failure> {
    let path = match settings.text("database") {
        None => data.join("hadron.db"),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) => PathBuf::from(path),
            None => {
                return Err(Failure::new(Exit::Settings, anyhow!("`database` is {url}, which this build can't open"))
                    .hint("use sqlite:PATH"));
            }
        },
    };
    Sqlite::open(&path).map(Store::new).map_err(|error| {
        let what = format!("opening the record {}", path.display());
        Failure::new(Exit::Settings, anyhow::Error::from(error).context(what))
    })
}
