//! A step that was run, read back from its folder.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::step::StepDir;
use super::tail::Tail;
use super::{Event, Step};

/// How a step of a run went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepRecord {
    /// `init`, `plan`, `apply` or `destroy`.
    pub step: String,
    /// When it was asked for, in milliseconds since the epoch.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds since the epoch.
    pub ended_at: Option<i64>,
    /// Terraform's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it never ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the kernel killed something for memory meanwhile.
    pub oom: bool,
    /// The most bytes that a single process of it had resident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss: Option<u64>,
}

/// Reads a step's folder, handing on every event of its stdout; `None` if there is no such step.
pub fn recall(folder: &Path, step: Step, on_event: &mut dyn FnMut(&Event)) -> Option<StepRecord> {
    let dir = StepDir::new(folder);
    dir.command().ok().flatten()?;
    // Whatever can't be read has told nothing.
    Tail::new(dir.stdout()).finish(&mut |line| on_event(&Event::parse(line))).ok();
    let exit = dir.exit().ok().flatten().unwrap_or_default();
    let usage = dir.usage().ok().flatten().unwrap_or_default();
    Some(StepRecord {
        step: step.to_string(),
        started_at: written_at(&folder.join("command.json")),
        ended_at: written_at(&folder.join("exit.json")),
        exit_code: exit.code,
        signal: exit.signal,
        error: exit.error,
        oom: exit.oom,
        peak_rss: usage.peak_rss,
    })
}

fn written_at(file: &Path) -> Option<i64> {
    let since = fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
