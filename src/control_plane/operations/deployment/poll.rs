//! ListDeployments as agents ask it: what may I claim now?

use std::time::Duration;

use hadron_model::ListDeploymentsOutput;
use tokio::time::Instant;

use super::view;
use crate::control_plane::deployments::{Ask, Deployments, Offer, Selection};
use crate::control_plane::plane::Plane;
use crate::control_plane::store::StoreError;
use crate::control_plane::wire::{Call, ProtonError};

/// The header that makes a list a poll: the agent's id.
pub(super) const AGENT: &str = "x-hadron-agent";

/// How many seconds the answer may be held until there is work.
const WAIT: &str = "x-hadron-wait";

/// How many deployments the agent could claim at present; that it is there at all tells the agent that it is understood.
const CLAIMABLE: &str = "x-hadron-claimable";

/// The longest wait, in seconds: clients and proxies give up a minute after they asked.
const LONGEST: u64 = 50;

/// How long an agent waits for a bell before it looks for itself: one that rang in another server may not be heard here.
pub(super) const LOOK: Duration = Duration::from_secs(15);

/// The longest agent id.
const LONGEST_AGENT: usize = 200;

/// How much an agent gets that doesn't say how much it can do.
const USUAL: usize = 10;

/// Answers what the agent may claim, holding the answer while there is nothing; no transaction is open meanwhile.
///
/// # Errors
/// `ValidationException` for a header that can't be read.
pub(super) async fn poll(
    plane: &Plane,
    call: &mut Call,
    agent: String,
    binding: Selection,
    max_results: Option<i64>,
) -> Result<ListDeploymentsOutput, ProtonError> {
    let agent = checked_agent(agent)?;
    let deadline = Instant::now() + wait(call)?;
    let limit = max_results.and_then(|max| usize::try_from(max).ok()).unwrap_or(USUAL);
    let environments = call.caller.environments.clone();
    let ask = Ask { agent, binding, environments, limit };
    note(plane, call, &ask).await?;
    let mut bell = plane.work.subscribe();
    let offer = loop {
        bell.mark_unchanged();
        let offer = take(plane, call, &ask).await?;
        if !offer.deployments.is_empty() || Instant::now() >= deadline || plane.leaving.is_cancelled() {
            break offer;
        }
        let again = offer
            .look_again_at
            .map_or(deadline, |at| Instant::now() + until(plane, at))
            .min(deadline)
            .min(Instant::now() + LOOK);
        tokio::select! {
            () = tokio::time::sleep_until(again) => {}
            _ = bell.changed() => {}
            // The agent is to learn now that this server goes, and to find the next one.
            () = plane.leaving.cancelled() => break offer,
        }
    };
    call.answer_header(CLAIMABLE, &offer.claimable.to_string());
    let deployments = offer.deployments.iter().map(|found| view::summary(&call.scope, found.into())).collect();
    Ok(ListDeploymentsOutput { deployments, next_token: None })
}

/// Notes that the agent asks, now and then. That another server was faster is as good.
async fn note(plane: &Plane, call: &Call, ask: &Ask) -> Result<(), ProtonError> {
    let engine = Deployments::at(plane, call.scope.clone(), plane.clock.now());
    let (looking, asked) = (engine.clone(), ask.clone());
    if !plane.store.read(move |tx| looking.is_news(tx, &asked)).await.map_err(ProtonError::from)? {
        return Ok(());
    }
    let asked = ask.clone();
    match plane.store.write(move |tx| engine.note_asking(tx, &asked)).await {
        Err(StoreError::Exists { .. } | StoreError::Stale { .. }) => Ok(()),
        other => other.map_err(ProtonError::from),
    }
}

/// Looks first, and writes only if there is something to take: most polls find nothing.
async fn take(plane: &Plane, call: &Call, ask: &Ask) -> Result<Offer, ProtonError> {
    let engine = Deployments::at(plane, call.scope.clone(), plane.clock.now());
    let (looking, asked) = (engine.clone(), ask.clone());
    let seen = plane.store.read(move |tx| looking.look(tx, &asked)).await.map_err(ProtonError::from)?;
    if seen.claimable == 0 {
        return Ok(seen);
    }
    let asked = ask.clone();
    plane.store.write(move |tx| engine.offer(tx, &asked)).await.map_err(ProtonError::from)
}

/// The time until a moment has passed.
fn until(plane: &Plane, at: i64) -> Duration {
    Duration::from_millis(u64::try_from(at - plane.clock.now()).unwrap_or_default() + 1)
}

/// How long the answer may be held.
pub(super) fn wait(call: &Call) -> Result<Duration, ProtonError> {
    let Some(text) = call.header(WAIT) else { return Ok(Duration::ZERO) };
    let seconds: u64 = text.parse().map_err(|_| ProtonError::validation(format!("{WAIT}: {text} is no number")))?;
    Ok(Duration::from_secs(seconds.min(LONGEST)))
}

/// An agent's id as a header gave it.
///
/// # Errors
/// `ValidationException` for one that is empty or too long.
pub(super) fn checked_agent(agent: String) -> Result<String, ProtonError> {
    if (1..=LONGEST_AGENT).contains(&agent.len()) {
        return Ok(agent);
    }
    Err(ProtonError::validation(format!("{AGENT} must have 1 to {LONGEST_AGENT} characters")))
}
