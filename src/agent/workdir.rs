//! A run's directory: `<data>/runs/<deployment>/<attempt>`. What changes it for older agents raises `format.rs`.
//!
//! ```text
//! run.json          what is run, so that a restarted agent can come back to it
//! work/             rendered files, the overlay's beside them, the backend's override
//! home/             Terraform's HOME
//! 1-init/ 2-apply/  the steps, written by their supervisors
//! 2-plan/ plan/     where people decide: the plan's step, and the saved plan, sealed as long as it waits
//! again-N/          the same once more, for each plan that was stale when it was to be applied
//! settling/         commands that brought state and journal together after an unclean end
//! taken-over        once what earlier runs have left is settled
//! records.json      where its log, events, plan and summary are sent to
//! plan.txt          the plan for people, until it has arrived there
//! summary.json      what it came to
//! sent              exists once all of that has arrived
//! reported          how it ended; once it is there nobody needs to come back
//! ```
//!
//! It is made whole beside its place and then renamed, so that a directory that has its name is complete.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StepError;
use super::poll::Candidate;
use super::settle;
use crate::domain::{Files, is_left_by_terraform};
use crate::proton::Lease;
use crate::support::files::{create_private_folder, write_atomically};
use crate::terraform::{Mode, Step};

const RECORD: &str = "run.json";
const REPORTED: &str = "reported";
const TAKEN_OVER: &str = "taken-over";

/// The most plans that one run makes: what is stale again and again is being changed by somebody else.
pub(super) const MOST_PLANS: usize = 20;

/// The folder with the plan and apply of a round; the first is the run's own.
pub(super) fn round_folder(run_dir: &Path, round: usize) -> PathBuf {
    if round == 0 { run_dir.to_owned() } else { run_dir.join(format!("again-{round}")) }
}

/// What `run.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub(super) candidate: Candidate,
    pub(super) attempt: u64,
    /// Whether the target is removed.
    pub(super) destroys: bool,
    /// The bucket of the run's records.
    pub(super) bucket: String,
    /// When it was rendered, in milliseconds since the epoch.
    pub(super) started_at: i64,
    /// The claim that it was made under; earlier releases didn't keep it. It holds no secret.
    #[serde(default)]
    pub(super) lease: Option<Lease>,
}

impl RunRecord {
    pub(super) fn mode(&self) -> Mode {
        if self.destroys { Mode::Destroy } else { Mode::Apply }
    }
}

/// A run's directory, complete.
#[derive(Debug, Clone)]
pub(super) struct RunDir {
    path: PathBuf,
    pub(super) record: RunRecord,
}

impl RunDir {
    /// The directory of an attempt, if an earlier life of this agent has rendered it.
    pub(super) fn find(data: &Path, deployment: &str, attempt: u64) -> Result<Option<Self>, StepError> {
        Self::open(deployment_folder(data, deployment)?.join(attempt.to_string()))
    }

    /// The directory at a path, if it is complete.
    pub(super) fn open(path: PathBuf) -> Result<Option<Self>, StepError> {
        let record = path.join(RECORD);
        match fs::read(&record) {
            Ok(bytes) => {
                let bad = |error: serde_json::Error| StepError::io("reading", &record)(error.into());
                Ok(Some(Self { record: serde_json::from_slice(&bytes).map_err(bad)?, path }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StepError::io("reading", &record)(error)),
        }
    }

    /// Lays out the files.
    pub(super) fn create(data: &Path, record: RunRecord, files: &Files) -> Result<Self, StepError> {
        let folder = deployment_folder(data, &record.candidate.id)?;
        create_private_folder(&folder).map_err(StepError::io("creating", &folder))?;
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&folder);
        let new = new.map_err(StepError::io("creating a directory in", &folder))?.keep();
        let work = new.join("work");
        fs::create_dir(&work).map_err(StepError::io("creating", &work))?;
        // Whatever a bundle or an overlay holds, the only state in a run's directory is the run's own.
        for (name, bytes) in files.iter().filter(|(name, _)| !is_left_by_terraform(name)) {
            write_inside(&work, Path::new(name), bytes)?;
        }
        let text = serde_json::to_vec_pretty(&record).expect("a run's record can be written");
        let path = new.join(RECORD);
        fs::write(&path, text).map_err(StepError::io("writing", &path))?;
        let path = folder.join(record.attempt.to_string());
        fs::rename(&new, &path).map_err(StepError::io("renaming a new directory to", &path))?;
        Ok(Self { path, record })
    }

    /// All there are, reported or not.
    pub(super) fn all(data: &Path) -> Result<Vec<Self>, StepError> {
        let mut found = Vec::new();
        for attempt in subfolders(&data.join("runs")).iter().flat_map(|deployment| subfolders(deployment)) {
            if attempt.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')) {
                found.extend(Self::open(attempt)?);
            }
        }
        Ok(found)
    }

    /// All that nobody was told the end of.
    pub(super) fn unreported(data: &Path) -> Vec<Self> {
        let mut found = Vec::new();
        for deployment in subfolders(&data.join("runs")) {
            for attempt in subfolders(&deployment) {
                let named = attempt.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
                if named && !attempt.join(REPORTED).exists() {
                    found.extend(Self::open(attempt).ok().flatten());
                }
            }
        }
        found
    }

    /// The folders of all that were reported, or left to others.
    pub(super) fn reported(data: &Path) -> Vec<PathBuf> {
        let attempts = subfolders(&data.join("runs")).into_iter().flat_map(|deployment| subfolders(&deployment));
        attempts.filter(|attempt| attempt.join(REPORTED).exists()).collect()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// Whether the step was started that changes things.
    pub(super) fn has_begun(&self) -> bool {
        let step = if self.record.destroys { Step::Destroy } else { Step::Apply };
        (0..MOST_PLANS).any(|round| round_folder(&self.path, round).join(step.folder()).exists())
    }

    /// Whether what earlier runs of the target have left was settled by this one.
    pub(super) fn has_taken_over(&self) -> bool {
        self.path.join(TAKEN_OVER).exists()
    }

    /// Notes that it was.
    pub(super) fn mark_taken_over(&self) -> Result<(), StepError> {
        let path = self.path.join(TAKEN_OVER);
        write_atomically(&path, b"").map_err(StepError::io("writing", &path))
    }

    /// When its end was noted, in milliseconds since the epoch; None while somebody may come back to it.
    pub(super) fn reported_at(&self) -> Option<i64> {
        let written = fs::metadata(self.path.join(REPORTED)).ok()?.modified().ok()?;
        i64::try_from(written.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
    }

    /// Notes how it ended, and lets go of the providers, which are large and can be had again; not where the command that
    /// clears the target runs here and needs them. The note isn't synced: if a power cut takes it, the next life reports
    /// once more, and is answered like this one.
    pub(super) fn mark_reported(&self, how: &str) -> Result<(), StepError> {
        let (path, new) = (self.path.join(REPORTED), self.path.join(".reported.new"));
        let written = fs::write(&new, how).and_then(|()| fs::rename(&new, &path));
        written.map_err(StepError::io("writing", &path))?;
        for round in 0..MOST_PLANS {
            let plan = round_folder(&self.path, round).join("plan");
            // Nobody applies it any more, and it holds secrets.
            match fs::remove_dir_all(&plan) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(StepError::io("removing", &plan)(error)),
                Ok(()) => {}
            }
        }
        if settle::holds_the_only_copy(self) {
            return Ok(());
        }
        let providers = self.work().join(".terraform").join("providers");
        match fs::remove_dir_all(&providers) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StepError::io("removing", &providers)(error)),
            _ => Ok(()),
        }
    }
}

/// The id comes from the endpoint; it must not name another place.
fn deployment_folder(data: &Path, deployment: &str) -> Result<PathBuf, StepError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if deployment.is_empty() || deployment.len() > 100 || !deployment.chars().all(plain) {
        return Err(StepError::BadId(deployment.to_owned()));
    }
    Ok(data.join("runs").join(deployment))
}

fn subfolders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn write_inside(work: &Path, name: &Path, bytes: &[u8]) -> Result<(), StepError> {
    let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
    let path = work.join(name);
    if !inside {
        return Err(StepError::io("writing", &path)(io::Error::other("it would lie outside of the work directory")));
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(StepError::io("creating", parent))?;
    }
    fs::write(&path, bytes).map_err(StepError::io("writing", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> RunRecord {
        let candidate =
            Candidate { id: id.into(), arn: "arn".into(), target_arn: "arn".into(), environment: "dev".into() };
        RunRecord { candidate, attempt: 2, destroys: false, bucket: "b".into(), started_at: 1, lease: None }
    }

    fn files(names: &[&str]) -> Files {
        names.iter().map(|name| ((*name).to_owned(), b"x".to_vec())).collect()
    }

    #[test]
    fn a_run_is_found_again_until_it_is_reported() {
        let data = tempfile::tempdir().unwrap();
        let made = RunDir::create(data.path(), record("d1"), &files(&["main.tf", "modules/a/a.tf"])).unwrap();
        assert!(made.work().join("modules/a/a.tf").exists());
        assert_eq!(RunDir::unreported(data.path())[0].record, record("d1"));
        assert!(RunDir::find(data.path(), "d1", 2).unwrap().is_some());
        assert!(RunDir::find(data.path(), "d1", 3).unwrap().is_none());
        made.mark_reported("SUCCEEDED").unwrap();
        assert!(RunDir::unreported(data.path()).is_empty());
    }

    #[test]
    fn no_state_is_laid_out_that_could_pass_for_the_targets_own() {
        let data = tempfile::tempdir().unwrap();
        let files = files(&["main.tf", "errored.tfstate", "terraform.tfstate"]);
        let made = RunDir::create(data.path(), record("d1"), &files).unwrap();
        let laid: Vec<_> = fs::read_dir(made.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(laid, ["main.tf"]);
    }

    #[test]
    fn what_a_printed_command_needs_outlives_the_report() {
        let data = tempfile::tempdir().unwrap();
        for (id, kept) in [("d1", false), ("d2", true)] {
            let made = RunDir::create(data.path(), record(id), &files(&[])).unwrap();
            let providers = made.work().join(".terraform/providers");
            fs::create_dir_all(&providers).unwrap();
            if kept {
                fs::write(made.work().join("errored.tfstate"), "{}").unwrap();
            }
            made.mark_reported("StateAtRisk").unwrap();
            assert_eq!(providers.exists(), kept, "{id}");
        }
    }

    #[test]
    fn neither_ids_nor_names_lead_outside() {
        let data = tempfile::tempdir().unwrap();
        for id in ["", "..", "a/b", "../x"] {
            assert!(RunDir::create(data.path(), record(id), &files(&[])).is_err(), "{id}");
        }
        assert!(RunDir::create(data.path(), record("d"), &files(&["../x"])).is_err());
    }
}
