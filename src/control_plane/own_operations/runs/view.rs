//! How a run is shown.

use hadron_model::hadron::{self, RunStatus};
use hadron_model::{DeploymentStatus, Timestamp};

use crate::control_plane::deployments::{Deployments, Queue};
use crate::control_plane::own_operations::states::state_lock;
use crate::control_plane::records::{Deployment, Lease, LockHolder, StateLock};
use crate::control_plane::store::{StoreError, Transaction, Typed};

/// A deployment as a run.
pub(crate) fn run(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    deployment: &Deployment,
) -> Result<hadron::Run, StoreError> {
    Shown { engine, queue: None }.run(tx, deployment)
}

/// Deployments as runs, all of one moment.
pub(super) struct Shown<'e> {
    pub(super) engine: &'e Deployments,
    /// All that is under way, looked up once it is wanted.
    pub(super) queue: Option<Queue>,
}

impl Shown<'_> {
    pub(super) fn run(&mut self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<hadron::Run, StoreError> {
        let queue = self.place(tx, deployment)?;
        Ok(hadron::Run { queue, ..plain(tx, self.engine, deployment)? })
    }

    fn place(
        &mut self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
    ) -> Result<Option<hadron::QueuePlace>, StoreError> {
        if !deployment.in_flight() {
            return Ok(None);
        }
        let queue = match self.queue.take() {
            Some(queue) => queue,
            None => self.engine.queue(tx)?,
        };
        let place = self.engine.place(tx, self.queue.insert(queue), deployment)?;
        Ok(place.map(|place| hadron::QueuePlace {
            position: place.position.and_then(|position| i64::try_from(position).ok()),
            owner: place.owner,
            reason: place.reason,
            deadline: place.deadline.map(Timestamp),
        }))
    }
}

/// A run without its place among the others.
fn plain(tx: &mut dyn Transaction, engine: &Deployments, deployment: &Deployment) -> Result<hadron::Run, StoreError> {
    let (scope, now) = (&engine.scope, engine.now);
    let state = tx.get::<StateLock>(scope, &deployment.target_arn)?.map(|stored| stored.value);
    let mine = |holder: &&LockHolder| holder.deployment == deployment.id;
    let holder = state.as_ref().and_then(|lock| lock.holder.as_ref()).filter(mine);
    let lock = holder.map(|holder| state_lock(tx, engine, &deployment.target_arn, holder)).transpose()?;
    // A lease ends with its deployment; the lock remembers who had it last.
    let last = holder.or_else(|| state.as_ref().and_then(|lock| lock.last.as_ref()).filter(mine));
    let (lease, approval) = (deployment.lease.as_ref(), deployment.approval.as_ref());
    Ok(hadron::Run {
        deployment_id: deployment.id.clone(),
        target_arn: deployment.target_arn.clone(),
        status: status(deployment, now),
        attempt: Some(deployment.epoch).filter(|epoch| *epoch > 0),
        agent: lease.map(|lease| lease.agent.clone()).or_else(|| last.map(|last| last.agent.clone())),
        epoch: Some(deployment.epoch).filter(|epoch| *epoch > 0),
        claimed_at: lease.and_then(claimed_at),
        lease_until: lease.map(|lease| Timestamp(lease.expires_at)),
        started_at: Some(Timestamp(deployment.created_at)),
        ended_at: deployment.completed_at.map(Timestamp),
        plan_digest: approval.map(|it| it.digest.clone()),
        plan_summary: approval.map(|it| it.summary.clone()),
        decision: approval.and_then(|it| it.decision),
        decided_by: approval.and_then(|it| it.decided_by.clone()),
        decided_at: approval.and_then(|it| it.decided_at).map(Timestamp),
        decision_comment: approval.and_then(|it| it.comment.clone()),
        lock,
        queue: None,
        message: deployment.message.clone(),
    })
}

/// Leases of older records don't say since when.
fn claimed_at(lease: &Lease) -> Option<Timestamp> {
    (lease.since > 0).then_some(Timestamp(lease.since))
}

/// Where a run stands: LOST once its lease has run out and nobody has reported an end or claimed it again.
pub(super) fn status(deployment: &Deployment, now: i64) -> RunStatus {
    use DeploymentStatus as D;
    match deployment.status {
        D::Succeeded | D::DeleteComplete => RunStatus::Succeeded,
        D::Failed | D::DeleteFailed => RunStatus::Failed,
        D::Cancelled => RunStatus::Cancelled,
        D::InProgress | D::Cancelling | D::DeleteInProgress => match &deployment.lease {
            Some(_) if deployment.live_lease(now).is_some() => match deployment.awaits() {
                Some(_) => RunStatus::AwaitingApproval,
                None => RunStatus::Running,
            },
            Some(_) => RunStatus::Lost,
            // A client that knows no leases has reported.
            None if deployment.ever_claimed => RunStatus::Running,
            None => RunStatus::Waiting,
        },
    }
}
