//! Signs of life while a deployment is ours, and what the answers tell: that it is being cancelled, or isn't ours any
//! more.
//!
//! They are given on the [`super::keeper`]'s thread, so that nothing starves them; and what counts the time of a lease is
//! no wall clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hadron_model::DeploymentStatus;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use super::ending::{Cause, Ending};
use crate::proton::{Decision, Lease, Proton, ProtonError};
use crate::support::metrics::{IntCounterVec, IntGauge};
use crate::support::{Clock, Moment};
use crate::terraform::Plan;

/// A cancel is heard within this time, however long the lease is.
const SLOWEST_BEAT: Duration = Duration::from_secs(5);

/// A decision on a plan is heard within this time.
const ASKING_BEAT: Duration = Duration::from_secs(2);

/// An endpoint without leases is only asked whether the deployment was cancelled.
const STOCK_BEAT: Duration = Duration::from_secs(15);

/// What the heartbeats have told.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    proton: Proton,
    lease: Lease,
    /// Cancelled once Terraform shall be interrupted, by a cancel or because the agent has to leave.
    pub(super) interrupt: CancellationToken,
    /// Cancelled once Proton wants the deployment interrupted.
    pub(super) cancelled: CancellationToken,
    /// Cancelled once somebody else may have the deployment.
    pub(super) lost: CancellationToken,
    /// When the request that Proton last answered was sent.
    heard: Arc<Mutex<Moment>>,
    /// What is told while an interrupted Terraform ends.
    pub(super) ending: Ending,
    clock: Clock,
}

impl Pulse {
    /// Refuses to begin what could not be undone.
    pub(super) fn may_begin(&self) -> Result<(), StepError> {
        if self.lost.is_cancelled() {
            return Err(StepError::LeaseLost);
        }
        if self.interrupt.is_cancelled() {
            return Err(self.stopped());
        }
        Ok(())
    }

    /// What it is called when nothing was begun because of an interrupt.
    pub(super) fn stopped(&self) -> StepError {
        match self.cause() {
            Cause::Cancelled => StepError::Cancelled,
            Cause::Leaving(_) => StepError::Left,
        }
    }

    /// Why Terraform is, or would be, interrupted: whoever called the deployment off counts more.
    pub(super) fn cause(&self) -> Cause {
        let leaving = self.interrupt.is_cancelled() && !self.cancelled.is_cancelled();
        if leaving { Cause::Leaving(self.lease.agent.clone()) } else { Cause::Cancelled }
    }

    /// Waits until the deployment is cancelled or lost.
    pub(super) async fn over(&self) {
        tokio::select! {
            () = self.interrupt.cancelled() => {}
            () = self.lost.cancelled() => {}
        }
    }

    /// Asks once more, right before the point of no return. Without an answer that renews it, the lease still counts until
    /// it runs out.
    pub(super) async fn may_change(&self) -> Result<(), StepError> {
        if self.beat().await.is_err() {
            let held = Duration::from_secs(self.lease.seconds.unwrap_or(0));
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if self.lease.is_fenced() && heard.elapsed() >= held {
                return Err(StepError::LeaseLost);
            }
        }
        self.may_begin()
    }

    async fn beat(&self) -> Result<(), ProtonError> {
        self.beat_by(&self.proton, None).await
    }

    async fn beat_by(&self, proton: &Proton, message: Option<&str>) -> Result<(), ProtonError> {
        let sent = Moment::now();
        let answer = proton.heartbeat(&self.lease, message).await;
        self.take(sent, answer.map(|status| (status, ())))
    }

    /// A sign of life that asks how people have decided on a plan; None where the endpoint doesn't know such a thing. The
    /// answer may be held for `hold` until they have.
    pub(super) async fn ask(&self, plan: &Plan, hold: Duration) -> Result<Option<Decision>, ProtonError> {
        let sent = Moment::now();
        let answer = self.proton.ask(&self.lease, &plan.digest, &plan.summary(), hold).await;
        self.take(sent, answer)
    }

    /// Takes note of what the answer to a sign of life says besides.
    fn take<T>(&self, sent: Moment, answer: Result<(DeploymentStatus, T), ProtonError>) -> Result<T, ProtonError> {
        match answer {
            Ok((status, value)) => {
                *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                if status == DeploymentStatus::Cancelling {
                    self.call_off();
                }
                Ok(value)
            }
            Err(error) => {
                if matches!(error, ProtonError::Conflict { .. } | ProtonError::NotFound { .. }) {
                    self.lost.cancel();
                }
                Err(error)
            }
        }
    }

    fn call_off(&self) {
        self.cancelled.cancel();
        self.interrupt.cancel();
    }

    /// What people are to read now, if Terraform has been interrupted.
    fn told(&self) -> Option<String> {
        self.ending.told(&self.cause(), &self.lease.deployment_id, self.clock.now())
    }

    /// The pause between two questions: soon enough for people, often enough for the lease.
    pub(super) fn ask_every(&self) -> Duration {
        self.every().min(ASKING_BEAT)
    }

    fn every(&self) -> Duration {
        if self.lease.is_fenced() { self.lease.heartbeat_every().min(SLOWEST_BEAT) } else { STOCK_BEAT }
    }
}

/// The task that gives the signs of life.
#[derive(Debug)]
pub(super) struct Heartbeat {
    pulse: Pulse,
    end: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Heartbeat {
    /// Starts beating, until it is stopped or the lease is lost.
    pub(super) fn start(context: &Context, claimed: &Claimed) -> Self {
        let pulse = Pulse {
            proton: context.proton.clone(),
            lease: claimed.lease.clone(),
            interrupt: context.hurry.child_token(),
            cancelled: CancellationToken::new(),
            lost: CancellationToken::new(),
            heard: Arc::new(Mutex::new(claimed.heard)),
            ending: Ending::default(),
            clock: context.config.clock.clone(),
        };
        if claimed.status == DeploymentStatus::Cancelling {
            pulse.call_off();
        }
        let end = CancellationToken::new();
        let told =
            Told { beats: context.metrics.heartbeats.clone(), late: context.metrics.late.clone(), is_late: false };
        let beating = keep_beating(pulse.clone(), context.keeper.proton().clone(), end.clone(), claimed.adopted, told);
        let beating = beating.instrument(tracing::Span::current());
        let task = AbortOnDropHandle::new(context.keeper.handle().spawn(beating));
        Self { pulse, end, task }
    }

    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Ends the task and waits for it.
    pub(super) async fn stop(self) {
        self.end.cancel();
        if self.task.await.is_err() {
            tracing::error!("the heartbeat of deployment {} panicked", self.pulse.lease.deployment_id);
        }
    }
}

/// What outsiders learn of the heartbeats of one lease.
struct Told {
    beats: IntCounterVec,
    /// How many leases are late, this one among them while `is_late`.
    late: IntGauge,
    is_late: bool,
}

impl Told {
    fn note(&mut self, outcome: &str) {
        self.beats.with_label_values(&[outcome]).inc();
        self.set_late(outcome == "late");
    }

    fn set_late(&mut self, late: bool) {
        match (self.is_late, late) {
            (false, true) => self.late.inc(),
            (true, false) => self.late.dec(),
            _ => {}
        }
        self.is_late = late;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.set_late(false);
    }
}

/// `at_once`: the lease is an earlier life's, and nobody knows how much of it is left.
async fn keep_beating(pulse: Pulse, proton: Proton, end: CancellationToken, at_once: bool, mut beats: Told) {
    let id = &pulse.lease.deployment_id;
    let every = pulse.every();
    let (mut silent, mut first) = (false, at_once);
    let mut said: Option<String> = None;
    while !pulse.lost.is_cancelled() {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(every), if !first => {}
            () = std::future::ready(()), if first => {}
        }
        first = false;
        let told = pulse.told().filter(|told| said.as_ref() != Some(told));
        // A request that hangs must not keep the next one from being sent within the lease.
        let beat = tokio::select! {
            () = end.cancelled() => return,
            beat = tokio::time::timeout(every.max(SLOWEST_BEAT), pulse.beat_by(&proton, told.as_deref())) => beat,
        };
        if told.is_some() && matches!(beat, Ok(Ok(()))) {
            said = told;
        }
        beats.note(match &beat {
            Ok(Ok(())) => "answered",
            Ok(Err(_)) if pulse.lost.is_cancelled() => "refused",
            Ok(Err(_)) | Err(_) => "late",
        });
        match beat {
            Ok(Ok(())) => silent = false,
            Ok(Err(error)) if pulse.lost.is_cancelled() => {
                tracing::warn!(deployment.id = %id, %error, "lost the lease on deployment {id}");
            }
            Ok(Err(_)) | Err(_) if silent => {}
            Ok(Err(error)) => {
                silent = true;
                tracing::warn!(deployment.id = %id, %error, "no heartbeat for deployment {id}; trying on");
            }
            Err(_) => {
                silent = true;
                tracing::warn!(deployment.id = %id, "no answer to the heartbeat of deployment {id}; trying on");
            }
        }
    }
}
