//! Whether a part works: beats that a loop gives, and checks with the reason of each failure.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rustix::fs::statvfs;
use serde_json::{Value, json};

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is looked at: `record`, `disk`.
    pub name: &'static str,
    /// What is wrong; None = nothing.
    pub reason: Option<String>,
}

impl Check {
    /// A check that fails with its error's words.
    pub fn of(name: &'static str, outcome: Result<(), String>) -> Self {
        Self { name, reason: outcome.err() }
    }
}

/// The answers to all questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(pub Vec<Check>);

impl Report {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.0.iter().all(|check| check.reason.is_none())
    }

    /// What is wrong, in one line; empty if nothing is.
    pub fn reasons(&self) -> String {
        let wrong = self.0.iter().filter_map(|check| Some(format!("{}: {}", check.name, check.reason.as_ref()?)));
        wrong.collect::<Vec<_>>().join("; ")
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        let check = |check: &Check| match &check.reason {
            None => json!({ "name": check.name, "ok": true }),
            Some(reason) => json!({ "name": check.name, "ok": false, "reason": reason }),
        };
        json!({ "ok": self.is_well(), "checks": self.0.iter().map(check).collect::<Vec<_>>() })
    }
}

/// Asks all questions.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Report> + Send + Sync>;

/// What a loop gives while it goes round; cheap to clone. A loop that waits for something that may take for ever says so.
#[derive(Debug, Clone)]
pub struct Beat {
    began: Instant,
    /// Milliseconds from `began` to the last beat; [`RESTING`] while the loop may wait.
    last: Arc<AtomicU64>,
}

const RESTING: u64 = u64::MAX;

impl Default for Beat {
    fn default() -> Self {
        Self { began: Instant::now(), last: Arc::default() }
    }
}

impl Beat {
    /// The loop goes round.
    pub fn beat(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(RESTING - 1);
        self.last.store(now, Ordering::Relaxed);
    }

    /// The loop waits, for however long, until it beats again.
    pub fn rest(&self) {
        self.last.store(RESTING, Ordering::Relaxed);
    }

    /// Fails if the loop should have beaten by now.
    pub fn check(&self, name: &'static str, within: Duration) -> Check {
        let last = self.last.load(Ordering::Relaxed);
        let silence = self.began.elapsed().saturating_sub(Duration::from_millis(last));
        let late = last != RESTING && silence > within;
        Check { name, reason: late.then(|| format!("no beat for {} s", silence.as_secs())) }
    }
}

/// Whether a folder takes a file, and its disk has so many bytes left.
pub fn folder(path: &Path, least: u64) -> [Check; 2] {
    let writable = tempfile::tempfile_in(path).map(drop).map_err(|error| format!("can't be written: {error}"));
    let space = statvfs(path).map_err(|error| format!("can't be measured: {error}")).and_then(|disk| {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let short = format!("{} MiB are free, fewer than {} MiB", free >> 20, least >> 20);
        if free < least { Err(short) } else { Ok(()) }
    });
    [Check::of("data", writable), Check::of("disk", space)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_each_failure_with_its_reason() {
        let report = Report(vec![Check::of("record", Ok(())), Check::of("disk", Err("full".into()))]);
        assert!(!report.is_well());
        assert_eq!(report.reasons(), "disk: full");
        let body = r#"{"ok":false,"checks":[{"name":"record","ok":true},{"name":"disk","ok":false,"reason":"full"}]}"#;
        assert_eq!(report.json().to_string(), body);
    }

    #[test]
    fn a_loop_that_neither_beats_nor_rests_is_late() {
        let beat = Beat::default();
        std::thread::sleep(Duration::from_millis(5));
        let at_once = Duration::from_millis(1);
        assert!(beat.check("polls", at_once).reason.is_some());
        assert!(beat.check("polls", Duration::from_mins(1)).reason.is_none());
        beat.rest();
        assert!(beat.check("polls", at_once).reason.is_none());
        beat.beat();
        assert!(beat.check("polls", Duration::from_mins(1)).reason.is_none());
    }

    #[test]
    fn a_folder_is_checked_for_a_file_and_for_space() {
        let here = tempfile::tempdir().unwrap();
        assert!(folder(here.path(), 1).iter().all(|check| check.reason.is_none()));
        let [data, disk] = folder(here.path(), u64::MAX);
        assert_eq!(data.reason, None);
        assert!(disk.reason.unwrap().contains("MiB are free"));
        let [data, disk] = folder(&here.path().join("gone"), 1);
        assert!(data.reason.unwrap().contains("can't be written") && disk.reason.is_some());
    }
}
