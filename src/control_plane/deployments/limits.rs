//! How many deployments may be at work at once.

use std::collections::BTreeMap;

use super::Deployments;
use crate::control_plane::plane::DeploymentLimits;
use crate::control_plane::records::Deployment;
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};

/// The room that the limits leave at one moment.
#[derive(Debug, Clone)]
pub(super) struct Room {
    limits: DeploymentLimits,
    /// At work, by environment.
    used: BTreeMap<String, usize>,
    all: usize,
    /// When the next of those may come to an end without a word.
    pub(super) next: Option<i64>,
}

impl Room {
    /// What is left for an agent; without one, for whoever claims now. What was just shown to others counts as theirs.
    pub(super) fn of(
        limits: DeploymentLimits,
        in_flight: &[Stored<Deployment>],
        agent: Option<&str>,
        now: i64,
    ) -> Self {
        let mut room = Self { limits, used: BTreeMap::new(), all: 0, next: None };
        if !limits.any() {
            return room;
        }
        for deployment in in_flight {
            let working = deployment.live_lease(now).map(|lease| lease.expires_at).filter(|_| at_work(deployment, now));
            let shown =
                deployment.offer.as_ref().filter(|(to, until)| agent.is_some_and(|me| me != to) && *until > now);
            let Some(until) = working.or(shown.map(|(_, until)| *until)) else { continue };
            room.all += 1;
            *room.used.entry(deployment.environment.clone()).or_default() += 1;
            room.next = Some(room.next.map_or(until, |next| next.min(until)));
        }
        room
    }

    /// How many more may begin in an environment. Pipelines lie in none, and have the account's limit only.
    pub(super) fn within(&self, environment: &str) -> usize {
        match self.limits.per_environment {
            0 => usize::MAX,
            _ if environment.is_empty() => usize::MAX,
            limit => limit.saturating_sub(self.used.get(environment).copied().unwrap_or_default()),
        }
    }

    /// How many more may begin in the account.
    pub(super) fn in_account(&self) -> usize {
        match self.limits.per_account {
            0 => usize::MAX,
            limit => limit.saturating_sub(self.all),
        }
    }

    /// The limit that stands in the way of the deployment at this place of its environment's line, from 1.
    pub(super) fn why_not(&self, environment: &str, place: usize) -> Option<String> {
        if place > self.within(environment) {
            return Some(format!("limit of {} in environment {environment}", self.limits.per_environment));
        }
        (place > self.in_account()).then(|| format!("limit of {} in the account", self.limits.per_account))
    }
}

/// Whether somebody works on it. While people decide on its plan nothing runs, so that it leaves its room to others.
pub(super) fn at_work(deployment: &Deployment, now: i64) -> bool {
    deployment.live_lease(now).is_some() && deployment.awaits().is_none()
}

impl Deployments {
    /// Why a deployment may not begin now although nobody works on it, if the limits are reached.
    pub(super) fn crowded(
        &self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
    ) -> Result<Option<String>, StoreError> {
        if !self.settings.limits.any() {
            return Ok(None);
        }
        let in_flight = tx.by_term::<Deployment>(&self.scope, "in_flight", "")?;
        let room = Room::of(self.settings.limits, &in_flight, None, self.now);
        Ok(room.why_not(&deployment.environment, 1))
    }
}
