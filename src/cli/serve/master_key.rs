//! Where the master key comes from, and how the record is opened with it.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cli::keys::Masters;
use crate::cli::{Exit, Failure};
use crate::control_plane::seal::keyring::{self, Standing};
use crate::control_plane::seal::{KmsKey, MasterKey, SealError, Sealer};
use crate::control_plane::store::Store;
use crate::settings::Resolved;
use crate::support::files::sync_folder;
use crate::terraform;

/// The file in the data folder that holds the master key unless something else is chosen.
const FILE: &str = "master.key";

/// How long a command may take to print the key.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Env(String),
    Command(String),
    Kms(String),
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("command", line)) if !line.trim().is_empty() => Ok(Self::Command(line.to_owned())),
            Some(("kms", arn)) if !arn.is_empty() => Ok(Self::Kms(arn.to_owned())),
            _ => Err("write file:PATH, env:NAME, command:LINE or kms:KEY-ARN"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Command(line) => write!(f, "command:{line}"),
            Self::Kms(arn) => write!(f, "kms:{arn}"),
        }
    }
}

/// An opened record.
pub(in crate::cli) struct Unsealed {
    /// Opens and seals what is in it.
    pub(in crate::cli) sealer: Sealer,
    /// The master key that it was opened with, and the one before it.
    pub(in crate::cli) masters: Masters,
}

/// Opens the keyring of `record`, which is given without any layer, with the master key that the settings name.
///
/// # Errors
/// The key can't be had or isn't the record's, with the remedy; the record is untouched then.
pub(in crate::cli) async fn unseal(
    settings: &Resolved,
    data: &Path,
    record: &Store,
    now: i64,
) -> Result<Unsealed, Failure> {
    let standing = keyring::standing(record).await.map_err(refused)?;
    let own = data.join(FILE);
    let chosen = source(settings, "master_key")?.unwrap_or_else(|| Source::File(own.clone()));
    let previous = source(settings, "master_key_previous")?;
    if standing == Standing::Unsealed && previous.is_none() && chosen != Source::File(own.clone()) && own.exists() {
        let words = anyhow!("the record's sealed outputs need {}, and `master_key` is {chosen}", own.display());
        return Err(Failure::new(Exit::Settings, words)
            .hint(format!("start once with `master_key_previous` = file:{}", own.display())));
    }
    let may_make = standing != Standing::Sealed && previous.is_none();
    let master = key(&chosen, "master_key", settings, may_make).await?;
    let previous = match previous {
        Some(source) => Some(key(&source, "master_key_previous", settings, false).await?),
        None => None,
    };
    let sealer = keyring::open(record, master.clone(), previous.as_ref(), now).await.map_err(refused)?;
    let beside = chosen == Source::File(own);
    Ok(Unsealed { sealer, masters: Masters { current: master, previous, beside } })
}

/// The master key of a data folder whose record is somewhere else, or isn't opened by this process.
///
/// # Errors
/// The key can't be had, with the remedy.
pub(in crate::cli) async fn of_folder(settings: &Resolved, data: &Path) -> Result<Masters, Failure> {
    let own = Source::File(data.join(FILE));
    let chosen = source(settings, "master_key")?.unwrap_or_else(|| own.clone());
    let current = key(&chosen, "master_key", settings, false).await?;
    Ok(Masters { current, previous: None, beside: chosen == own })
}

fn source(settings: &Resolved, name: &str) -> Result<Option<Source>, Failure> {
    settings.text(name).map(|_| settings.value(name)).transpose().map_err(Failure::from)
}

fn refused(error: SealError) -> Failure {
    let wrong = matches!(error, SealError::WrongMaster { .. });
    let failure = Failure::new(Exit::Settings, anyhow::Error::from(error).context("the record can't be unsealed"));
    if !wrong {
        return failure;
    }
    failure
        .hint("set `master_key` to the source of that key; several servers on one record need the same key")
        .hint("to change the master key, set `master_key_previous` to the source of the old one for one start")
}

/// Fetches a key from its source.
async fn key(source: &Source, setting: &str, settings: &Resolved, may_make: bool) -> Result<MasterKey, Failure> {
    let got = match source {
        Source::Kms(arn) => KmsKey::of(arn)
            .await
            .map(MasterKey::Kms)
            .ok_or_else(|| anyhow!("it isn't the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID")),
        Source::File(path) => file(path, may_make).map(MasterKey::local),
        Source::Env(name) => {
            let (process, _) = settings.surroundings();
            let text = process.get(name).ok_or_else(|| anyhow!("the environment variable {name} isn't set"));
            text.and_then(|text| decoded(text.as_bytes(), "it holds")).map(MasterKey::local)
        }
        Source::Command(line) => command(line.clone()).await.map(MasterKey::local),
    };
    got.map_err(|error| {
        let what = format!("the master key can't be had from {source} (`{setting}`)");
        Failure::new(Exit::Settings, error.context(what))
    })
}

async fn command(line: String) -> anyhow::Result<[u8; 32]> {
    let answer = tokio::task::spawn_blocking(move || terraform::answer(&line, PATIENCE));
    decoded(&answer.await?.context("running the command")?, "the command printed")
}

/// Reads a key's file; makes it if that is allowed and there is none.
fn file(path: &Path, may_make: bool) -> anyhow::Result<[u8; 32]> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => create(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(error).context(
                "the record is sealed under a master key that isn't here: copy the file from the machine that has it, \
                 or restore it from a backup",
            );
        }
        read => read?,
    };
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(key) => Ok(key),
        Err(_) => decoded(&bytes, "the file holds"),
    }
}

/// 32 bytes in base64 or hexadecimal. What isn't is never shown: it may be most of a key.
fn decoded(text: &[u8], holds: &str) -> anyhow::Result<[u8; 32]> {
    let trimmed = text.trim_ascii();
    let bytes = match trimmed.len() {
        64 => hex::decode(trimmed).ok(),
        _ => STANDARD.decode(trimmed).ok(),
    };
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| anyhow!("{holds} {} bytes that aren't a key: 32 bytes in base64 or hexadecimal", text.len()))
}

/// Puts a new key at `path`, whole and synced; if someone else was faster, theirs is the key.
fn create(path: &Path) -> io::Result<Vec<u8>> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A named temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&MasterKey::random())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
        Ok(_) | Err(_) => sync_folder(folder)?,
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_source_names_its_kind_and_its_place() {
        let parse = str::parse::<Source>;
        assert_eq!(parse("file:/a:b").unwrap(), Source::File("/a:b".into()));
        assert_eq!(parse("env:KEY").unwrap(), Source::Env("KEY".into()));
        assert_eq!(parse("command:vault kv get x:y").unwrap(), Source::Command("vault kv get x:y".into()));
        assert_eq!(parse("kms:arn:aws:kms:r:1:key/k").unwrap(), Source::Kms("arn:aws:kms:r:1:key/k".into()));
        for other in ["", "file:", "env:", "command: ", "/master.key", "FILE:x", "kms"] {
            assert!(parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_only_where_that_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(format!("{:#}", file(&path, false).unwrap_err()).contains("copy the file"));
        assert!(!path.exists());
        let key = file(&path, true).unwrap();
        assert_eq!(file(&path, false).unwrap(), key);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), key);
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_or_hexadecimal_and_nothing_else_is_shown() {
        let key = MasterKey::random();
        assert_eq!(decoded(format!("{}\n", STANDARD.encode(key)).as_bytes(), "").unwrap(), key);
        assert_eq!(decoded(format!(" {}", hex::encode(key)).as_bytes(), "").unwrap(), key);
        for wrong in ["", "short", &STANDARD.encode(&key[1..]), &hex::encode(&key[1..]), &"x".repeat(64)] {
            let words = decoded(wrong.as_bytes(), "it holds").unwrap_err().to_string();
            assert!(words.contains(&format!("holds {} bytes", wrong.len())), "{words}");
            assert!(wrong.is_empty() || !words.contains(wrong), "{words}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, "short").unwrap();
        assert!(file(&path, true).unwrap_err().to_string().contains("5 bytes that aren't a key"));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
