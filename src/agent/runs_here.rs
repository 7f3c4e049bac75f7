//! The run directories of this machine by their targets. A run that begins looks at the others of its target, and with
//! hundreds of directories to read that took longer than all else it does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::StepError;
use super::workdir::RunDir;

/// What was found in the data directory, which no other agent works in, and what has been made there since; None until
/// somebody asks.
#[derive(Debug, Default)]
pub(super) struct RunsHere(Mutex<Option<HashMap<String, Vec<PathBuf>>>>);

impl RunsHere {
    /// Takes note of one that was made.
    pub(super) fn add(&self, run_dir: &RunDir) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_mut() {
            note(known, run_dir);
        }
    }

    /// All there are of a target.
    ///
    /// # Errors
    /// One of them can't be read; when it is asked for the first time, any that is there.
    pub(super) fn of_target(&self, data: &Path, target_arn: &str) -> Result<Vec<RunDir>, StepError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let mut found = HashMap::new();
            RunDir::all(data)?.iter().for_each(|run_dir| note(&mut found, run_dir));
            *known = Some(found);
        }
        let paths = known.as_mut().and_then(|known| known.get_mut(target_arn));
        let Some(paths) = paths else { return Ok(Vec::new()) };
        let opened: Result<Vec<Option<RunDir>>, StepError> = paths.iter().cloned().map(RunDir::open).collect();
        // Old ones are removed some day.
        let found: Vec<RunDir> = opened?.into_iter().flatten().collect();
        paths.retain(|path| found.iter().any(|run_dir| run_dir.path() == path));
        Ok(found)
    }
}

fn note(known: &mut HashMap<String, Vec<PathBuf>>, run_dir: &RunDir) {
    let paths = known.entry(run_dir.record.candidate.target_arn.clone()).or_default();
    if !paths.iter().any(|path| path == run_dir.path()) {
        paths.push(run_dir.path().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll::Candidate;
    use super::super::workdir::RunRecord;
    use super::*;
    use crate::domain::Files;

    fn run(data: &Path, id: &str, target: &str) -> RunDir {
        let candidate =
            Candidate { id: id.into(), arn: "arn".into(), target_arn: target.into(), environment: "dev".into() };
        let record =
            RunRecord { candidate, attempt: 1, destroys: false, bucket: "b".into(), started_at: 1, lease: None };
        RunDir::create(data, record, &Files::new()).unwrap()
    }

    fn ids(found: &[RunDir]) -> Vec<&str> {
        found.iter().map(|run_dir| run_dir.record.candidate.id.as_str()).collect()
    }

    #[test]
    fn a_target_has_the_runs_that_were_there_and_those_made_since_but_for_those_removed() {
        let (data, here) = (tempfile::tempdir().unwrap(), RunsHere::default());
        let data = data.path();
        let old = run(data, "d1", "one");
        run(data, "d2", "two");
        // Nobody has looked yet.
        here.add(&old);
        assert_eq!(ids(&here.of_target(data, "one").unwrap()), ["d1"]);
        let new = run(data, "d3", "one");
        here.add(&new);
        here.add(&new);
        assert_eq!(ids(&here.of_target(data, "one").unwrap()), ["d1", "d3"]);
        std::fs::remove_dir_all(old.path()).unwrap();
        assert_eq!(ids(&here.of_target(data, "one").unwrap()), ["d3"]);
        assert_eq!(ids(&here.of_target(data, "two").unwrap()), ["d2"]);
        assert!(here.of_target(data, "three").unwrap().is_empty());
    }
}
