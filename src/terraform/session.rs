//! One deployment's Terraform, from `init` to its outputs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use signal_hook::consts::SIGINT;
use tokio_util::sync::CancellationToken;

use super::applied::Journal;
use super::child::{self, Child};
use super::env::lay_home;
use super::memory::starved;
use super::step::{Exit, Step, StepDir};
use super::{
    Applied, Backend, Diagnostic, Event, OutputValue, ProviderStore, Severity, Terraform, TerraformError, Warm, args,
    output,
};

use crate::support::credential::basic;
use crate::support::https::Https;

/// How `plan -detailed-exitcode` says that there is something to do.
pub(super) const PLAN_DIFFERS: i32 = 2;

/// What is to be done with the infrastructure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Make it as the files say.
    Apply,
    /// Remove it.
    Destroy,
}

impl Mode {
    pub(super) fn step(self) -> Step {
        match self {
            Self::Apply => Step::Apply,
            Self::Destroy => Step::Destroy,
        }
    }
}

impl From<Mode> for Step {
    fn from(mode: Mode) -> Self {
        mode.step()
    }
}

/// One run: its directory, its files and its backend.
///
/// Each method either starts its step or, when the run directory shows that it was begun before, comes back to it: an
/// agent that was restarted makes the same calls again and gets the same answers. To try anew, take a new run directory.
pub struct Session {
    /// The Terraform to run.
    pub terraform: Terraform,
    /// The `hadron` binary, for `hadron supervise`. Take a copy's or the running executable's absolute path.
    pub supervisor: PathBuf,
    /// The run directory; each step gets a folder in it.
    pub run_dir: PathBuf,
    /// The directory with the rendered files. The backend's override file is written here.
    pub work_dir: PathBuf,
    /// Terraform's whole environment, as [`super::child_env`] builds it for the same backend.
    pub env: BTreeMap<String, String>,
    /// Where the state is kept.
    pub backend: Backend,
    /// How long Terraform waits for a state that somebody else has locked.
    pub lock_timeout: Duration,
    /// Where results of `init` are kept, so that it can be skipped; None = it never is.
    pub warm: Option<Warm>,
    /// Reads outputs from the http backend's state; None = Terraform is asked for those that its events hide.
    pub state_reader: Option<Https>,
    /// Where providers are kept for all runs; None = each init finds its own, as the site's configuration says.
    pub providers: Option<ProviderStore>,
}

impl Session {
    /// Puts the state where it belongs and prepares providers and modules, or finds that done: see [`Warm`].
    ///
    /// # Errors
    /// Terraform's own, or [`TerraformError::BackendNotOurs`] when the bundle would keep its state elsewhere.
    pub async fn init(&self, stop: &CancellationToken) -> Result<(), TerraformError> {
        self.backend.supported_by(&self.terraform)?;
        self.prepare()?;
        self.init_once(stop).await
    }

    /// Whether the provider store holds all that the lock file names, so that `init` downloads nothing.
    pub fn has_its_providers(&self) -> bool {
        self.providers.as_ref().is_some_and(|store| store.has_all(&self.work_dir))
    }

    /// Runs `init` as a step below that folder, and no other proof of it is asked for.
    pub(super) async fn run_init(
        &self,
        run_dir: &Path,
        env: &BTreeMap<String, String>,
        stop: &CancellationToken,
    ) -> Result<(), TerraformError> {
        let folder = run_dir.join(Step::Init.folder());
        let words = args::init(&self.terraform);
        self.run_in(&folder, env, Step::Init, words, stop, &mut |_| {}).await.map(drop)
    }

    /// Plans and applies in one go. Cancelling `stop` sends Terraform exactly one SIGINT; if it still ends well, that
    /// counts.
    ///
    /// # Errors
    /// See [`TerraformError`]; [`TerraformError::Failed`] carries Terraform's diagnostics.
    pub async fn apply(
        &self,
        mode: Mode,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Applied, TerraformError> {
        let journal = self.run(mode.step(), args::apply(mode, self.lock_timeout), stop, on_event).await?;
        self.complete(journal.applied()).await
    }

    /// Adds the outputs that the events don't tell.
    pub(super) async fn complete(&self, mut applied: Applied) -> Result<Applied, TerraformError> {
        if output::any_hidden(&applied.outputs) {
            applied.outputs = match self.outputs_in_state(&applied.outputs).await {
                Some(outputs) => outputs,
                None => self.outputs().await?,
            };
        }
        Ok(applied)
    }

    /// Whether the step that changes things was started.
    pub fn has_begun(&self, mode: Mode) -> bool {
        self.run_dir.join(mode.step().folder()).exists()
    }

    /// Whether a plan was begun and then interrupted, so that there is none to show.
    pub fn plan_was_cut_short(&self) -> bool {
        let folder = StepDir::new(self.run_dir.join(Step::Plan.folder()));
        let well = |exit: &Exit| matches!(exit.code, Some(0 | PLAN_DIFFERS));
        folder.interrupted() && folder.exit().ok().flatten().is_some_and(|exit| !well(&exit))
    }

    /// All outputs in clear, read where the http backend has just put them: that spares a process. None wherever that
    /// doesn't work; Terraform may still be able to tell.
    async fn outputs_in_state(&self, told: &BTreeMap<String, OutputValue>) -> Option<BTreeMap<String, OutputValue>> {
        let Backend::Http { address, username, password } = &self.backend else { return None };
        let request = Request::get(address).header(AUTHORIZATION, basic(username, password));
        let answer = self.state_reader.as_ref()?.send(request.body(Bytes::new()).ok()?).await;
        let answer =
            answer.inspect_err(|error| tracing::debug!(%error, "the state can't be read for its outputs")).ok()?;
        answer.status().is_success().then(|| output::of_state(answer.body(), told))?
    }

    /// All outputs in clear, by a step that leaves no copy of them. Everything is applied by now, so this isn't stopped.
    async fn outputs(&self) -> Result<BTreeMap<String, OutputValue>, TerraformError> {
        let folder = self.run_dir.join(Step::Output.folder());
        // Its answer was thrown away; ask again.
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(TerraformError::io("removing", &folder))?;
        }
        let never = CancellationToken::new();
        let ran = self.run(Step::Output, args::output(), &never, &mut |_| {}).await;
        let path = StepDir::new(&folder).stdout();
        let stdout = fs::read(&path).map_err(TerraformError::io("reading", &path));
        fs::remove_file(&path).map_err(TerraformError::io("removing", &path))?;
        ran?;
        output::parse(&stdout?)
    }

    /// Lays down what Terraform needs beside the author's files.
    fn prepare(&self) -> Result<(), TerraformError> {
        lay_home(&self.env)?;
        let (name, bytes) = self.backend.override_file();
        let path = self.work_dir.join(name);
        // An agent that comes back leaves alone what Terraform may be reading.
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        fs::write(&path, bytes).map_err(TerraformError::io("writing", &path))
    }

    pub(super) async fn run(
        &self,
        which: Step,
        words: Vec<String>,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Journal, TerraformError> {
        self.run_in(&self.run_dir.join(which.folder()), &self.env, which, words, stop, on_event).await
    }

    async fn run_in(
        &self,
        folder: &Path,
        env: &BTreeMap<String, String>,
        which: Step,
        words: Vec<String>,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Journal, TerraformError> {
        let child = self.start_or_attach(folder, env, which, words, stop)?;
        let mut journal = Journal::default();
        let mut note = |event: &Event| {
            journal.note(event);
            on_event(event);
        };
        let exit = child.wait(stop, &mut note).await?;
        judge(&self.work_dir, folder, which, exit, journal)
    }

    fn start_or_attach(
        &self,
        folder: &Path,
        env: &BTreeMap<String, String>,
        which: Step,
        words: Vec<String>,
        stop: &CancellationToken,
    ) -> Result<Child, TerraformError> {
        if let Some(child) = child::attach_if_begun(folder)? {
            return Ok(child);
        }
        if stop.is_cancelled() {
            return Err(TerraformError::Stopped { step: which });
        }
        let program = self.terraform.binary.to_string_lossy().into_owned();
        let argv = std::iter::once(program).chain(words).collect();
        child::start(&self.supervisor, folder, argv, env, &self.work_dir)
    }
}

/// What the end of a step means.
pub(super) fn judge(
    work_dir: &Path,
    folder: &Path,
    step: Step,
    exit: Exit,
    mut journal: Journal,
) -> Result<Journal, TerraformError> {
    if let Some(reason) = exit.error {
        return Err(TerraformError::NotStarted { reason });
    }
    let folder = StepDir::new(folder);
    let (signal, code) = (exit.signal, exit.code.unwrap_or(-1));
    // Our own SIGINT kills a Terraform that has only just begun.
    if let Some(signal) = signal.filter(|signal| *signal != SIGINT || !folder.interrupted()) {
        const SIGKILL: i32 = 9;
        let memory = (exit.oom && signal == SIGKILL).then(|| folder.usage().ok().flatten().unwrap_or_default());
        return Err(TerraformError::Killed { step, signal, memory });
    }
    let well = code == 0 || (step == Step::Plan && code == PLAN_DIFFERS);
    if signal.is_none() && well {
        journal.code = code;
        return Ok(journal);
    }
    let mut diagnostics = said(journal.diagnostics, &folder);
    if exit.oom {
        diagnostics.extend(starved(&diagnostics, folder.usage().ok().flatten()));
    }
    let file = work_dir.join("errored.tfstate");
    if matches!(step, Step::Apply | Step::Destroy) && file.exists() {
        return Err(TerraformError::StateAtRisk { step, file, diagnostics });
    }
    if folder.interrupted() {
        return Err(TerraformError::Interrupted { step, diagnostics });
    }
    Err(TerraformError::Failed { step, exit: code, diagnostics })
}

/// The diagnostics; where there is no error among them, what Terraform wrote to stderr stands for one.
fn said(mut diagnostics: Vec<Diagnostic>, folder: &StepDir) -> Vec<Diagnostic> {
    const LONGEST: usize = 4000;
    if diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) {
        let stderr = fs::read(folder.stderr()).unwrap_or_default();
        let text: String = String::from_utf8_lossy(&stderr).trim().chars().take(LONGEST).collect();
        if !text.is_empty() {
            diagnostics.push(Diagnostic::plain(&text));
        }
    }
    diagnostics
}
