//! The agent's side of a step: starts a supervisor, or comes back to one, and follows what it writes.
//!
//! Dropping a [`Child`], or the future of [`Child::wait`], lets go of the step; Terraform goes on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::TerraformError;
use super::bell::Bell;
use super::event::Event;
use super::process;
use super::step::{Command, Exit, StepDir};
use super::tail::Tail;
use crate::support::files;

/// A step that runs, or has run.
pub struct Child {
    step: StepDir,
    /// There if this process started the supervisor; then its death is known by waiting for it.
    supervisor: Option<duct::Handle>,
}

/// Starts `hadron supervise STEP_DIR` with the binary `supervisor`, to run `argv` in `cwd` with exactly `env`.
///
/// # Errors
/// The folder can't be made, or the supervisor not be started. What keeps Terraform from starting is told by `wait`.
pub fn start(
    supervisor: &Path,
    step_dir: &Path,
    argv: Vec<String>,
    env: &BTreeMap<String, String>,
    cwd: &Path,
) -> Result<Child, TerraformError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(TerraformError::io("resolving", path));
    let (step_dir, cwd) = (&absolute(step_dir)?, absolute(cwd)?);
    files::create_private_folder(step_dir).map_err(TerraformError::io("creating", step_dir))?;
    let step = StepDir::new(step_dir);
    let (env_names, host) = (env.keys().cloned().collect(), process::host_name());
    step.write_command(&Command { argv, env: env_names, cwd, host })?;
    let started = duct::cmd(supervisor, [OsStr::new("supervise"), step_dir.as_os_str()])
        .full_env(env)
        .dir(step_dir)
        .stdin_null()
        .stdout_null()
        .stderr_path(step.supervisor_log())
        .unchecked()
        .start();
    let handle = started.map_err(TerraformError::io("starting", supervisor))?;
    Ok(Child { step, supervisor: Some(handle) })
}

/// Comes back to a step that an earlier agent began; `None` if none ever did.
///
/// # Errors
/// The folder can't be read.
pub fn attach(step_dir: &Path) -> Result<Option<Child>, TerraformError> {
    let step = StepDir::new(step_dir);
    Ok(step.command()?.map(|_| Child { step, supervisor: None }))
}

/// Comes back to a step like [`attach`], unless the earlier agent was killed so early that nothing was started: then
/// there is nothing to come back to, and the step is to be begun.
///
/// # Errors
/// The folder can't be read or written.
pub fn attach_if_begun(step_dir: &Path) -> Result<Option<Child>, TerraformError> {
    let Some(mut child) = attach(step_dir)? else { return Ok(None) };
    if child.ended().is_ok_and(|exit| exit.is_some_and(|exit| exit.abandoned)) {
        // A supervisor that comes late finds the new command, which is the same one, and is alone with it.
        child.step.forget_exit()?;
        return Ok(None);
    }
    Ok(Some(child))
}

impl Child {
    /// Follows the step to its end. Every event since its beginning is handed on, in order. Once `stop` is cancelled
    /// Terraform gets SIGINT, exactly one in the life of the step: a second would make it drop everything.
    ///
    /// # Errors
    /// [`TerraformError::SupervisorLost`], once Terraform is gone as well; or the folder can't be read.
    pub async fn wait(
        mut self,
        stop: &CancellationToken,
        on_event: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Exit, TerraformError> {
        let mut tail = Tail::new(self.step.stdout());
        let stdout = self.step.stdout();
        let folder = self.step.clone();
        let mut on_line = move |line: &str| {
            let event = Event::parse(line);
            // Somebody else was first (a host that signals every process of a service, say): ours would be the second.
            if event.is_interrupt() {
                folder.note_interrupt();
            }
            on_event(&event);
        };
        // Before the first look, so that nothing comes between.
        let mut bell = Bell::of(self.step.path());
        let mut interrupting = false;
        loop {
            if let Some(exit) = self.ended()? {
                tail.finish(&mut on_line).map_err(TerraformError::io("reading", &stdout))?;
                return Ok(exit);
            }
            tail.read(&mut on_line).map_err(TerraformError::io("reading", &stdout))?;
            if stop.is_cancelled() {
                interrupting = true;
                self.interrupt()?;
            }
            tokio::select! {
                () = bell.rings() => {}
                () = stop.cancelled(), if !interrupting => {}
            }
        }
    }

    /// How the step ended, if it did.
    fn ended(&mut self) -> Result<Option<Exit>, TerraformError> {
        if let Some(exit) = self.step.exit()? {
            self.bury();
            return Ok(Some(exit));
        }
        let Some(alone) = self.without_supervisor()? else { return Ok(None) };
        // It may have written the exit just before it went.
        if let Some(exit) = self.step.exit()? {
            return Ok(Some(exit));
        }
        match self.step.terraform()? {
            // Terraform outlived its supervisor. It holds the lock of the state and may still change things: wait.
            Some(terraform) if terraform.lives() => Ok(None),
            Some(terraform) => {
                if let Some(home) = self.home() {
                    terraform.end_group(&home);
                }
                Err(TerraformError::SupervisorLost { step_dir: self.step.path().to_owned() })
            }
            None => {
                // While we hold the lock, say so for good: a supervisor that comes late will find it and go.
                let abandoned = !self.step.stdout().exists();
                let exit = Exit { abandoned, ..Exit::never_ran(self.without_a_trace()) };
                self.step.write_exit(&exit)?;
                drop(alone);
                Ok(Some(exit))
            }
        }
    }

    /// Terraform's HOME, which lies beside the steps' folders, or one folder up.
    fn home(&self) -> Option<PathBuf> {
        let homes = self.step.path().ancestors().skip(1).take(2).map(|folder| folder.join("home"));
        homes.into_iter().find(|home| home.is_dir())
    }

    /// Why there is neither a Terraform nor a word of the supervisor, as far as its log knows.
    fn without_a_trace(&self) -> String {
        let log = std::fs::read(self.step.supervisor_log()).unwrap_or_default();
        let said = String::from_utf8_lossy(&log);
        let reason = "its supervisor ended before it could start it";
        if said.trim().is_empty() { reason.to_owned() } else { format!("{reason}: {}", said.trim()) }
    }

    /// The supervisor's lock, once the supervisor is known to be gone.
    fn without_supervisor(&self) -> Result<Option<std::fs::File>, TerraformError> {
        let running = self.supervisor.as_ref().is_some_and(|handle| matches!(handle.try_wait(), Ok(None)));
        if running { Ok(None) } else { self.step.unsupervised() }
    }

    /// Waits for a supervisor that has written its last file, so that it doesn't stay a zombie.
    fn bury(&mut self) {
        if let Some(handle) = self.supervisor.take() {
            handle.wait().ok();
        }
    }

    /// Sends SIGINT unless that was done before, or Terraform hasn't begun.
    fn interrupt(&self) -> Result<(), TerraformError> {
        let Some(terraform) = self.step.terraform()? else { return Ok(()) };
        if !self.step.interrupted() && self.step.may_interrupt()? {
            terraform.interrupt().map_err(TerraformError::io("interrupting the terraform of", self.step.path()))?;
        }
        Ok(())
    }
}
