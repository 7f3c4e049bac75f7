//! What a run directory tells of a run that is over, or that must be waited for.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::event::{Event, EventKind};
use super::ledger::Ledger;
use super::step::{Step, StepDir};
use super::{TerraformError, child};

/// How deep the steps' folders lie: in the run directory, and in folders of it for what came later.
const DEPTH: usize = 2;

/// What is left of the steps that change things, in one folder of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remains {
    /// Whether such a step was started.
    pub began: bool,
    /// Whether its Terraform has ended by itself.
    pub ended: bool,
}

impl Remains {
    /// Reads what the steps of a folder have told into a ledger.
    ///
    /// # Errors
    /// [`TerraformError::Io`].
    pub fn read(folder: &Path, ledger: &mut Ledger) -> Result<Self, TerraformError> {
        let mut remains = Self::default();
        for step in [Step::Plan, Step::Apply, Step::Destroy] {
            let step_dir = StepDir::new(folder.join(step.folder()));
            if !step_dir.path().exists() {
                continue;
            }
            if step != Step::Plan {
                remains.began = true;
                remains.ended = step_dir.exit()?.is_some_and(|exit| exit.is_orderly(step));
            }
            read_lines(&step_dir.stdout(), ledger)?;
        }
        Ok(remains)
    }
}

fn read_lines(path: &Path, ledger: &mut Ledger) -> Result<(), TerraformError> {
    for line in lines(path)? {
        let line = line.map_err(TerraformError::io("reading", path))?;
        ledger.line(&String::from_utf8_lossy(&line));
    }
    Ok(())
}

/// The lines of a file; none where it isn't there.
fn lines(path: &Path) -> Result<impl Iterator<Item = io::Result<Vec<u8>>>, TerraformError> {
    let file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(TerraformError::io("reading", path)(error)),
    };
    Ok(file.into_iter().flat_map(|file| BufReader::new(file).split(b'\n')))
}

/// When a Terraform that has never given it back took the lock of its state: after it has said who it is, and before its
/// first word about a resource, which none says without the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockTaken {
    /// The name of its host, as its lock has it.
    pub host: String,
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub to: Timestamp,
}

impl LockTaken {
    /// All those of a run: one at most for each step that was killed, or said that it couldn't give the lock back.
    ///
    /// # Errors
    /// [`TerraformError::Io`].
    pub fn of_run(run_dir: &Path) -> Result<Vec<Self>, TerraformError> {
        let mut found = Vec::new();
        for step_dir in steps(run_dir, DEPTH).into_iter().map(StepDir::new) {
            let step = if step_dir.path().ends_with(Step::Plan.folder()) { Step::Plan } else { Step::Apply };
            let ended = step_dir.exit()?.is_some_and(|exit| exit.is_orderly(step));
            if let (Some(command), Some((from, to))) = (step_dir.command()?, taken(&step_dir.stdout(), ended)?) {
                found.push(Self { host: command.host, from, to });
            }
        }
        Ok(found)
    }
}

/// The moments of a stream's first event and of the first one that none says without the lock. Who has `ended` by itself
/// has given the lock back, unless it says that it couldn't.
fn taken(path: &Path, ended: bool) -> Result<Option<(Timestamp, Timestamp)>, TerraformError> {
    let (mut from, mut to) = (None, None);
    for line in lines(path)? {
        let line = line.map_err(TerraformError::io("reading", path))?;
        let event = Event::parse(&String::from_utf8_lossy(&line));
        let Some(at) = event.timestamp() else { continue };
        let left = matches!(&event.kind, EventKind::Diagnostic(said) if said.is_lock_left());
        match (from, &event.kind) {
            (None, EventKind::Version { .. }) => from = Some(at),
            (Some(_), kind) if left || kind.is_under_lock() => to = to.or(Some(at)),
            _ => {}
        }
        if left || (!ended && to.is_some()) {
            return Ok(from.zip(to));
        }
    }
    Ok(None)
}

/// Waits until nothing that was ever started in a run directory is at work, however long that takes. Once `stop` is
/// cancelled, what still runs gets its one SIGINT.
///
/// # Errors
/// [`TerraformError::Io`].
pub async fn wait_for_all(run_dir: &Path, stop: &CancellationToken) -> Result<(), TerraformError> {
    for step_dir in steps(run_dir, DEPTH) {
        // Of what has ended nothing is to be read.
        if StepDir::new(&step_dir).exit()?.is_some() {
            continue;
        }
        let Some(begun) = child::attach(&step_dir)? else { continue };
        match begun.wait(stop, &mut |_| {}).await {
            Ok(_) | Err(TerraformError::SupervisorLost { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The folders that hold a step.
fn steps(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let (steps, others): (Vec<_>, Vec<_>) = folders.into_iter().partition(|path| path.join("command.json").exists());
    let deeper = others.into_iter().filter(|_| depth > 1).flat_map(|path| self::steps(&path, depth - 1));
    steps.into_iter().chain(deeper).collect()
}

/// When this machine started, in seconds since the epoch: what was written before that, and not synced, may be lost.
pub fn booted_at() -> Option<i64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
