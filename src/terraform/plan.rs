//! A plan that is saved, shown to people, and applied as it was shown.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::applied::Journal;
use super::session::PLAN_DIFFERS;
use super::step::{Step, StepDir};
use super::{Applied, Changes, Event, Mode, Session, TerraformError, args};
use crate::support::files;

/// The file in the folder of `show` that says that people can read what it gave.
const SHOWN: &str = "shown";

/// What a saved plan would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// SHA-256 of the plan file, in lower-case hexadecimal: the plan's name.
    pub digest: String,
    /// How many resources it would change.
    pub changes: Changes,
    /// Whether it would do anything at all, as Terraform says: new values of outputs are something too.
    pub differs: bool,
}

impl Plan {
    fn of(journal: &Journal, digest: String) -> Self {
        Self { digest, changes: journal.intended, differs: journal.code == PLAN_DIFFERS }
    }

    /// The plan in one line.
    pub fn summary(&self) -> String {
        let Changes { add, change, remove } = self.changes;
        format!("{add} to add, {change} to change, {remove} to destroy")
    }
}

impl Session {
    /// Writes down what an apply or a destroy would do, and changes nothing. The state is locked only meanwhile.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn plan(
        &self,
        mode: Mode,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Plan, TerraformError> {
        let file = self.plan_file();
        // The file holds every value in clear, those of the state and sensitive ones too. So it stays in this directory,
        // for its owner alone. Who lets it wait seals it, and removes it when the apply is over: see `forget_plan`.
        let folder = self.run_dir.join("plan");
        files::create_private_folder(&folder).map_err(TerraformError::io("creating", &folder))?;
        let words = || args::plan(mode, self.lock_timeout, &file);
        let journal = match self.run(Step::Plan, words(), stop, on_event).await {
            Err(error) if self.doubts_its_copy(Step::Plan, &error) => {
                match self.init_after_all(Step::Plan, stop).await? {
                    true => self.run(Step::Plan, words(), stop, on_event).await?,
                    false => return Err(error),
                }
            }
            journal => journal?,
        };
        match fs::set_permissions(&file, fs::Permissions::from_mode(0o600)) {
            // An earlier life has got this far, and the file was removed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TerraformError::PlanGone { file }),
            Err(error) => Err(TerraformError::io("protecting", &file)(error)),
            Ok(()) => Ok(Plan::of(&journal, self.plan_digest()?)),
        }
    }

    /// The plan of an earlier life, whose file the caller keeps elsewhere.
    ///
    /// # Errors
    /// As [`Session::plan`].
    pub async fn recall_plan(
        &self,
        mode: Mode,
        digest: String,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Plan, TerraformError> {
        let words = args::plan(mode, self.lock_timeout, &self.plan_file());
        let journal = self.run(Step::Plan, words, stop, on_event).await?;
        Ok(Plan::of(&journal, digest))
    }

    /// Whether what [`Session::show_plan`] gave has reached people, in this life or an earlier one.
    pub fn plan_was_shown(&self) -> bool {
        self.run_dir.join(Step::Show.folder()).join(SHOWN).exists()
    }

    /// Notes that it has.
    pub fn note_shown(&self) {
        // If not, it is shown once more.
        fs::write(self.run_dir.join(Step::Show.folder()).join(SHOWN), b"").ok();
    }

    /// The saved plan as people read it; Terraform hides sensitive values.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn show_plan(&self, stop: &CancellationToken) -> Result<String, TerraformError> {
        let text = self.shown(args::show(&self.plan_file()), stop).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The saved plan as a document, JSON. It holds every value in clear; no copy of it stays on disk.
    ///
    /// # Errors
    /// See [`TerraformError`].
    pub async fn plan_document(&self, stop: &CancellationToken) -> Result<Vec<u8>, TerraformError> {
        self.shown(args::show_document(&self.plan_file()), stop).await
    }

    async fn shown(&self, words: Vec<String>, stop: &CancellationToken) -> Result<Vec<u8>, TerraformError> {
        let folder = self.run_dir.join(Step::Show.folder());
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(TerraformError::io("removing", &folder))?;
        }
        let ran = self.run(Step::Show, words, stop, &mut |_| {}).await;
        let path = StepDir::new(&folder).stdout();
        let text = fs::read(&path).map_err(TerraformError::io("reading", &path));
        fs::remove_file(&path).map_err(TerraformError::io("removing", &path))?;
        ran?;
        text
    }

    /// Does what the saved plan of this digest says. See [`Session::apply`].
    ///
    /// # Errors
    /// [`TerraformError::OtherPlan`]; [`TerraformError::is_stale_plan`] tells that the state has moved on since.
    pub async fn apply_plan(
        &self,
        mode: Mode,
        digest: &str,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Applied, TerraformError> {
        let found = self.plan_digest()?;
        if found != digest {
            return Err(TerraformError::OtherPlan { approved: digest.to_owned(), found });
        }
        self.follow_apply(mode, stop, on_event).await
    }

    /// Starts the apply of the saved plan, or comes back to it.
    ///
    /// # Errors
    /// As [`Session::apply_plan`].
    pub async fn follow_apply(
        &self,
        mode: Mode,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Applied, TerraformError> {
        // The plan has read what there is, and the apply of a saved plan doesn't again.
        let mut known = Journal::default();
        let planned = StepDir::new(self.run_dir.join(Step::Plan.folder())).stdout();
        let events = fs::read_to_string(planned).unwrap_or_default();
        events.lines().for_each(|line| known.note(&Event::parse(line)));
        let mut note = |event: &Event| {
            known.note(event);
            on_event(event);
        };
        let words = args::apply_plan(self.lock_timeout, &self.plan_file());
        self.run(mode.step(), words, stop, &mut note).await?;
        self.complete(known.applied()).await
    }

    /// Removes the plan file, if it is there: once the apply has ended, and while people decide.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn forget_plan(&self) -> Result<(), TerraformError> {
        let file = self.plan_file();
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TerraformError::io("removing", &file)(error)),
            _ => Ok(()),
        }
    }

    fn plan_digest(&self) -> Result<String, TerraformError> {
        let file = self.plan_file();
        let bytes = fs::read(&file).map_err(TerraformError::io("reading", &file))?;
        Ok(hex::encode(Sha256::digest(bytes)))
    }

    /// Where the plan lies in clear, between plan and apply.
    pub fn plan_file(&self) -> PathBuf {
        self.run_dir.join("plan").join("plan.tfplan")
    }
}
