//! What an agent may claim now, in an order that is fair to every environment: one of each in turn, and within each what
//! nobody has tried yet before what was claimed and lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Deployments;
use super::binding::within;
use super::limits::Room;
use super::queue::{in_line, waits_for_agents};
use crate::control_plane::records::{Deployment, StateLock, Turn};
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

/// What an agent may claim.
struct Found {
    /// By environment, as far as that has room, first first.
    lines: BTreeMap<String, Vec<Stored<Deployment>>>,
    /// As many of them as the account has room for.
    room: usize,
    look_again_at: Option<i64>,
}

impl Found {
    fn claimable(&self) -> usize {
        self.lines.values().map(Vec::len).sum::<usize>().min(self.room)
    }
}

impl Deployments {
    /// Looks without taking anything: whether there is work, and when there may be some.
    pub(crate) fn look(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<Offer, StoreError> {
        let found = self.claimable(tx, ask)?;
        let claimable = found.claimable();
        Ok(Offer { deployments: Vec::new(), claimable, look_again_at: found.look_again_at })
    }

    /// Shows an agent what it may claim, and withholds that from all others for five seconds.
    pub(crate) fn offer(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<Offer, StoreError> {
        let found = self.claimable(tx, ask)?;
        let (claimable, look_again_at) = (found.claimable(), found.look_again_at);
        let mut deployments = Vec::new();
        for mut deployment in self.by_turns(tx, found.lines)?.into_iter().take(ask.limit.min(claimable)) {
            deployment.offer = Some((ask.agent.clone(), self.now + WITHHELD));
            tx.save(&self.scope, &mut deployment)?;
            deployments.push(deployment.value);
        }
        Ok(Offer { deployments, claimable, look_again_at })
    }

    /// Everything the agent may claim, in line and within the limits, and when there may be more.
    fn claimable(&self, tx: &mut dyn Transaction, ask: &Ask) -> Result<Found, StoreError> {
        let mut lines: BTreeMap<String, Vec<Stored<Deployment>>> = BTreeMap::new();
        let blocked = self.blocked_targets(tx)?;
        let in_flight = tx.by_term::<Deployment>(&self.scope, "in_flight", "")?;
        let room = Room::of(self.settings.limits, &in_flight, Some(&ask.agent), self.now);
        let mut look_again_at = room.next;
        for deployment in in_flight {
            if !waits_for_agents(&deployment)
                || blocked.contains(&deployment.target_arn)
                || !ask.binding.holds(&deployment.target, &deployment.environment)
                || !within(tx, &self.scope, &ask.environments, &deployment)?
            {
                continue;
            }
            match taken_until(&deployment, &ask.agent, self.now) {
                Some(until) => look_again_at = Some(look_again_at.map_or(until, |at| at.min(until))),
                None if self.target_free(tx, &deployment)? => {
                    lines.entry(deployment.environment.clone()).or_default().push(deployment);
                }
                None => {}
            }
        }
        for (environment, line) in &mut lines {
            in_line(line, self.now);
            line.truncate(room.within(environment));
        }
        Ok(Found { lines, room: room.in_account(), look_again_at })
    }

    /// The targets whose state is blocked.
    fn blocked_targets(&self, tx: &mut dyn Transaction) -> Result<BTreeSet<String>, StoreError> {
        let blocked = tx.by_term::<StateLock>(&self.scope, StateLock::BLOCKED, "")?;
        Ok(blocked.into_iter().map(|lock| lock.value.target_arn).collect())
    }

    /// One of each environment in turn, the one that waited longest since its last claim first.
    fn by_turns(
        &self,
        tx: &mut dyn Transaction,
        lines: BTreeMap<String, Vec<Stored<Deployment>>>,
    ) -> Result<Vec<Stored<Deployment>>, StoreError> {
        let mut order = Vec::new();
        for (environment, line) in lines {
            let queue = VecDeque::from(line);
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

/// When the deployment comes free for this agent, if it isn't now.
fn taken_until(deployment: &Deployment, agent: &str, now: i64) -> Option<i64> {
    let lease = deployment.live_lease(now).map(|lease| lease.expires_at);
    let offer = deployment.offer.as_ref().filter(|(to, until)| to != agent && *until > now).map(|(_, until)| *until);
    lease.max(offer)
}
