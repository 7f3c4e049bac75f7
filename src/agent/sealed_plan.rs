//! A saved plan while people decide on it: sealed, since Terraform's plan files hold every value in clear.
//!
//! While it waits there is `plan/plan.sealed` in the place of `plan/plan.tfplan` (and beside it only as long as Terraform
//! shows the plan to people): [`MAGIC`], the 32 bytes of the plan's
//! digest, nonce and ciphertext. The key is derived from the secret of the agent's access key and belongs to one attempt
//! at one deployment; the round and the digest are bound in as associated data. So a file from another run, or of another
//! round, doesn't open, and a restarted agent needs nothing but its access key.
//!
//! For the apply the plan lies in clear once more, in the run directory, for its owner alone. Not in a memory file
//! system: Terraform outlives the agent, perhaps in another container, those of containers are small (64 MiB of
//! `/dev/shm`) and are cleared by nobody after a crash, whereas the run directory is; and the work directory beside it
//! holds the same inputs as long as Terraform runs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use crate::support::cipher::Cipher;
use crate::support::files;
use crate::terraform::Session;

/// Begins a sealed plan.
const MAGIC: &[u8] = b"\0hadron-plan\x01";

/// The length of a digest.
const DIGEST: usize = 32;

/// The place of one round's sealed plan.
pub(super) struct SealedPlan {
    clear: PathBuf,
    sealed: PathBuf,
    cipher: Cipher,
    /// What the seal is bound to, besides the digest.
    place: String,
}

impl SealedPlan {
    /// The place in a round of a run; whether something lies there isn't asked yet.
    pub(super) async fn of(
        context: &Context,
        claimed: &Claimed,
        session: &Session,
        round: usize,
    ) -> Result<Self, StepError> {
        let run = format!("{}/{}", claimed.candidate.id, claimed.lease.attempt);
        let cipher = context.proton.cipher(&format!("hadron: seals the saved plans of run {run}")).await?;
        Ok(Self::at(&session.plan_file(), cipher, &run, round))
    }

    fn at(clear: &Path, cipher: Cipher, run: &str, round: usize) -> Self {
        let place = format!("{run}/{round}");
        Self { clear: clear.to_owned(), sealed: sealed_file(clear), cipher, place }
    }

    /// The digest of the plan that an earlier life has sealed, once it is proved that it opens; None if none has.
    ///
    /// # Errors
    /// [`StepError::PlanLost`].
    pub(super) fn digest(&self) -> Result<Option<String>, StepError> {
        if !self.sealed.exists() {
            return Ok(None);
        }
        self.open().map(|(digest, _)| Some(digest))
    }

    /// Puts the sealed file beside the one in clear, which Terraform has still to read: see [`SealedPlan::close`].
    ///
    /// # Errors
    /// [`StepError::PlanLost`] if the file isn't the plan of this digest; or the file system refuses.
    pub(super) fn seal(&self, digest: &str) -> Result<(), StepError> {
        let plan = fs::read(&self.clear).map_err(|error| self.unreadable(&self.clear, error))?;
        let found = Sha256::digest(&plan);
        if hex::encode(found) != digest {
            return Err(self.lost("was changed before it could be sealed"));
        }
        let encrypted = self.cipher.encrypt(&plan, &self.bound_to(&found)).map_err(|_| self.lost("can't be sealed"))?;
        let bytes = [MAGIC, &found, &encrypted].concat();
        // Synced, with its name, before the other one goes.
        files::write_atomically(&self.sealed, &bytes).map_err(StepError::io("writing", &self.sealed))
    }

    /// Removes the plan in clear; from here on only the sealed one is there.
    ///
    /// # Errors
    /// The file system refuses.
    pub(super) fn close(&self) -> Result<(), StepError> {
        remove(&self.clear)
    }

    /// Lays the plan out in clear again, for what Terraform does with it next; the sealed file stays until the apply has
    /// ended.
    ///
    /// # Errors
    /// [`StepError::PlanLost`], also for any plan but the one of this digest.
    pub(super) fn unseal(&self, digest: &str) -> Result<(), StepError> {
        let (found, plan) = self.open()?;
        if found != digest {
            return Err(self.lost("is another one than was decided on"));
        }
        remove(&self.clear)?;
        // Without a name that comes later: a crash leaves half a file, and where that lies is known.
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.clear);
        created.and_then(|mut file| file.write_all(&plan)).map_err(StepError::io("writing", &self.clear))
    }

    fn open(&self) -> Result<(String, Vec<u8>), StepError> {
        const DAMAGED: &str =
            "can't be opened: this agent's access key has changed since, or somebody changed the file";
        let bytes = fs::read(&self.sealed).map_err(|error| self.unreadable(&self.sealed, error))?;
        let rest = bytes.strip_prefix(MAGIC).and_then(<[u8]>::split_first_chunk::<DIGEST>);
        let (digest, encrypted) = rest.ok_or_else(|| self.lost(DAMAGED))?;
        let plan = self.cipher.decrypt(encrypted.to_vec(), &self.bound_to(digest));
        let plan = plan.map_err(|_| self.lost(DAMAGED))?;
        Ok((hex::encode(digest), plan))
    }

    fn bound_to(&self, digest: &[u8]) -> Vec<u8> {
        [self.place.as_bytes(), b"\0", digest].concat()
    }

    fn lost(&self, why: &'static str) -> StepError {
        StepError::PlanLost { path: self.sealed.clone(), why }
    }

    fn unreadable(&self, path: &Path, error: io::Error) -> StepError {
        if error.kind() == io::ErrorKind::NotFound {
            self.lost("is gone")
        } else {
            StepError::io("reading", path)(error)
        }
    }
}

/// Removes a round's sealed plan, which nobody needs any more.
pub(super) fn forget(session: &Session) -> Result<(), StepError> {
    remove(&sealed_file(&session.plan_file()))
}

fn sealed_file(clear: &Path) -> PathBuf {
    clear.with_extension("sealed")
}

fn remove(path: &Path) -> Result<(), StepError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StepError::io("removing", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PLAN: &[u8] = b"PK\x03\x04 with hush-hush inside";

    struct Scene {
        folder: tempfile::TempDir,
        digest: String,
    }

    impl Scene {
        /// A plan of Terraform's, not sealed yet.
        fn planned() -> Self {
            let scene = Self { folder: tempfile::tempdir().unwrap(), digest: hex::encode(Sha256::digest(PLAN)) };
            fs::write(scene.clear(), PLAN).unwrap();
            scene
        }

        fn sealed() -> Self {
            let scene = Self::planned();
            let plan = scene.of(1, "d/1", 0);
            plan.seal(&scene.digest).unwrap();
            plan.close().unwrap();
            scene
        }

        fn of(&self, key: u8, run: &str, round: usize) -> SealedPlan {
            SealedPlan::at(&self.clear(), Cipher::new(&[key; 32]), run, round)
        }

        fn clear(&self) -> PathBuf {
            self.folder.path().join("plan.tfplan")
        }
    }

    fn is_lost<T>(result: &Result<T, StepError>) -> bool {
        matches!(result, Err(StepError::PlanLost { .. }))
    }

    #[test]
    fn a_sealed_plan_lies_alone_and_gives_nothing_away() {
        let scene = Scene::sealed();
        let names: Vec<_> = fs::read_dir(scene.folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, ["plan.sealed"]);
        let path = scene.folder.path().join("plan.sealed");
        assert!(!fs::read(&path).unwrap().windows(4).any(|bytes| bytes == b"hush"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_next_life_opens_it_for_the_apply_and_for_its_owner_alone() {
        let scene = Scene::sealed();
        let plan = scene.of(1, "d/1", 0);
        assert_eq!(plan.digest().unwrap().as_ref(), Some(&scene.digest));
        assert!(!scene.clear().exists(), "asking for the digest lays nothing out");
        // A life before has died over it.
        fs::write(scene.clear(), "half").unwrap();
        plan.unseal(&scene.digest).unwrap();
        assert_eq!(fs::read(scene.clear()).unwrap(), PLAN);
        assert_eq!(fs::metadata(scene.clear()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn another_key_run_or_round_does_not_open_it() {
        let scene = Scene::sealed();
        for (key, run, round) in [(2, "d/1", 0), (1, "d/2", 0), (1, "e/1", 0), (1, "d/1", 1)] {
            let plan = scene.of(key, run, round);
            assert!(is_lost(&plan.digest()) && is_lost(&plan.unseal(&scene.digest)), "{key} {run} {round}");
        }
        assert!(!scene.clear().exists());
    }

    #[test]
    fn a_changed_file_does_not_open_wherever_it_was_changed() {
        let scene = Scene::sealed();
        let path = scene.folder.path().join("plan.sealed");
        let sealed = fs::read(&path).unwrap();
        for at in [0, MAGIC.len(), MAGIC.len() + DIGEST, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert!(is_lost(&scene.of(1, "d/1", 0).digest()), "byte {at}");
        }
        for length in [0, MAGIC.len() + 7, MAGIC.len() + DIGEST + 3, sealed.len() - 1] {
            fs::write(&path, &sealed[..length]).unwrap();
            assert!(is_lost(&scene.of(1, "d/1", 0).digest()), "{length} bytes");
        }
        fs::remove_file(&path).unwrap();
        assert!(is_lost(&scene.of(1, "d/1", 0).unseal(&scene.digest)));
    }

    #[test]
    fn only_the_plan_that_was_decided_on_is_sealed_and_opened() {
        let scene = Scene::planned();
        let plan = scene.of(1, "d/1", 0);
        assert!(is_lost(&plan.seal(&"0".repeat(64))));
        assert_eq!(plan.digest().unwrap(), None);
        plan.seal(&scene.digest).unwrap();
        assert!(is_lost(&plan.unseal(&"0".repeat(64))));
    }
}
