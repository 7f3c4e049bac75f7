//! The access keys of an installation on this machine: made at the first start, kept beside the record.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Exit, Failure};
use crate::control_plane::seal::{MasterKey, SealError};
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

    /// The keys that the settings carry, where no data folder lasts: in containers. Nobody is shown these.
    ///
    /// # Errors
    /// They aren't what a `keys.json` holds.
    pub(super) fn given(settings: &Resolved) -> Result<Option<Self>, Failure> {
        let Some(text) = settings.text("keys") else { return Ok(None) };
        // The parser's own message could show a part of a secret.
        let keys = serde_json::from_str(&text).map_err(|_| {
            Failure::new(Exit::Settings, anyhow::anyhow!("`keys` (HADRON_KEYS) isn't the text of a keys.json"))
                .hint("it is {\"admin\": [\"ID\", \"SECRET\"], \"agent\": [\"ID\", \"SECRET\"]}, as `hadron serve` makes it in a data folder")
        })?;
        Ok(Some(keys))
    }

    fn path(data: &Path) -> PathBuf {
        data.join("keys.json")
    }

    /// Reads the keys of a data folder, or makes them. Under a master key that doesn't lie beside them they are wrapped;
    /// beside it that would protect nothing.
    ///
    /// # Errors
    /// The folder can't be read or written, or the keys are wrapped by another master key.
    pub(super) async fn open(data: &Path, masters: &Masters) -> Result<Self, Failure> {
        let path = Self::path(data);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let keys = Self { admin: credential::new_key(), agent: credential::new_key() };
                keys.write(&path, masters.wrapping()).await?;
                return Ok(keys);
            }
            Err(error) => return Err(Failure::from(error).hint(format!("check who owns {}", path.display()))),
            Ok(bytes) => bytes,
        };
        let reading = || format!("reading {}", path.display());
        let (keys, as_wanted) = match kept(&path, &bytes)? {
            Kept::Plain(keys) => (keys, masters.beside),
            Kept::Wrapped { wrapped } => {
                let (plain, by_current) = masters.unwrap(&wrapped).await.with_context(reading)?;
                (serde_json::from_slice(&plain).with_context(reading)?, by_current && !masters.beside)
            }
        };
        if !as_wanted {
            keys.write(&path, masters.wrapping()).await?;
        }
        Ok(keys)
    }

    /// Reads the keys of a data folder, fetching its master key only if they are wrapped.
    async fn read(settings: &Resolved, data: &Path) -> Result<(Self, Option<Masters>), Failure> {
        let path = Self::path(data);
        let reading = || format!("reading {}", path.display());
        match kept(&path, &fs::read(&path).with_context(reading)?)? {
            Kept::Plain(keys) => Ok((keys, None)),
            Kept::Wrapped { .. } => {
                let masters = super::serve::master_key::of_folder(settings, data).await?;
                Ok((Self::open(data, &masters).await?, Some(masters)))
            }
        }
    }

    async fn write(&self, path: &Path, wrapping: Option<&MasterKey>) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(self).context("writing keys as JSON")?;
        if let Some(master) = wrapping {
            let wrapped = master.wrap(&text, PLACE).await.context("wrapping the keys of this folder")?;
            text = serde_json::to_vec_pretty(&json!({ "wrapped": wrapped })).context("writing keys as JSON")?;
        }
        // Temporary files are made for their owner alone, and a rename keeps that.
        Ok(files::write_atomically(path, &text).with_context(|| format!("writing {}", path.display()))?)
    }
}

/// What binds the keys to their file.
const PLACE: &str = "keys.json";

/// The file's two forms.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Wrapped { wrapped: String },
    Plain(LocalKeys),
}

/// Reads a file of keys.
fn kept(path: &Path, bytes: &[u8]) -> Result<Kept, Failure> {
    // The parser's own message could show a part of a secret.
    serde_json::from_slice(bytes).map_err(|_| {
        Failure::new(Exit::Settings, anyhow::anyhow!("{} holds no keys", path.display()))
            .hint("put it back from a copy, or move it away: the next start makes new keys")
    })
}

/// The master key of a data folder.
#[derive(Debug)]
pub(super) struct Masters {
    pub(super) current: MasterKey,
    /// The one before it, while it is being changed.
    pub(super) previous: Option<MasterKey>,
    /// Whether it lies in the folder itself.
    pub(super) beside: bool,
}

impl Masters {
    /// What wraps the keys of the folder, if anything does.
    fn wrapping(&self) -> Option<&MasterKey> {
        (!self.beside).then_some(&self.current)
    }

    /// What was wrapped, and whether the current key did it.
    async fn unwrap(&self, wrapped: &str) -> Result<(Vec<u8>, bool), SealError> {
        match (self.current.unwrap(wrapped, PLACE).await, &self.previous) {
            (Err(SealError::Broken), Some(previous)) => Ok((previous.unwrap(wrapped, PLACE).await?, false)),
            (plain, _) => Ok((plain?, true)),
        }
    }
}

impl LocalKeys {
    /// Puts a new pair in the place of the one with the id `old`, if a data folder holds that, and says whether it did.
    ///
    /// # Errors
    /// The folder can't be read or written.
    pub(super) async fn replace(
        settings: &Resolved,
        data: &Path,
        old: &str,
        (id, secret): (&str, Secret),
    ) -> Result<bool, Failure> {
        let path = Self::path(data);
        if !path.exists() {
            return Ok(false);
        }
        let (mut keys, masters) = Self::read(settings, data).await?;
        let Some(pair) = [&mut keys.admin, &mut keys.agent].into_iter().find(|pair| pair.0 == old) else {
            return Ok(false);
        };
        *pair = (id.to_owned(), secret);
        keys.write(&path, masters.as_ref().and_then(Masters::wrapping)).await?;
        Ok(true)
    }
}

/// Whether this machine's own installation has keys.
pub(super) fn at_hand(settings: &Resolved) -> bool {
    settings.text("keys").is_some() || LocalKeys::path(Path::new(&settings.text("data").unwrap_or_default())).exists()
}

/// The key of the people at this machine's own installation.
///
/// # Errors
/// There is no installation.
pub(super) fn of_this_machine(settings: &Resolved) -> Result<KeyPair, Failure> {
    if let Some(keys) = LocalKeys::given(settings)? {
        return Ok(keys.admin);
    }
    let data = PathBuf::from(settings.text("data").unwrap_or_default());
    if !LocalKeys::path(&data).exists() {
        let words =
            anyhow::anyhow!("there is no access key: none is set, and the data folder {} holds none", data.display());
        return Err(Failure::new(Exit::Settings, words)
            .hint("start `hadron up` and run the `export` lines that it prints, or name its folder with --data")
            .hint("for a server elsewhere set HADRON_ENDPOINT, HADRON_ACCESS_KEY_ID and HADRON_SECRET_ACCESS_KEY, or AWS_PROFILE to the profile that `hadron client install` wrote for it"));
    }
    // On a thread and a runtime of its own: whoever asks may be on one that must not wait.
    let opened = std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(LocalKeys::read(settings, &data))
        });
        opening.join()
    });
    Ok(opened.unwrap_or_else(|_| Err(anyhow::anyhow!("reading the keys of this folder panicked").into()))?.0.admin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_keys_is_named_with_the_way_out() {
        let failure = kept(Path::new("x/keys.json"), b"{\"admin\": [\"ID\", \"geheim\"").err().unwrap().words();
        assert!(failure.contains("x/keys.json holds no keys") && failure.contains("the next start makes new keys"));
        assert!(!failure.contains("geheim"), "{failure}");
    }
}
