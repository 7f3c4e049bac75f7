//! What an agent may claim now, in an order that is fair to every environment.

use std::collections::{BTreeMap, VecDeque};

use hadron_model::DeploymentStatus;

use super::Deployments;
use super::binding::within;
use crate::control_plane::records::{Deployment, Executor, Turn};
use crate::control_plane::store::{StoreError, Stored, Transaction, Typed};

/// How long what one agent was shown is withheld from the others, in milliseconds: enough to claim it.
const WITHHELD: i64 = 5_000;

/// An agent that looks for work.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The agent's id.
    pub(crate) agent: String,
    /// Whether a deployment is within what the agent is bound to.
    pub(crate) binding: super::Selection,
    /// The environments that its key is bound to; all if there are none.
    pub(crate) environments: Vec<String>,
    /// How many it wants.
    pub(crate) limit: usize,
}

/// What it gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offer {
    /// In the order to claim them.
    pub(crate) deployments: Vec<Deployment>,
    /// How many the agent could claim at present, including those it gets.
    pub(crate) claimable: usize,
    /// When a lease or an offer ends, so that there may be more though nobody rings.
    pub(crate) look_again_at: Option<i64>,
}

impl Deployments {
    /// Looks without taking anything: whether there is work, and when there may be some.
    pub(crate) fn look(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<Offer, StoreError> {
        let (found, look_again_at) = self.claimable(tx, ask)?;
        let claimable = found.len();
        Ok(Offer { deployments: Vec::new(), claimable, look_again_at })
    }

    /// Shows an agent what it may claim, and withholds that from all others for five seconds.
    pub(crate) fn offer(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<Offer, StoreError> {
        let (found, look_again_at) = self.claimable(tx, ask)?;
        let claimable = found.len();
        let mut deployments = Vec::new();
        for mut deployment in self.by_turns(tx, found)?.into_iter().take(ask.limit) {
            deployment.offer = Some((ask.agent.clone(), self.now + WITHHELD));
            tx.save(&self.scope, &mut deployment)?;
            deployments.push(deployment.value);
        }
        Ok(Offer { deployments, claimable, look_again_at })
    }

    /// Everything the agent may claim, oldest first, and when there may be more.
    fn claimable(
        &self,
        tx: &mut dyn Transaction,
        ask: &Ask,
    ) -> Result<(Vec<Stored<Deployment>>, Option<i64>), StoreError> {
        let mut found = Vec::new();
        let mut look_again_at: Option<i64> = None;
        for deployment in tx.by_term::<Deployment>(&self.scope, "in_flight", "")? {
            if !waits_for_agents(&deployment) || !ask.binding.holds(&deployment.target, &deployment.environment) {
                continue;
            }
            if !within(tx, &self.scope, &ask.environments, &deployment)? {
                continue;
            }
            match taken_until(&deployment, &ask.agent, self.now) {
                Some(until) => look_again_at = Some(look_again_at.map_or(until, |at| at.min(until))),
                None if self.target_free(tx, &deployment)? => found.push(deployment),
                None => {}
            }
        }
        Ok((found, look_again_at))
    }

    /// One of each environment in turn, the one that waited longest since its last claim first.
    fn by_turns(
        &self,
        tx: &mut dyn Transaction,
        found: Vec<Stored<Deployment>>,
    ) -> Result<Vec<Stored<Deployment>>, StoreError> {
        let mut queues: BTreeMap<String, VecDeque<Stored<Deployment>>> = BTreeMap::new();
        for deployment in found {
            queues.entry(deployment.environment.clone()).or_default().push_back(deployment);
        }
        let mut order = Vec::new();
        for (environment, queue) in queues {
            let turn = tx.get::<Turn>(&self.scope, &Turn::key_of(&environment))?.map(|turn| turn.at);
            let oldest = queue.front().map(|first| first.created_at);
            order.push((turn, oldest, environment, queue));
        }
        order.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        let mut queues: Vec<_> = order.into_iter().map(|(.., queue)| queue).collect();
        let mut turns = Vec::new();
        while queues.iter().any(|queue| !queue.is_empty()) {
            turns.extend(queues.iter_mut().filter_map(VecDeque::pop_front));
        }
        Ok(turns)
    }
}

fn waits_for_agents(deployment: &Deployment) -> bool {
    matches!(deployment.status, DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress)
        && deployment.executor == Executor::Agent
        && deployment.unpublished.is_empty()
}

/// When the deployment comes free for this agent, if it isn't now.
fn taken_until(deployment: &Deployment, agent: &str, now: i64) -> Option<i64> {
    let lease = deployment.live_lease(now).map(|lease| lease.expires_at);
    let offer = deployment.offer.as_ref().filter(|(to, until)| to != agent && *until > now).map(|(_, until)| *until);
    lease.max(offer)
}
