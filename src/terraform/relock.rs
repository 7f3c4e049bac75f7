//! Chooses a template's providers anew, without a deployment: a lock file in, a lock file out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::applied::Journal;
use super::env::{bare_env, lay_home};
use super::session::judge;
use super::step::Step;
use super::{LOCK_FILE, ProviderStore, Terraform, TerraformError, args, child, lock_file, providers};
use crate::support::files;

/// Where and with what providers are chosen.
#[derive(Debug)]
pub struct Relock {
    /// The Terraform to run.
    pub terraform: Terraform,
    /// The `hadron` binary, for `hadron supervise`.
    pub supervisor: PathBuf,
    /// An empty folder for this alone; an absolute path.
    pub folder: PathBuf,
    /// What the site lets through to Terraform.
    pub site: BTreeMap<String, String>,
    /// Where providers are kept for all runs; None = as the site's configuration says.
    pub providers: Option<ProviderStore>,
    /// Besides this machine's, the platforms to lock packages for, such as `linux_arm64`.
    pub platforms: Vec<String>,
}

impl Relock {
    /// Takes the newest providers that the files allow, and returns the lock file that names them; None if they need none.
    /// A lock file among the files is what was chosen before: of a provider that stays, it keeps every digest.
    ///
    /// # Errors
    /// Terraform's own, as [`TerraformError::Failed`]; or the folder can't be written.
    pub async fn run(
        &self,
        files: &BTreeMap<String, Vec<u8>>,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<u8>>, TerraformError> {
        let (work, home) = (self.folder.join("work"), self.folder.join("home"));
        lay_out(&work, files)?;
        let env = bare_env(&self.site, &home)?;
        lay_home(&env)?;
        self.init(&work, &env, stop).await?;
        let lock = work.join(LOCK_FILE);
        if lock_file::read(&work).is_empty() {
            return Ok(None);
        }
        if self.platforms.iter().any(|platform| *platform != providers::platform()) {
            let words = args::providers_lock(&self.platforms, providers::origin(&env));
            self.step(Step::ProvidersLock, words, &work, &env, stop).await?;
        }
        fs::read(&lock).map(Some).map_err(TerraformError::io("reading", &lock))
    }

    /// Over the provider store like every other init, so that what is new is downloaded once.
    async fn init(
        &self,
        work: &Path,
        env: &BTreeMap<String, String>,
        stop: &CancellationToken,
    ) -> Result<(), TerraformError> {
        let words = args::init_upgrade(&self.terraform);
        let Some(store) = &self.providers else { return self.step(Step::Init, words, work, env, stop).await };
        let before = lock_file::read(work);
        let _turn = store.turn_anew(work, stop).await?;
        let Some(env) = store.in_front(work, env)? else { return self.step(Step::Init, words, work, env, stop).await };
        self.step(Step::Init, words, work, &env, stop).await?;
        store.adopt(work, &before)?;
        store.complete(work).map(drop)
    }

    async fn step(
        &self,
        which: Step,
        words: Vec<String>,
        work: &Path,
        env: &BTreeMap<String, String>,
        stop: &CancellationToken,
    ) -> Result<(), TerraformError> {
        let folder = self.folder.join(which.folder());
        let program = self.terraform.binary.to_string_lossy().into_owned();
        let argv = std::iter::once(program).chain(words).collect();
        let child = child::start(&self.supervisor, &folder, argv, env, work)?;
        let mut journal = Journal::default();
        let exit = child.wait(stop, &mut |event| journal.note(event)).await?;
        judge(work, &folder, which, exit, journal).map(drop)
    }
}

fn lay_out(work: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), TerraformError> {
    for (name, bytes) in files {
        let path = work.join(name);
        let folder = path.parent().unwrap_or(work);
        files::create_private_folder(folder)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(TerraformError::io("writing", &path))?;
    }
    // Without files Terraform still needs a folder to look into.
    files::create_private_folder(work).map_err(TerraformError::io("creating", work))
}
