//! One step's folder: what the agent asks for, what the supervisor saw.
//!
//! ```text
//! command.json      agent       argv, names of the variables, work directory
//! supervisor.lock   supervisor  locked while it lives
//! pid.json          supervisor  terraform's number and start time
//! stdout.jsonl      terraform
//! stderr.log        terraform
//! interrupted       agent       exists once SIGINT was sent
//! exit.json         supervisor  how terraform ended
//! usage.json        supervisor  the memory that it took, written before the exit
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::TerraformError;
use super::process::ProcessId;
use super::session::PLAN_DIFFERS;

/// A command of Terraform, as a step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `terraform init`.
    Init,
    /// `terraform providers lock`, only where providers are chosen anew.
    ProvidersLock,
    /// `terraform plan`, only where a gate asks for it.
    Plan,
    /// `terraform show` of a plan. Its stdout doesn't stay on disk.
    Show,
    /// `terraform apply`.
    Apply,
    /// `terraform apply -destroy`.
    Destroy,
    /// `terraform output`, only when outputs are sensitive. Its stdout doesn't stay on disk.
    Output,
    /// `terraform state pull`. Its stdout doesn't stay on disk.
    StatePull,
    /// `terraform state push`.
    StatePush,
    /// `terraform state rm`.
    StateRemove,
    /// `terraform state mv`.
    StateMove,
    /// `terraform import`.
    Import,
}

impl Step {
    /// Whether Terraform came to an end of its own, well or not: its state is saved then, and its lock given back. Go ends
    /// a program that has no memory left with 2, which a plan also means by differences, and Terraform's panics end with
    /// 11.
    pub(super) fn ends_in_order_with(self, code: i32) -> bool {
        matches!(code, 0 | 1) || (self == Self::Plan && code == PLAN_DIFFERS)
    }

    /// The step's folder within the run directory.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Init => "1-init",
            Self::ProvidersLock => "1-providers-lock",
            Self::Plan => "2-plan",
            Self::Show => "2-show",
            Self::Apply => "2-apply",
            Self::Destroy => "2-destroy",
            Self::Output => "3-output",
            Self::StatePull => "4-state-pull",
            Self::StatePush => "4-state-push",
            Self::StateRemove => "4-state-rm",
            Self::StateMove => "4-state-mv",
            Self::Import => "4-import",
        }
    }
}

impl Step {
    /// Whether it changes infrastructure.
    pub fn changes(self) -> bool {
        matches!(self, Self::Apply | Self::Destroy)
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // `terraform state pull` is two words, and a folder's name is one.
        f.write_str(&self.folder().split_at(2).1.replace('-', " "))
    }
}

/// How Terraform ended: one of the three is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// It exited with this code.
    #[serde(default)]
    pub code: Option<i32>,
    /// This signal killed it.
    #[serde(default)]
    pub signal: Option<i32>,
    /// It never ran, and this is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The kernel killed something of this machine's share of memory meanwhile, be it Terraform, a provider, or a
    /// neighbour within the same control group.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
    /// It never ran, since whoever was to start it has gone before: it may be started again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
}

/// The memory that a step took, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// The most that a single process of it had resident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss: Option<u64>,
    /// The limit of the control group, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The most that the control group has ever used, neighbours included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_peak: Option<u64>,
}

impl Exit {
    pub(super) fn never_ran(reason: impl Into<String>) -> Self {
        Self { error: Some(reason.into()), ..Self::default() }
    }

    /// Whether Terraform came to an end of its own: see [`Step::ends_in_order_with`].
    pub(super) fn is_orderly(&self, step: Step) -> bool {
        self.code.is_some_and(|code| step.ends_in_order_with(code))
    }
}

/// What the supervisor is to start. Variables are named only: their values come by the supervisor's own environment,
/// since among them are secrets, and this is a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Command {
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) cwd: PathBuf,
    /// The name of the host, as Terraform puts it into its locks; earlier releases didn't keep it.
    #[serde(default)]
    pub(super) host: String,
}

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct StepDir(PathBuf);

impl StepDir {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether everything else that this machine does comes before it: nobody waits for what is shown of a plan for as
    /// short a time as it takes, and an apply may be running beside it.
    pub(super) fn can_wait(&self) -> bool {
        self.0.ends_with(Step::Show.folder())
    }

    pub(super) fn stdout(&self) -> PathBuf {
        self.0.join("stdout.jsonl")
    }

    pub(super) fn stderr(&self) -> PathBuf {
        self.0.join("stderr.log")
    }

    pub(super) fn supervisor_log(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    pub(super) fn command(&self) -> Result<Option<Command>, TerraformError> {
        self.read("command.json")
    }

    pub(super) fn write_command(&self, command: &Command) -> Result<(), TerraformError> {
        self.write("command.json", command)
    }

    pub(super) fn terraform(&self) -> Result<Option<ProcessId>, TerraformError> {
        self.read("pid.json")
    }

    pub(super) fn write_terraform(&self, process: ProcessId) -> Result<(), TerraformError> {
        self.write("pid.json", &process)
    }

    pub(super) fn exit(&self) -> Result<Option<Exit>, TerraformError> {
        self.read("exit.json")
    }

    pub(super) fn write_exit(&self, exit: &Exit) -> Result<(), TerraformError> {
        self.write("exit.json", exit)
    }

    /// Takes back an exit that says that the step never ran, so that it can be started again.
    pub(super) fn forget_exit(&self) -> Result<(), TerraformError> {
        let path = self.0.join("exit.json");
        fs::remove_file(&path).map_err(TerraformError::io("removing", &path))
    }

    pub(super) fn usage(&self) -> Result<Option<Usage>, TerraformError> {
        self.read("usage.json")
    }

    pub(super) fn write_usage(&self, usage: &Usage) -> Result<(), TerraformError> {
        self.write("usage.json", usage)
    }

    /// Whether SIGINT was already sent.
    pub(super) fn interrupted(&self) -> bool {
        self.0.join("interrupted").exists()
    }

    /// Whether it is for the caller to send SIGINT: true once in the life of this folder, whoever asks.
    pub(super) fn may_interrupt(&self) -> Result<bool, TerraformError> {
        let path = self.0.join("interrupted");
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(TerraformError::io("creating", &path)(error)),
        }
    }

    /// Notes that Terraform was interrupted, by whomever, so that nobody does it again.
    pub(super) fn note_interrupt(&self) {
        // A folder that refuses files has worse to tell, and does so elsewhere.
        self.may_interrupt().ok();
    }

    /// Waits until no other supervisor is at work here, and keeps others away until the file is dropped.
    pub(super) fn supervise_alone(&self) -> Result<File, TerraformError> {
        let (path, file) = self.lock_file()?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(io::Error::from)
            .map_err(TerraformError::io("locking", &path))?;
        Ok(file)
    }

    /// The lock, if no supervisor holds it.
    pub(super) fn unsupervised(&self) -> Result<Option<File>, TerraformError> {
        let (path, file) = self.lock_file()?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(TerraformError::io("locking", &path)(error.into())),
        }
    }

    fn lock_file(&self) -> Result<(PathBuf, File), TerraformError> {
        let path = self.0.join("supervisor.lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(TerraformError::io("opening", &path))?;
        Ok((path, file))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TerraformError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|e| TerraformError::io("reading", &path)(e.into()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TerraformError::io("reading", &path)(error)),
        }
    }

    /// Writes a file that appears whole. It isn't synced: these files speak of processes, and no process survives the
    /// power cut that would lose them.
    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), TerraformError> {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        let bytes = serde_json::to_vec(value).map_err(|e| TerraformError::io("writing", &path)(e.into()))?;
        fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path)).map_err(TerraformError::io("writing", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_no_orderly_end() {
        let exit = |code| Exit { code: Some(code), ..Exit::default() };
        let orderly = |step| [0, 1, 2, 11].map(|code| exit(code).is_orderly(step));
        assert_eq!(orderly(Step::Apply), [true, true, false, false]);
        assert_eq!(orderly(Step::Plan), [true, true, true, false]);
        assert!(!Exit { signal: Some(9), ..Exit::default() }.is_orderly(Step::Apply));
    }
}
