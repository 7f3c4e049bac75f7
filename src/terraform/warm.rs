//! What `init` came to, kept for the next run that reads the same files: `init` is then skipped.
//!
//! ```text
//! KEY.any/         for a work directory without a lock file
//! KEY.DIGEST/      for one with the lock file of that digest
//!   terraform/     .terraform, with links to providers as they are
//!   lock.hcl       .terraform.lock.hcl, if there is one
//! KEY.turn         locked while somebody runs the init of that key
//! ```
//!
//! The key covers all that `init` reads: the binary, its configuration, and every file except values of variables and
//! Proton's note, which Terraform doesn't look at before it plans (OpenTofu may, so there they count). The state's
//! address isn't among it, since the http backend gets it by environment. What init also looks at is the state, which may
//! name providers that the files don't: a run whose Terraform fails before it reads anything is therefore initialised
//! after all, once, and repeated if that came to something else.
//!
//! A copy is made beside its place and renamed; a reader that meets one which is being removed does without.

mod copies;
mod key;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::key::{laid_out, lock_digest};
use super::lock_file::{self, LOCK_FILE as LOCK};
use super::session::Session;
use super::step::{Step, StepDir};
use super::{Event, EventKind, ProviderStore, TerraformError};

const DATA: &str = ".terraform";
const MARKER: &str = "warm.json";

/// The folder of what a run did before it turned out to need an `init` of its own.
pub const SET_ASIDE: &str = "0-warm";

/// Where copies are kept.
#[derive(Debug, Clone)]
pub struct Warm {
    /// The folder; several agents may share it.
    pub folder: PathBuf,
    /// Comments at the beginning or the end of files that name the target, and mean nothing to Terraform.
    pub comments: Vec<String>,
}

/// What a run notes of the copy that it uses.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Marker {
    entry: String,
    /// See [`laid_out`].
    digest: String,
}

impl Session {
    /// Initialises, unless a copy will do. Whoever comes while another is at it waits for that copy.
    pub(super) async fn init_once(&self, stop: &CancellationToken) -> Result<(), TerraformError> {
        let begun = self.run_dir.join(Step::Init.folder()).exists() || self.run_dir.join(SET_ASIDE).exists();
        let Some(warm) = self.warm.as_ref().filter(|_| !begun) else { return self.init_itself(stop).await };
        if self.began_warm() || (!self.work_dir.join(DATA).exists() && self.take(warm)?) {
            return Ok(());
        }
        let key = warm.key(self)?;
        let Some(_turn) = warm.turn(&key, stop).await? else { return self.init_itself(stop).await };
        if !self.work_dir.join(DATA).exists() && self.take(warm)? {
            return Ok(());
        }
        self.init_itself(stop).await
    }

    /// Runs `init`, proves its result and keeps it.
    async fn init_itself(&self, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.init_in(&self.run_dir, stop).await
    }

    async fn init_in(&self, run_dir: &Path, stop: &CancellationToken) -> Result<(), TerraformError> {
        let before = lock_digest(&self.work_dir);
        match &self.providers {
            Some(store) => self.init_from(store, run_dir, stop).await?,
            None => self.run_init(run_dir, &self.env, stop).await?,
        }
        self.backend.verify(&self.work_dir)?;
        if let Some(warm) = &self.warm
            && let Err(error) = warm.keep(self, &before)
        {
            tracing::debug!(%error, "what init came to could not be kept");
        }
        Ok(())
    }

    /// Runs `init` over the provider store, and brings there what it downloads.
    async fn init_from(
        &self,
        store: &ProviderStore,
        run_dir: &Path,
        stop: &CancellationToken,
    ) -> Result<(), TerraformError> {
        let locks = lock_file::read(&self.work_dir);
        let _turn = store.turn(&self.work_dir, stop).await?;
        let Some(env) = store.in_front(&self.work_dir, &self.env)? else {
            return self.run_init(run_dir, &self.env, stop).await;
        };
        self.run_init(run_dir, &env, stop).await?;
        store.adopt(&self.work_dir, &locks)?;
        store.complete(&self.work_dir).map(drop)
    }

    /// Whether this run uses a copy.
    pub fn began_warm(&self) -> bool {
        self.run_dir.join(MARKER).exists()
    }

    /// Lays a copy out, if there is one.
    fn take(&self, warm: &Warm) -> Result<bool, TerraformError> {
        let entry = format!("{}.{}", warm.key(self)?, lock_digest(&self.work_dir));
        let laid = warm.lay(&entry, &self.work_dir).unwrap_or_else(|error| {
            tracing::debug!(%error, "a copy of an init can't be used");
            false
        });
        if !laid {
            return Ok(false);
        }
        if self.backend.verify(&self.work_dir).is_err() {
            self.clear_data()?;
            return Ok(false);
        }
        let note = |source: io::Error| TerraformError::io("writing", &self.run_dir.join(MARKER))(source);
        let digest = laid_out(&self.work_dir).map_err(TerraformError::io("reading", &self.work_dir))?;
        let marker = serde_json::to_vec(&Marker { entry, digest }).map_err(|error| note(error.into()))?;
        if let Some(store) = &self.providers {
            store.used(&self.work_dir);
        }
        fs::create_dir_all(&self.run_dir).map_err(note)?;
        // Not synced, since every run waits for it: one that a power cut leaves empty is taken for that of another copy.
        let new = self.run_dir.join(format!(".{MARKER}.new"));
        fs::write(&new, marker).and_then(|()| fs::rename(&new, self.run_dir.join(MARKER))).map_err(note)?;
        Ok(true)
    }

    fn clear_data(&self) -> Result<(), TerraformError> {
        let data = self.work_dir.join(DATA);
        match fs::remove_dir_all(&data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TerraformError::io("removing", &data)(error)),
            _ => Ok(()),
        }
    }

    /// Whether a step that failed may have missed an `init`: it began on a copy, and Terraform said nothing but that it
    /// can't begin.
    pub fn doubts_its_copy(&self, step: Step, error: &TerraformError) -> bool {
        let failed = matches!(error, TerraformError::Failed { .. });
        failed && self.began_warm() && !self.run_dir.join(SET_ASIDE).join(step.folder()).exists() && {
            let stdout = StepDir::new(self.run_dir.join(step.folder())).stdout();
            fs::read_to_string(stdout).unwrap_or_default().lines().all(|line| says_nothing(&Event::parse(line)))
        }
    }

    /// Initialises after all, once a step has failed that [doubts its copy](Session::doubts_its_copy). True if that came to
    /// something else than the copy; then the step is set aside and may be run again.
    ///
    /// # Errors
    /// What `init` says.
    pub async fn init_after_all(&self, failed: Step, stop: &CancellationToken) -> Result<bool, TerraformError> {
        let aside = self.run_dir.join(SET_ASIDE);
        let path = self.run_dir.join(MARKER);
        let marker = fs::read(&path).map_err(TerraformError::io("reading", &path))?;
        let marker: Marker = serde_json::from_slice(&marker).unwrap_or_default();
        fs::create_dir_all(&aside).map_err(TerraformError::io("creating", &aside))?;
        if !aside.join(Step::Init.folder()).exists() {
            self.clear_data()?;
            if marker.entry.strip_suffix(".any").is_some() {
                fs::remove_file(self.work_dir.join(LOCK)).ok();
            }
        }
        self.init_in(&aside, stop).await?;
        let now = laid_out(&self.work_dir).map_err(TerraformError::io("reading", &self.work_dir))?;
        if now == marker.digest {
            return Ok(false);
        }
        let (from, to) = (self.run_dir.join(failed.folder()), aside.join(failed.folder()));
        fs::rename(&from, &to).map_err(TerraformError::io("moving", &from))?;
        Ok(true)
    }
}

/// What Terraform says when it doesn't even begin.
fn says_nothing(event: &Event) -> bool {
    match &event.kind {
        EventKind::Version { .. } | EventKind::Diagnostic(_) | EventKind::Text => true,
        EventKind::Other { kind, .. } => kind == "log",
        _ => false,
    }
}
