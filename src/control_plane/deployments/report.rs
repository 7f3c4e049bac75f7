//! What an agent or a pipeline reports about a deployment: claim, heartbeat, outputs, end.

use hadron_model::{DeploymentStatus, ResourceDeploymentStatus};

use super::{Asked, Deployments, Inheritance, Outcome, TargetRecord};
use crate::control_plane::records::{Action, Deployment, Executor, Imported, Lease, Output, StateLock, Turn};
use crate::control_plane::state_server::release;
use crate::control_plane::store::{Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// One NotifyResourceDeploymentStatusChange, with the headers that make it more than stock.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// What is deployed.
    pub(crate) target: Target,
    /// Which deployment; without it the one under way.
    pub(crate) deployment_id: Option<String>,
    /// Without one it is still under way.
    pub(crate) status: Option<ResourceDeploymentStatus>,
    /// Replace the outputs reported before.
    pub(crate) outputs: Option<Vec<Output>>,
    /// For people.
    pub(crate) message: Option<String>,
    /// `x-hadron-agent`.
    pub(crate) agent: Option<String>,
    /// `x-hadron-epoch`.
    pub(crate) epoch: Option<i64>,
    /// The id of the key that signed the report.
    pub(crate) access_key: String,
    /// Whose key that is.
    pub(crate) principal: String,
    /// `x-hadron-plan` and `x-hadron-plan-summary`: a plan that people are to decide on.
    pub(crate) plan: Option<Asked>,
    /// `x-hadron-settled`: which runs the report of an end settles.
    pub(crate) settles: Settles,
    /// `x-hadron-knows`: whether the claimer can work on a state that lies where the answer says.
    pub(crate) knows_state_at: bool,
    /// `x-hadron-published`: the rendered directory is where a pipeline finds it, and the agent lets go.
    pub(crate) published: bool,
    /// `x-hadron-request: closed`: the request was closed unmerged, so that the failure is a calling off.
    pub(crate) closed: bool,
}

/// Which unsettled runs of the target are settled by a report of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Settles {
    /// The run that reports, and all that its claim was told of.
    #[default]
    All,
    /// The run that reports only: it ended before it came to the others.
    Own,
    /// None: it couldn't be settled, and whoever claims next must try.
    Nothing,
}

/// A report that counts.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// The deployment as it is now.
    pub(crate) deployment: Deployment,
    /// Of a claim, what it inherits; the answer then tells all that the claimer needs.
    pub(crate) claimed: Option<Inheritance>,
    /// Whether there may be new work for agents.
    pub(crate) ended: bool,
}

/// A report that changes nothing; it is told how the deployment stands nevertheless.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The deployment's status, if there is such a deployment.
    pub(crate) status: Option<DeploymentStatus>,
    /// Why.
    pub(crate) error: ProtonError,
}

impl From<ProtonError> for Refused {
    fn from(error: ProtonError) -> Self {
        Self { status: None, error }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::from(ProtonError::from(error))
    }
}

impl Deployments {
    /// Takes in a report. The repeat of one that counted counts again and changes nothing.
    ///
    /// # Errors
    /// [`Refused`], and nothing has changed.
    pub(crate) fn hear(&self, tx: &mut dyn Transaction, report: &Report) -> Result<Heard, Refused> {
        let mut deployment = self.reported(tx, report)?;
        let status = deployment.status;
        self.heard(tx, &mut deployment, report).map_err(|error| Refused { status: Some(status), error })
    }

    fn heard(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Stored<Deployment>,
        report: &Report,
    ) -> Result<Heard, ProtonError> {
        use ResourceDeploymentStatus as S;
        // Whatever an old workflow says when it runs again, Proton had finished this.
        if deployment.imported && report.agent.is_none() && report.epoch.is_none() {
            return Ok(Heard { deployment: deployment.value.clone(), claimed: None, ended: false });
        }
        check_epoch(deployment, report)?;
        if !deployment.in_flight() {
            let heard = repeated_end(deployment, report)?;
            self.settle_late(tx, deployment, report)?;
            return Ok(heard);
        }
        let claimed = report.epoch.is_none() && report.agent.is_some() && report.status == Some(S::InProgress);
        if claimed {
            self.claim(tx, deployment, report)?;
        } else if report.epoch.is_some() {
            self.renew(deployment);
        } else if report.agent.is_some() {
            return Err(ProtonError::conflict("an agent's report carries the epoch of its claim"));
        } else {
            self.refuse_while_leased(deployment)?;
            refuse_unnamed_end(deployment, report)?;
        }
        deployment.ever_claimed = true;
        if let Some(outputs) = &report.outputs {
            deployment.outputs.clone_from(outputs);
        }
        let ended = match report.status {
            Some(S::Succeeded) => Some(Outcome::Succeeded),
            // Nobody calls off a deletion; that one has failed.
            Some(S::Failed) if report.closed && deployment.status != DeploymentStatus::DeleteInProgress => {
                Some(Outcome::Cancelled)
            }
            Some(S::Failed) => Some(Outcome::Failed),
            Some(S::InProgress) | None => None,
        };
        let mut idle = false;
        if let (None, true, Some(epoch)) = (ended, report.published, report.epoch) {
            self.hand_over(tx, deployment, epoch, report.message.as_ref())?;
            idle = true;
        } else if let Some(outcome) = ended {
            self.finish(tx, deployment, outcome, report.message.clone())?;
            // The run says itself that it is over, so what it left locked guards nothing any more.
            if let Some(epoch) = report.epoch {
                release(tx, &self.scope, &deployment.target_arn, &deployment.id, epoch)?;
                self.settle(tx, deployment, epoch, report.settles, outcome == Outcome::Succeeded)?;
            }
        } else {
            let asked = self.ask_people(deployment, report);
            // While people decide it leaves its room to others.
            idle = asked.is_some();
            // What is being cancelled is told of by whoever holds it, and by nobody else.
            let cancelling = deployment.status == DeploymentStatus::Cancelling;
            let said = report.message.as_ref().filter(|_| report.epoch.is_some() || !cancelling);
            self.go_on(tx, deployment, asked.as_ref().or(said))?;
        }
        let claimed = if claimed { Some(self.inheritance(tx, deployment)?) } else { None };
        Ok(Heard { deployment: deployment.value.clone(), claimed, ended: ended.is_some() || idle })
    }

    /// The end that an agent reports of what ended without it: its run is settled and its lock released, since it says so
    /// itself.
    fn settle_late(
        &self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
        report: &Report,
    ) -> Result<(), ProtonError> {
        let Some(epoch) = report.epoch.filter(|_| deployment.claimed_by() == Some(&report.access_key)) else {
            return Ok(());
        };
        release(tx, &self.scope, &deployment.target_arn, &deployment.id, epoch)?;
        // What it was to adopt counts only if the deployment succeeded, and then it was settled with that.
        Ok(self.settle(tx, deployment, epoch, report.settles, false)?)
    }

    /// The deployment that a report is about: by its id first, else whatever the target has under way, else the last.
    fn reported(&self, tx: &mut dyn Transaction, report: &Report) -> Result<Stored<Deployment>, ProtonError> {
        let target = &report.target;
        let arn = target.arn(&self.scope);
        if let Some(id) = &report.deployment_id {
            let known = tx.get::<Deployment>(&self.scope, id)?;
            if let Some(own) = known.filter(|known| known.target_arn == arn) {
                return Ok(own);
            }
            self.load(tx, target)?;
            return Err(ProtonError::conflict(format!("{target} has no deployment {id}")));
        }
        let last = Select { term: "target", value: &arn, after: None, descending: true, limit: 1 };
        match TargetRecord::load(tx, &self.scope, target)? {
            Some(record) => {
                let id = record.progress().last_attempted_deployment_id.as_deref().unwrap_or_default();
                tx.get::<Deployment>(&self.scope, id)?
                    .ok_or_else(|| ProtonError::conflict(format!("{target} has no deployment under way")))
            }
            // The repeat of the report that ended a deletion finds nothing but that deletion.
            None => tx
                .page::<Deployment>(&self.scope, &last)?
                .pop()
                .ok_or_else(|| ProtonError::not_found(format!("{target} doesn't exist"))),
        }
    }

    /// Gives an agent the deployment, or gives it again to the agent that has it.
    fn claim(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Stored<Deployment>,
        report: &Report,
    ) -> Result<(), ProtonError> {
        let agent = report.agent.clone().unwrap_or_default();
        let own = |lease: &Lease| lease.agent == agent && lease.access_key == report.access_key;
        if deployment.lease.as_ref().is_some_and(own) {
            self.renew(deployment);
            return Ok(());
        }
        if let Some(lease) = deployment.live_lease(self.now) {
            return Err(held(deployment, lease));
        }
        self.must_be_claimable(tx, deployment)?;
        self.must_find_the_state(tx, deployment, report)?;
        deployment.epoch += 1;
        deployment.offer = None;
        deployment.approval = None;
        let expires_at = self.lease_end();
        let access_key = report.access_key.clone();
        deployment.last_claimed_by = Some(access_key.clone());
        // Of a record that didn't note them, nobody knows who claimed before.
        let before = usize::try_from(deployment.epoch - 1).unwrap_or_default();
        deployment.claimers.resize(before, String::new());
        deployment.claimers.push(access_key.clone());
        let lease = Lease { agent, access_key, since: self.now, expires_at };
        self.note_unsettled(tx, deployment, &lease)?;
        deployment.lease = Some(lease);
        self.take_turn(tx, &deployment.environment)
    }

    /// Refuses a first claim of what no agent may have, whatever it was offered.
    fn must_be_claimable(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<(), ProtonError> {
        let id = &deployment.id;
        let refusal = if deployment.executor == Executor::Ci {
            format!("deployment {id} belongs to a pipeline: its environment's executor is ci, so no agent may claim it")
        } else if deployment.status == DeploymentStatus::Cancelling {
            format!("deployment {id} is being cancelled")
        } else if !deployment.unpublished.is_empty() {
            format!("deployment {id} can't be claimed yet: its inputs aren't in the bucket")
        } else if !self.target_free(tx, deployment)? {
            format!("deployment {id} can't be claimed: {} has moved on", deployment.target)
        } else if let Some(limit) = self.crowded(tx, deployment)? {
            format!("deployment {id} can't be claimed yet: {limit}")
        } else if let Some(reason) = self.blocked(tx, deployment)? {
            format!("deployment {id} can't be claimed: the state of {} is blocked: {reason}", deployment.target)
        } else {
            return Ok(());
        };
        Err(ProtonError::conflict(refusal))
    }

    /// Refuses a claimer that wouldn't look where an imported state lies.
    fn must_find_the_state(
        &self,
        tx: &mut dyn Transaction,
        deployment: &Deployment,
        report: &Report,
    ) -> Result<(), ProtonError> {
        match tx.get::<Imported>(&self.scope, &deployment.target_arn)?.and_then(|it| it.value.state) {
            Some(state) if !report.knows_state_at => Err(ProtonError::conflict(format!(
                "deployment {} can't be claimed by this agent: the state of {} lies in {}, where agents of this release don't                  look; use a newer hadron",
                deployment.id,
                deployment.target,
                Imported::address(&state)
            ))),
            _ => Ok(()),
        }
    }

    /// Whether the target is there and waits for this deployment.
    pub(super) fn target_free(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<bool, StoreError> {
        let record = TargetRecord::load(tx, &self.scope, &deployment.target)?;
        let current = record.as_ref().and_then(|record| record.progress().last_attempted_deployment_id.as_ref());
        Ok(current == Some(&deployment.id))
    }

    /// Why nobody may work on the target, if its state is blocked.
    fn blocked(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<Option<String>, StoreError> {
        let lock = tx.get::<StateLock>(&self.scope, &deployment.target_arn)?;
        Ok(lock.and_then(|lock| lock.value.blocked).map(|block| block.reason))
    }

    pub(super) fn lease_end(&self) -> i64 {
        self.now + i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX / 2)
    }

    /// The agent has published what a pipeline is to apply: from now on the deployment is that pipeline's, and its report is a
    /// stock one. Nothing was run, so nothing is unsettled.
    fn hand_over(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Stored<Deployment>,
        epoch: i64,
        message: Option<&String>,
    ) -> Result<(), ProtonError> {
        if deployment.executor != Executor::PullRequest {
            let id = &deployment.id;
            return Err(ProtonError::conflict(format!("deployment {id} isn't one that is published as a request")));
        }
        deployment.lease = None;
        // Called off meanwhile: nobody is left who would end it.
        if deployment.status == DeploymentStatus::Cancelling {
            self.settle(tx, deployment, epoch, Settles::Own, false)?;
            return self.call_off(tx, deployment);
        }
        deployment.executor = Executor::Ci;
        self.settle(tx, deployment, epoch, Settles::Own, false)?;
        self.go_on(tx, deployment, message)
    }

    /// A sign of life, even a late one as long as nobody else has claimed.
    pub(super) fn renew(&self, deployment: &mut Deployment) {
        let expires_at = self.lease_end();
        if let Some(lease) = &mut deployment.lease {
            lease.expires_at = expires_at;
        }
    }

    /// A stock client knows no epochs; it must not disturb an agent at work.
    fn refuse_while_leased(&self, deployment: &Deployment) -> Result<(), ProtonError> {
        match deployment.live_lease(self.now) {
            Some(lease) => Err(held(deployment, lease)),
            None => Ok(()),
        }
    }

    /// Notes that the deployment is still under way. Its status stays: neither CANCELLING nor DELETE_IN_PROGRESS becomes
    /// IN_PROGRESS again.
    pub(super) fn go_on(
        &self,
        tx: &mut dyn Transaction,
        deployment: &mut Stored<Deployment>,
        message: Option<&String>,
    ) -> Result<(), ProtonError> {
        deployment.last_modified_at = self.now;
        if let Some(message) = message {
            deployment.message = Some(message.clone());
            if let Some(mut record) = TargetRecord::load(tx, &self.scope, &deployment.target)?
                && record.progress().last_attempted_deployment_id.as_ref() == Some(&deployment.id)
            {
                record.progress_mut().message = Some(message.clone());
                record.save(tx, &self.scope)?;
            }
        }
        Ok(tx.save(&self.scope, deployment)?)
    }

    /// The environment goes to the end of the queue.
    fn take_turn(&self, tx: &mut dyn Transaction, environment: &str) -> Result<(), ProtonError> {
        match tx.get::<Turn>(&self.scope, &Turn::key_of(environment))? {
            Some(mut turn) => {
                turn.at = self.now;
                tx.save(&self.scope, &mut turn)?;
            }
            None => tx.add(&self.scope, &Turn { environment: environment.to_owned(), at: self.now })?,
        }
        Ok(())
    }
}

/// A report with an epoch comes from whoever holds, or held last, the lease of that epoch.
fn check_epoch(deployment: &Deployment, report: &Report) -> Result<(), ProtonError> {
    let Some(epoch) = report.epoch else { return Ok(()) };
    if epoch != deployment.epoch || epoch == 0 {
        return Err(ProtonError::conflict(format!(
            "epoch {epoch} of deployment {} is over: the current one is {}{}",
            deployment.id,
            deployment.epoch,
            holder(deployment)
        )));
    }
    match &deployment.lease {
        Some(lease) if lease.access_key != report.access_key => Err(held(deployment, lease)),
        _ => Ok(()),
    }
}

/// Whoever ends a deletion that is an agent's to carry out must name it. A workflow that tells the end of something else
/// names none, and its word would orphan what still runs. A pipeline's own deletion needs no name.
fn refuse_unnamed_end(deployment: &Deployment, report: &Report) -> Result<(), ProtonError> {
    use ResourceDeploymentStatus as S;
    let agents = deployment.action == Action::Delete && deployment.executor != Executor::Ci;
    if !agents || report.deployment_id.is_some() || !matches!(report.status, Some(S::Succeeded | S::Failed)) {
        return Ok(());
    }
    let (id, target) = (&deployment.id, &deployment.target);
    Err(ProtonError::conflict(format!(
        "{target} is {}: an agent is to destroy it. Whoever has destroyed it instead adds deploymentId {id}",
        deployment.status
    )))
}

/// The end that is reported once more is fine; any other report is too late.
fn repeated_end(deployment: &Deployment, report: &Report) -> Result<Heard, ProtonError> {
    use DeploymentStatus as D;
    use ResourceDeploymentStatus as S;
    let same = match report.status {
        Some(S::Succeeded) => matches!(deployment.status, D::Succeeded | D::DeleteComplete),
        Some(S::Failed) => matches!(deployment.status, D::Failed | D::Cancelled | D::DeleteFailed),
        Some(S::InProgress) | None => false,
    };
    if same {
        return Ok(Heard { deployment: deployment.clone(), claimed: None, ended: false });
    }
    Err(ProtonError::conflict(format!("deployment {} has ended already: it is {}", deployment.id, deployment.status)))
}

fn held(deployment: &Deployment, lease: &Lease) -> ProtonError {
    ProtonError::conflict(format!("deployment {} is held by agent {}", deployment.id, lease.agent))
}

fn holder(deployment: &Deployment) -> String {
    deployment.lease.as_ref().map_or_else(String::new, |lease| format!(", held by agent {}", lease.agent))
}
