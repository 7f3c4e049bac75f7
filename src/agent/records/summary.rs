//! What a run came to, as it lies beside its log: `summary.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SUMMARY;
use super::source::steps;
use super::store::lay_down;
use crate::terraform::{StepRecord, Timeline, recall};

/// What `summary.json` says. Members are only ever added; a reader takes what is missing for unknown.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSummary {
    /// The deployment.
    pub deployment_id: String,
    /// The ARN of its target.
    pub target: String,
    /// Which attempt at the deployment this was.
    pub attempt: u64,
    /// The agent's id.
    pub agent: String,
    /// Terraform's version.
    pub terraform: String,
    /// `apply` or `destroy`.
    pub action: String,
    /// Whether all of it was done.
    pub succeeded: bool,
    /// Why not.
    pub error: Option<String>,
    /// When it was rendered, in milliseconds since the epoch.
    pub started_at: i64,
    /// When it ended, in milliseconds since the epoch.
    pub ended_at: i64,
    /// Added, changed, removed.
    pub changes: [u64; 3],
    /// Address, type and action of every resource there is after a run that succeeded.
    pub resources: Vec<[String; 3]>,
    /// The outputs' names.
    pub outputs: Vec<String>,
    /// Terraform's steps, in their order.
    pub steps: Vec<StepRecord>,
    /// The most bytes that a single process had resident.
    pub peak_rss: Option<u64>,
    /// Whether the kernel killed something for memory meanwhile.
    pub oom: bool,
    /// What the events tell.
    #[serde(flatten)]
    pub timeline: Timeline,
}

impl RunSummary {
    /// Adds what the steps' folders tell.
    #[must_use]
    pub(super) fn recalled(mut self, run_dir: &Path) -> Self {
        let timeline = &mut self.timeline;
        let mut note = |event: &_| timeline.note(event);
        self.steps = steps(run_dir).filter_map(|(folder, step)| recall(&folder, step, &mut note)).collect();
        self.timeline.close();
        self.peak_rss = self.steps.iter().filter_map(|step| step.peak_rss).max();
        self.oom = self.steps.iter().any(|step| step.oom);
        self
    }

    /// Writes it into the run directory, and returns what was written.
    pub(super) fn kept(&self, run_dir: &Path) -> Vec<u8> {
        let text = serde_json::to_vec_pretty(self).expect("a summary can be written");
        if let Err(error) = lay_down(run_dir, SUMMARY, &text) {
            tracing::warn!(%error, "a run's summary could not be kept");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_members_of_before_are_there_and_the_steps_tell_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let step = folder.path().join("2-apply");
        fs::create_dir(&step).unwrap();
        fs::write(step.join("command.json"), r#"{"argv":[],"env":[],"cwd":"/"}"#).unwrap();
        fs::write(step.join("exit.json"), r#"{"code":1,"oom":true}"#).unwrap();
        fs::write(step.join("usage.json"), r#"{"peak_rss":4096}"#).unwrap();
        let events = include_str!("../../../tests/fixtures/terraform/1.11/failed.jsonl");
        fs::write(step.join("stdout.jsonl"), events).unwrap();
        let summary = RunSummary { outputs: vec!["vpc".into()], ..RunSummary::default() };
        let written: Value = serde_json::from_slice(&summary.recalled(folder.path()).kept(folder.path())).unwrap();
        assert_eq!(
            (&written["outputs"], &written["changes"], &written["succeeded"]),
            (&json!(["vpc"]), &json!([0, 0, 0]), &json!(false))
        );
        assert_eq!((&written["oom"], &written["peak_rss"]), (&json!(true), &json!(4096)));
        assert_eq!(written["steps"][0]["step"], "apply");
        assert_eq!(written["timeline"][0]["outcome"], "failed");
        assert_eq!(written["diagnostics"][0]["line"], 15);
        let read: RunSummary = serde_json::from_slice(&fs::read(folder.path().join(SUMMARY)).unwrap()).unwrap();
        assert_eq!(read.timeline.timeline[0].address, "terraform_data.broken");
    }

    #[test]
    fn a_summary_of_an_older_agent_can_be_read() {
        let old =
            json!({"deployment_id": "d", "attempt": 2, "succeeded": true, "changes": [1, 0, 0], "outputs": ["a"]});
        let read: RunSummary = serde_json::from_value(old).unwrap();
        assert!(read.succeeded && read.timeline.timeline.is_empty() && read.steps.is_empty());
    }
}
