//! Which runs of a target are unsettled: claimed, and without a terminal report of their own epoch.
//!
//! Whoever claims next is told of them, since their Terraform may still be at work, or may have created what the state
//! doesn't know. All of it is noted in the transaction of the claim or the report that it follows from.

use hadron_model::hadron::StateAt;

use super::{Deployments, Settles};
use crate::control_plane::records::{
    Deployment, Environment, Executor, Imported, Lease, Requests, StateLock, TargetRuns, UnsettledRun,
};
use crate::control_plane::store::{StoreError, Transaction, Typed};

/// What a claimer must see to before it begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Inheritance {
    /// Runs to be settled, oldest first: `<deployment>.<epoch>`.
    pub(crate) unsettled: Vec<String>,
    /// How many resources are to be brought into the state.
    pub(crate) adoptions: usize,
    /// Where the target's state lies, if it was imported and stays there.
    pub(crate) state: Option<StateAt>,
    /// Where the rendered directory is to be published; the claimer then runs nothing.
    pub(crate) requests: Option<Requests>,
}

impl Deployments {
    /// Notes a new claim as unsettled.
    pub(super) fn note_unsettled(
        &self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let arn = &deployment.target_arn;
        let lock = tx.get::<StateLock>(&self.scope, arn)?;
        let run = UnsettledRun {
            deployment: deployment.id.clone(),
            epoch: deployment.epoch,
            agent: lease.agent.clone(),
            access_key: lease.access_key.clone(),
            since: self.now,
            told_adoption: lock.and_then(|lock| lock.adoptions.last().map(|last| last.number)).unwrap_or(0),
        };
        match tx.get::<TargetRuns>(&self.scope, arn)? {
            None => tx.add(&self.scope, &TargetRuns { target_arn: arn.clone(), unsettled: vec![run] }),
            Some(mut runs) => {
                runs.unsettled.push(run);
                tx.save(&self.scope, &mut runs)
            }
        }
    }

    /// What the current claim of a deployment has inherited; the same however often it is asked.
    pub(super) fn inheritance(
        &self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
    ) -> Result<Inheritance, StoreError> {
        let arn = &deployment.target_arn;
        let state = tx.get::<Imported>(&self.scope, arn)?.and_then(|imported| imported.value.state);
        let requests = self.requests(tx, deployment)?;
        let Some(runs) = tx.get::<TargetRuns>(&self.scope, arn)? else {
            return Ok(Inheritance { requests, state, ..Inheritance::default() });
        };
        let before = runs.before(&deployment.id, deployment.epoch);
        let unsettled = before.iter().map(|run| format!("{}.{}", run.deployment, run.epoch)).collect();
        let told = runs.run(&deployment.id, deployment.epoch).map_or(0, |run| run.told_adoption);
        let adoptions = match tx.get::<StateLock>(&self.scope, arn)? {
            Some(lock) => lock.adoptions.iter().filter(|it| it.number <= told).count(),
            None => 0,
        };
        Ok(Inheritance { unsettled, adoptions, requests, state })
    }

    /// Where a deployment's directory is published: its environment says so.
    fn requests(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<Option<Requests>, StoreError> {
        if deployment.executor != Executor::PullRequest {
            return Ok(None);
        }
        let environment = tx.get::<Environment>(&self.scope, &deployment.environment)?;
        Ok(environment.and_then(|environment| environment.value.requests))
    }

    /// Notes that a run has reported its end: it is settled, with all that its claim was told of. If it succeeded, what it
    /// was to adopt is in the state.
    pub(super) fn settle(
        &self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
        epoch: i64,
        settles: Settles,
        succeeded: bool,
    ) -> Result<(), StoreError> {
        let arn = &deployment.target_arn;
        let Some(mut runs) = tx.get::<TargetRuns>(&self.scope, arn)? else { return Ok(()) };
        let settled = match settles {
            Settles::All => runs.settle(&deployment.id, epoch),
            Settles::Own => runs.settle_alone(&deployment.id, epoch),
            Settles::Nothing => None,
        };
        let Some(run) = settled else { return Ok(()) };
        if runs.unsettled.is_empty() {
            tx.delete(&self.scope, &runs)?;
        } else {
            tx.save(&self.scope, &mut runs)?;
        }
        if !succeeded || run.told_adoption == 0 {
            return Ok(());
        }
        let Some(mut lock) = tx.get::<StateLock>(&self.scope, arn)? else { return Ok(()) };
        lock.adoptions.retain(|it| it.number > run.told_adoption);
        tx.save(&self.scope, &mut lock)
    }
}
