//! How long run directories are kept. They are evidence, and they are copies of what the object store has.
//!
//! One that is reported goes after a week, or earlier when there are too many or they take too much room, the oldest
//! first. One with a state that was neither pushed nor parked stays, and so does one that keeps its target from being
//! touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::settle::holds_the_only_copy;
use super::workdir::RunDir;

/// The longest that a finished run is kept.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The most finished runs that are kept, …
const MOST: usize = 100;

/// … and the most bytes that they may take.
const MOST_BYTES: u64 = 500 << 20;

/// To measure the directories takes a while, so it isn't done after each run.
const PAUSE: Duration = Duration::from_mins(5);

/// Removes what needn't be kept any longer. `now` is in milliseconds since the epoch.
pub(super) fn tidy(data: &Path, now: i64) {
    let stamp = data.join("runs").join(".tidied");
    let last = fs::metadata(&stamp).and_then(|meta| meta.modified());
    if last.is_ok_and(|last| last.elapsed().is_ok_and(|passed| passed < PAUSE)) {
        return;
    }
    // If it can't be written there is nothing to lose by looking again soon.
    fs::write(&stamp, b"").ok();
    remove_old(data, now);
}

fn remove_old(data: &Path, now: i64) {
    let mut finished: Vec<(i64, RunDir)> = RunDir::all(data)
        .unwrap_or_default()
        .into_iter()
        .filter(|run_dir| !holds_the_only_copy(run_dir))
        .filter_map(|run_dir| Some((run_dir.reported_at()?, run_dir)))
        .collect();
    // The newest first.
    finished.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut bytes = 0;
    for (kept, (at, run_dir)) in finished.into_iter().enumerate() {
        bytes += size(run_dir.path());
        let old = now - at > i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
        if old || kept >= MOST || bytes > MOST_BYTES {
            remove(run_dir.path());
        }
    }
}

fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Ok(()) => tracing::debug!("removed the run directory {}", path.display()),
        Err(error) => tracing::warn!(%error, "the run directory {} can't be removed", path.display()),
    }
    // The deployment's folder, if that was its last run.
    path.parent().map(fs::remove_dir);
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            Ok(_) => entry.metadata().map_or(0, |meta| meta.len()),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::poll::Candidate;
    use super::super::workdir::RunRecord;
    use super::*;
    use crate::domain::Files;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn run(data: &Path, id: &str) -> RunDir {
        let candidate =
            Candidate { id: id.into(), arn: "arn".into(), target_arn: "arn".into(), environment: "dev".into() };
        let record =
            RunRecord { candidate, attempt: 1, destroys: false, bucket: "b".into(), started_at: 1, lease: None };
        RunDir::create(data, record, &Files::new()).unwrap()
    }

    fn left(data: &Path) -> Vec<String> {
        RunDir::all(data).unwrap().into_iter().map(|run_dir| run_dir.record.candidate.id).collect()
    }

    #[test]
    fn a_finished_run_goes_after_a_week_and_an_unreported_one_stays() {
        let data = tempfile::tempdir().unwrap();
        run(data.path(), "d1").mark_reported("Done\n").unwrap();
        run(data.path(), "d2");
        let reported = RunDir::find(data.path(), "d1", 1).unwrap().unwrap().reported_at().unwrap();
        remove_old(data.path(), reported + 6 * DAY);
        assert_eq!(left(data.path()), ["d1", "d2"]);
        remove_old(data.path(), reported + 8 * DAY);
        assert_eq!(left(data.path()), ["d2"]);
    }

    #[test]
    fn a_state_that_was_neither_pushed_nor_parked_is_never_removed() {
        let data = tempfile::tempdir().unwrap();
        let at_risk = run(data.path(), "d1");
        fs::write(at_risk.work().join("errored.tfstate"), "{}").unwrap();
        let noted = run(data.path(), "d2");
        fs::write(noted.path().join("at-risk"), "{}").unwrap();
        for run_dir in [&at_risk, &noted] {
            run_dir.mark_reported("StateAtRisk\n").unwrap();
        }
        remove_old(data.path(), i64::MAX / 2);
        assert_eq!(left(data.path()), ["d1", "d2"]);
        let work = at_risk.work();
        fs::rename(work.join("errored.tfstate"), work.join("errored.tfstate.parked")).unwrap();
        remove_old(data.path(), i64::MAX / 2);
        assert_eq!(left(data.path()), ["d2"]);
    }

    #[test]
    fn no_more_than_a_hundred_finished_runs_are_kept() {
        let data = tempfile::tempdir().unwrap();
        for number in 0..MOST + 3 {
            run(data.path(), &format!("d{number:03}")).mark_reported("Done\n").unwrap();
        }
        remove_old(data.path(), 0);
        assert_eq!(left(data.path()).len(), MOST);
    }
}
