//! Where every deployment under way stands: who must act next, until when, and if nobody does, why.

use std::collections::BTreeMap;

use hadron_model::DeploymentStatus;

use super::asked::Asked;
use super::limits::Room;
use super::{Deployments, TargetRecord};
use crate::control_plane::records::{Deployment, Executor, Lease, LockHolder, StateLock};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};

/// How long a deployment that was claimed and lost stays behind those that nobody has tried yet, in milliseconds. Then its
/// age counts again, so that it is never put off for ever.
const BEHIND: i64 = 600_000;

/// How long nobody must have asked before it is worth telling, in milliseconds: agents ask once a minute at least, and that
/// is noted once a minute.
const UNHEARD: i64 = 150_000;

/// Where a deployment under way stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its place in its environment's line, from 1; none of what isn't in line.
    pub(crate) position: Option<usize>,
    /// Who must act next: an agent, a pipeline, an operator, people, the server.
    pub(crate) owner: String,
    /// Why it doesn't go on, or who works on it.
    pub(crate) reason: String,
    /// When something happens though nobody acts.
    pub(crate) deadline: Option<i64>,
}

/// All that is under way, at one moment.
pub(crate) struct Queue {
    room: Room,
    /// The ids of those in line, by environment, first first.
    lines: BTreeMap<String, Vec<String>>,
    blocked: BTreeMap<String, String>,
    held: BTreeMap<String, LockHolder>,
    asked: Vec<Stored<Asked>>,
}

/// Sorts the deployments of one environment: first what nobody has tried yet, then what was claimed and lost, each the
/// oldest first.
pub(super) fn in_line(deployments: &mut [Stored<Deployment>], now: i64) {
    deployments.sort_by_key(|deployment| rank(deployment, now));
}

fn rank(deployment: &Deployment, now: i64) -> (bool, i64) {
    let lost = deployment.lease.as_ref().filter(|_| deployment.epoch > 0).map(|lease| lease.expires_at);
    match lost {
        Some(lost) if now - lost < BEHIND => (true, lost),
        _ => (false, deployment.created_at),
    }
}

/// Whether an agent may take it as far as it alone is concerned.
pub(super) fn waits_for_agents(deployment: &Deployment) -> bool {
    matches!(deployment.status, DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress)
        && deployment.executor != Executor::Ci
        && deployment.unpublished.is_empty()
}

impl Deployments {
    /// Everything that is under way.
    pub(crate) fn queue(&self, tx: &mut dyn Transaction) -> Result<Queue, StoreError> {
        let in_flight = tx.by_term::<Deployment>(&self.scope, "in_flight", "")?;
        let blocked: BTreeMap<_, _> = tx
            .by_term::<StateLock>(&self.scope, StateLock::BLOCKED, "")?
            .into_iter()
            .filter_map(|lock| Some((lock.target_arn.clone(), lock.value.blocked?.reason)))
            .collect();
        let held = tx.by_term::<StateLock>(&self.scope, StateLock::HELD, "")?;
        let held = held.into_iter().filter_map(|lock| Some((lock.target_arn.clone(), lock.value.holder?)));
        let room = Room::of(self.settings.limits, &in_flight, None, self.now);
        let mut waiting: BTreeMap<String, Vec<Stored<Deployment>>> = BTreeMap::new();
        for deployment in in_flight {
            let free = deployment.live_lease(self.now).is_none() && !blocked.contains_key(&deployment.target_arn);
            if free && waits_for_agents(&deployment) {
                waiting.entry(deployment.environment.clone()).or_default().push(deployment);
            }
        }
        let line = |(environment, mut line): (String, Vec<Stored<Deployment>>)| {
            in_line(&mut line, self.now);
            (environment, line.into_iter().map(|it| it.value.id).collect())
        };
        let lines = waiting.into_iter().map(line).collect();
        Ok(Queue { room, lines, blocked, held: held.collect(), asked: tx.all::<Asked>(&self.scope)? })
    }

    /// Where a deployment stands; none of one that has ended.
    pub(crate) fn place(
        &self,
        tx: &mut dyn Transaction,
        queue: &Queue,
        deployment: &Deployment,
    ) -> Result<Option<Place>, StoreError> {
        if !deployment.in_flight() {
            return Ok(None);
        }
        if let Some(lease) = deployment.live_lease(self.now) {
            return Ok(Some(worked_on(deployment, lease)));
        }
        let server = |reason: &str| Place::of("server", reason.to_owned(), Some(self.now));
        if deployment.status == DeploymentStatus::Cancelling {
            return Ok(Some(server("it is being cancelled and its agent is silent: the server ends it")));
        }
        if !deployment.unpublished.is_empty() {
            return Ok(Some(server("its inputs are on their way into the bucket")));
        }
        if deployment.executor == Executor::Ci {
            let reason = "executor is ci: a pipeline of yours deploys it and reports".to_owned();
            return Ok(Some(Place::of("pipeline", reason, None)));
        }
        if let Some(reason) = queue.blocked.get(&deployment.target_arn) {
            return Ok(Some(Place::of("operator", format!("blocked: {reason}"), None)));
        }
        if let Some(busy) = self.busy_with(tx, deployment)? {
            let reason = format!("target busy with deployment {busy}");
            return Ok(Some(Place::of("operator", reason, None)));
        }
        self.in_its_line(tx, queue, deployment).map(Some)
    }

    /// The deployment that the target is at instead.
    fn busy_with(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<Option<String>, StoreError> {
        let record = TargetRecord::load(tx, &self.scope, &deployment.target)?;
        let last = record.and_then(|record| record.progress().last_attempted_deployment_id.clone());
        Ok(last.filter(|last| *last != deployment.id))
    }

    fn in_its_line(
        &self,
        tx: &mut dyn Transaction,
        queue: &Queue,
        deployment: &Deployment,
    ) -> Result<Place, StoreError> {
        let line = queue.lines.get(&deployment.environment);
        let position = line.and_then(|line| line.iter().position(|id| *id == deployment.id)).map_or(1, |at| at + 1);
        let placed =
            |reason: String, deadline| Place { position: Some(position), owner: "agent".into(), reason, deadline };
        if let Some(limit) = queue.room.why_not(&deployment.environment, position) {
            return Ok(placed(format!("{} in line: {limit}", ordinal(position)), queue.room.next));
        }
        if let Some(silence) = self.unheard(tx, queue, deployment)? {
            return Ok(placed(silence, None));
        }
        let lost = deployment.lease.as_ref().map(|lease| format!("agent {} fell silent; ", lease.agent));
        let held = queue.held.get(&deployment.target_arn).filter(|holder| holder.deployment != deployment.id);
        let held = held.map(|it| format!("; its state is still locked by run {}.{}", it.deployment, it.epoch));
        let (lost, held) = (lost.unwrap_or_default(), held.unwrap_or_default());
        Ok(placed(format!("{lost}waits for an agent, {} in line{held}", ordinal(position)), None))
    }

    /// What there is to say if no agent that may take it has asked lately.
    fn unheard(
        &self,
        tx: &mut dyn Transaction,
        queue: &Queue,
        deployment: &Deployment,
    ) -> Result<Option<String>, StoreError> {
        let mut last: Option<i64> = None;
        for asked in &queue.asked {
            if last.is_none_or(|last| asked.at > last) && asked.covers(tx, self, deployment)? {
                last = Some(asked.at);
            }
        }
        let whom = match deployment.environment.as_str() {
            "" => "for pipelines".to_owned(),
            environment => format!("bound to {environment}"),
        };
        Ok(match last.map(|last| self.now - last) {
            None => Some(format!("no agent {whom} has ever asked")),
            Some(silence) if silence >= UNHEARD => {
                Some(format!("no agent {whom} has asked for {} min", silence / 60_000))
            }
            Some(_) => None,
        })
    }
}

impl Place {
    fn of(owner: &str, reason: String, deadline: Option<i64>) -> Self {
        Self { position: None, owner: owner.to_owned(), reason, deadline }
    }
}

/// Where a deployment stands that has a live lease.
fn worked_on(deployment: &Deployment, lease: &Lease) -> Place {
    let agent = &lease.agent;
    if deployment.awaits().is_some() {
        let reason = format!("its plan awaits a decision: hadron approve {}", deployment.id);
        return Place::of("people", reason, None);
    }
    let reason = match deployment.status {
        DeploymentStatus::Cancelling => format!("agent {agent} has been asked to stop"),
        _ => format!("agent {agent} works on it"),
    };
    Place::of(&format!("agent {agent}"), reason, Some(lease.expires_at))
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, 11) | (2, 12) | (3, 13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
