//! What an earlier life of this agent left unfinished.

use super::claim::{Claimed, adopt};
use super::context::Context;
use super::poll::Candidate;
use super::workdir::RunDir;

/// The deployments whose run directories nobody was told the end of, with the lease of that life where Terraform has begun
/// to change things. Of those without, the claim decides whether they are still ours; of the others, the first heartbeat:
/// their Terraform is followed to its end either way, and the record takes the end from whoever holds the epoch.
pub(super) fn unfinished(context: &Context) -> Vec<(Candidate, Option<Claimed>)> {
    let mut found: Vec<(Candidate, Option<Claimed>)> = Vec::new();
    for run_dir in RunDir::unreported(&context.config.data) {
        let adopted = run_dir.has_begun().then(|| adopt(context, &run_dir.record)).flatten();
        let candidate = run_dir.record.candidate;
        match found.iter_mut().find(|(known, _)| *known == candidate) {
            None => found.push((candidate, adopted)),
            // Of two attempts at one deployment the claim tells which one counts.
            Some((_, other)) => *other = None,
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
