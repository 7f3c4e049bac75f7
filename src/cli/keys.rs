//! The access keys of an installation on this machine: made at the first start, kept beside the record.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{Exit, Failure};
use crate::settings::Resolved;
use crate::support::{Secret, credential, files};

/// An access key's id and its secret.
pub(super) type KeyPair = (String, Secret);

/// The keys that `up`, `serve` and `demo` print and use: one for people, one for the agent of the same process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LocalKeys {
    pub(super) admin: KeyPair,
    pub(super) agent: KeyPair,
}

impl LocalKeys {
    /// The ids of both, which must never reach Terraform.
    pub(super) fn ids(&self) -> Vec<String> {
        vec![self.admin.0.clone(), self.agent.0.clone()]
    }

    fn path(data: &Path) -> PathBuf {
        data.join("keys.json")
    }

    /// Reads the keys of a data folder, or makes them.
    ///
    /// # Errors
    /// The folder can't be read or written.
    pub(super) fn open(data: &Path) -> Result<Self, Failure> {
        let path = Self::path(data);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let keys = Self { admin: credential::new_key(), agent: credential::new_key() };
                let text = serde_json::to_vec_pretty(&keys).context("writing keys as JSON")?;
                // Temporary files are made for their owner alone, and a rename keeps that.
                files::write_atomically(&path, &text).with_context(|| format!("writing {}", path.display()))?;
                Ok(keys)
            }
            Err(error) => Err(Failure::from(error).hint(format!("check who owns {}", path.display()))),
        }
    }
}

/// The key of the people at this machine's own installation.
///
/// # Errors
/// There is no installation.
pub(super) fn of_this_machine(settings: &Resolved) -> Result<KeyPair, Failure> {
    let data = PathBuf::from(settings.text("data").unwrap_or_default());
    if !LocalKeys::path(&data).exists() {
        let words =
            anyhow::anyhow!("there is no access key: none is set, and the data folder {} holds none", data.display());
        return Err(Failure::new(Exit::Settings, words)
            .hint("start `hadron up` and run the `export` lines that it prints, or name its folder with --data")
            .hint("for a server elsewhere set HADRON_ENDPOINT, HADRON_ACCESS_KEY_ID and HADRON_SECRET_ACCESS_KEY"));
    }
    Ok(LocalKeys::open(&data)?.admin)
}
