//! Sealing: values that lie in the record encrypted, under a key that doesn't.
//!
//! AES-256-GCM with a random nonce each. What a value belongs to is bound into its seal as associated data, so that a
//! ciphertext that someone copies to another place can't be opened there.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use aes_gcm::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::domain::Scope;
use crate::support::files::sync_folder;

/// Names the form of what follows, so that a later form can be told apart.
const FORM: &str = "v1.";
/// AES-GCM's nonce, in bytes.
const NONCE: usize = 12;

/// Why a value can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum SealError {
    /// The key's file can't be read or made.
    #[error("the master key {path} can't be used")]
    KeyFile {
        path: String,
        #[source]
        source: io::Error,
    },
    /// The file isn't a key: a copy that broke off, or something else of that name.
    #[error("the master key {path} holds {length} bytes instead of 32; restore it from the backup of this record")]
    KeyLength { path: String, length: usize },
    /// Sealed under another key or for another place, or damaged.
    #[error("a sealed value can't be opened with this master key; restore the key that belongs to this record")]
    Broken,
}

/// Seals and opens values; cheap to clone.
#[derive(Clone)]
pub struct Sealer(Aes256Gcm);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// Uses the master key in the file at `path`, and makes a random one if there is none.
    ///
    /// # Errors
    /// That the file can't be read or made, or isn't a key.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let refused = |source| SealError::KeyFile { path: path.display().to_string(), source };
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).map_err(refused)?,
            read => read.map_err(refused)?,
        };
        let length = bytes.len();
        let key: [u8; 32] =
            bytes.try_into().map_err(|_| SealError::KeyLength { path: path.display().to_string(), length })?;
        Ok(Self(Aes256Gcm::new(&Key::<Aes256Gcm>::from(key))))
    }

    /// A sealer whose key dies with it, for tests and for what never outlives the process.
    pub fn ephemeral() -> Self {
        Self(Aes256Gcm::new(&Aes256Gcm::generate_key(OsRng)))
    }

    /// Encrypts a value for one place; `context` names the place and must be given again to open it.
    ///
    /// # Errors
    /// Only for values of many gigabytes.
    pub fn seal(&self, plaintext: &str, context: &str) -> Result<String, SealError> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let payload = Payload { msg: plaintext.as_bytes(), aad: context.as_bytes() };
        let ciphertext = self.0.encrypt(&nonce, payload).map_err(|_| SealError::Broken)?;
        Ok(format!("{FORM}{}", STANDARD.encode([nonce.as_slice(), &ciphertext].concat())))
    }

    /// Opens what [`Sealer::seal`] returned for the same place.
    ///
    /// # Errors
    /// [`SealError::Broken`] for anything else.
    pub fn unseal(&self, sealed: &str, context: &str) -> Result<String, SealError> {
        let bytes = sealed.strip_prefix(FORM).and_then(|text| STANDARD.decode(text).ok()).ok_or(SealError::Broken)?;
        let (nonce, ciphertext) = bytes.split_at_checked(NONCE).ok_or(SealError::Broken)?;
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        let plaintext = self.0.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| SealError::Broken)?;
        String::from_utf8(plaintext).map_err(|_| SealError::Broken)
    }
}

/// The place of a sealed output. Its ciphertext travels from the deployment that made it to those that consume it, so
/// the place is what both know: whose it is and what it is called.
pub fn output_context(scope: &Scope, key: &str) -> String {
    format!("output/{}/{}/{key}", scope.account, scope.region)
}

/// Puts a new key at `path`, whole and synced; if someone else was faster, theirs is the key.
fn create(path: &Path) -> io::Result<Vec<u8>> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A named temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&Aes256Gcm::generate_key(OsRng))?;
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
    fn a_value_is_opened_with_the_key_of_another_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let sealed = Sealer::open(&path).unwrap().seal("geheim ü", "here").unwrap();
        assert_eq!(Sealer::open(&path).unwrap().unseal(&sealed, "here").unwrap(), "geheim ü");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.metadata().unwrap().len(), 32);
    }

    #[test]
    fn a_seal_breaks_in_another_place_under_another_key_and_by_any_flipped_bit() {
        let sealer = Sealer::ephemeral();
        let text = sealer.seal("secret", "here").unwrap();
        assert!(sealer.unseal(&text, "there").is_err());
        assert!(Sealer::ephemeral().unseal(&text, "here").is_err());
        let bytes = STANDARD.decode(&text[FORM.len()..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = format!("{FORM}{}", STANDARD.encode(flipped));
            assert!(sealer.unseal(&flipped, "here").is_err(), "bit {bit}");
        }
        for other in ["", "v1.", "v1.AAAA", "v2.AAAA", "secret", "v1.ü"] {
            assert!(sealer.unseal(other, "here").is_err(), "{other}");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let sealer = Sealer::ephemeral();
        assert_ne!(sealer.seal("a", "c").unwrap(), sealer.seal("a", "c").unwrap());
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, "short").unwrap();
        let error = Sealer::open(&path).unwrap_err();
        assert!(error.to_string().contains("5 bytes instead of 32"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert!(matches!(Sealer::open(&folder.path().join("no/where")), Err(SealError::KeyFile { .. })));
    }
}
