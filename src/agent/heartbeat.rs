//! Signs of life while a deployment is ours, and what the answers tell: that it is being cancelled, or isn't ours any
//! more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hadron_model::DeploymentStatus;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use crate::proton::{Decision, Lease, Proton, ProtonError};
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
    /// Cancelled once Proton wants the deployment interrupted.
    pub(super) interrupt: CancellationToken,
    /// Cancelled once somebody else may have the deployment.
    pub(super) lost: CancellationToken,
    /// When the request that Proton last answered was sent.
    heard: Arc<Mutex<Instant>>,
}

impl Pulse {
    /// Refuses to begin what could not be undone.
    pub(super) fn may_begin(&self) -> Result<(), StepError> {
        if self.lost.is_cancelled() {
            return Err(StepError::LeaseLost);
        }
        if self.interrupt.is_cancelled() {
            return Err(StepError::Cancelled);
        }
        Ok(())
    }

    /// Waits until the deployment is cancelled or lost.
    pub(super) async fn over(&self) {
        tokio::select! {
            () = self.interrupt.cancelled() => {}
            () = self.lost.cancelled() => {}
        }
    }

    /// Asks once more, right before the point of no return. If Proton is away the lease still counts until it runs out.
    pub(super) async fn may_change(&self) -> Result<(), StepError> {
        if let Err(error) = self.beat().await {
            let held = Duration::from_secs(self.lease.seconds.unwrap_or(0));
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if self.lease.is_fenced() && error.is_passing() && heard.elapsed() >= held {
                return Err(StepError::LeaseLost);
            }
        }
        self.may_begin()
    }

    async fn beat(&self) -> Result<(), ProtonError> {
        let sent = Instant::now();
        let answer = self.proton.heartbeat(&self.lease).await;
        self.take(sent, answer.map(|status| (status, ())))
    }

    /// A sign of life that asks how people have decided on a plan; None where the endpoint doesn't know such a thing.
    pub(super) async fn ask(&self, plan: &Plan) -> Result<Option<Decision>, ProtonError> {
        let sent = Instant::now();
        let answer = self.proton.ask(&self.lease, &plan.digest, &plan.summary()).await;
        self.take(sent, answer)
    }

    /// Takes note of what the answer to a sign of life says besides.
    fn take<T>(&self, sent: Instant, answer: Result<(DeploymentStatus, T), ProtonError>) -> Result<T, ProtonError> {
        match answer {
            Ok((status, value)) => {
                *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                if status == DeploymentStatus::Cancelling {
                    self.interrupt.cancel();
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
            interrupt: CancellationToken::new(),
            lost: CancellationToken::new(),
            heard: Arc::new(Mutex::new(Instant::now())),
        };
        if claimed.status == DeploymentStatus::Cancelling {
            pulse.interrupt.cancel();
        }
        let end = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(keep_beating(pulse.clone(), end.clone())));
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

async fn keep_beating(pulse: Pulse, end: CancellationToken) {
    let id = &pulse.lease.deployment_id;
    let every = pulse.every();
    let mut silent = false;
    while !pulse.lost.is_cancelled() {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        // A request that hangs must not keep the next one from being sent within the lease.
        let beat = tokio::select! {
            () = end.cancelled() => return,
            beat = tokio::time::timeout(every.max(SLOWEST_BEAT), pulse.beat()) => beat,
        };
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
