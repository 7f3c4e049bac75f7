//! The headers by which an agent asks about a plan, and hears what was decided.

use hadron_model::hadron::Decision;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::poll;
use crate::control_plane::deployments::Asked;
use crate::control_plane::plane::Plane;
use crate::control_plane::records::Deployment;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::{Call, ProtonError};

/// SHA-256 of the plan file; on a heartbeat, it asks.
const PLAN: &str = "x-hadron-plan";

/// What the plan would do, in one line.
const SUMMARY: &str = "x-hadron-plan-summary";

/// `pending`, `approved` or `rejected`; that it is there at all tells the agent that it is understood.
const DECISION: &str = "x-hadron-decision";

/// The ARN of whoever decided.
const DECIDED_BY: &str = "x-hadron-decided-by";

/// Why, percent-encoded: a comment may hold what no header can.
const COMMENT: &str = "x-hadron-decision-comment";

/// The longest summary, in characters.
const LONGEST_SUMMARY: usize = 200;

/// What a comment's header doesn't hold as it is; everything beyond ASCII is encoded anyway.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The plan that a report asks about.
///
/// # Errors
/// `ValidationException` for a header that isn't what it should be.
pub(super) fn asked(call: &Call) -> Result<Option<Asked>, ProtonError> {
    let Some(digest) = call.header(PLAN) else { return Ok(None) };
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if digest.len() != 64 || !digest.chars().all(hex) {
        return Err(ProtonError::validation(format!("{PLAN}: {digest} is no SHA-256 in lower-case hexadecimal")));
    }
    let summary = call.header(SUMMARY).unwrap_or_default();
    if summary.is_empty() || summary.chars().count() > LONGEST_SUMMARY {
        return Err(ProtonError::validation(format!("{SUMMARY} must say in 1 to {LONGEST_SUMMARY} characters what")));
    }
    Ok(Some(Asked { digest: digest.to_owned(), summary: summary.to_owned() }))
}

/// The deployment once people have decided on the plan, or nobody waits for that any more; at the latest when the wait is
/// over that the agent asks for, as with a poll. No transaction is open meanwhile, and the lease is renewed by heartbeats.
/// `bell` was listened to before the plan was noted.
///
/// # Errors
/// `ConflictException` once the deployment is somebody else's.
pub(super) async fn decided(
    plane: &Plane,
    call: &Call,
    asked: &Asked,
    heard: Deployment,
    mut bell: watch::Receiver<u64>,
) -> Result<Deployment, ProtonError> {
    let (deadline, epoch) = (Instant::now() + poll::wait(call)?, heard.epoch);
    let mut deployment = heard;
    while deployment.awaits().is_some_and(|approval| approval.digest == asked.digest) && Instant::now() < deadline {
        tokio::select! {
            () = tokio::time::sleep_until(deadline.min(Instant::now() + poll::LOOK)) => {}
            _ = bell.changed() => {}
            // The agent asks the next server, or this one's successor.
            () = plane.leaving.cancelled() => break,
        }
        let (scope, id) = (call.scope.clone(), deployment.id.clone());
        let read = plane.store.read(move |tx| tx.get::<Deployment>(&scope, &id));
        let Some(now) = read.await.map_err(ProtonError::from)? else { break };
        deployment = now.value;
        if deployment.epoch != epoch {
            return Err(ProtonError::conflict(format!("deployment {} has been claimed anew since", deployment.id)));
        }
    }
    Ok(deployment)
}

/// Tells the agent how people have decided on the plan that it asks about.
pub(super) fn answer(call: &mut Call, asked: &Asked, deployment: &Deployment) {
    let Some(approval) = deployment.approval.as_ref().filter(|approval| approval.digest == asked.digest) else {
        return;
    };
    let decision = match approval.decision {
        None => "pending",
        Some(Decision::Approved) => "approved",
        Some(Decision::Rejected) => "rejected",
    };
    call.answer_header(DECISION, decision);
    if let Some(by) = &approval.decided_by {
        call.answer_header(DECIDED_BY, by);
    }
    if let Some(comment) = &approval.comment {
        call.answer_header(COMMENT, &utf8_percent_encode(comment, ENCODED).to_string());
    }
}
