//! What an earlier life of this agent left unfinished.

use super::context::Context;
use super::poll::Candidate;
use super::workdir::RunDir;

/// The deployments whose run directories nobody was told the end of. The claim decides whether they are still ours; if
/// so, the run is followed, or its end reported.
pub(super) fn unfinished(context: &Context) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for run_dir in RunDir::unreported(&context.config.data) {
        let candidate = run_dir.record.candidate;
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

/// Notes that a deployment's runs are nobody's business any more, so that the next life leaves them alone.
pub(super) fn leave_alone(context: &Context, deployment_id: &str) {
    let runs = RunDir::unreported(&context.config.data).into_iter();
    for run_dir in runs.filter(|run_dir| run_dir.record.candidate.id == deployment_id) {
        tracing::info!(deployment.id = %deployment_id, "left a run alone that is no longer this agent's");
        if let Err(error) = run_dir.mark_reported("left to others\n") {
            tracing::warn!(%error, "a run's end could not be noted");
        }
    }
}
