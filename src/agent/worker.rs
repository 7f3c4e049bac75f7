//! An agent: takes its data directory, and works until it is told to go, until nothing is pending, or for one deployment.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::context::Context;
use super::journey::{Arrival, journey};
use super::poll::Candidate;
use super::progress::Progress;
use super::records::Backlog;
use super::recovery;
use super::requests;
use super::shift::{Shift, Stay};
use super::{AgentError, Config, Drained, HostConfig, Outcome, Shutdown, departure, protection, spot};
use crate::domain::Verdict;
use crate::proton::ProtonError;
use crate::support::health::Report;

/// An agent, and its data directory, for as long as this lives.
#[derive(Debug, Clone)]
pub struct Agent {
    context: Arc<Context>,
}

impl Agent {
    /// Takes the data directory and finds Terraform; nothing is sent yet.
    ///
    /// # Errors
    /// [`AgentError`]: another agent works there, or Terraform is absent or too old.
    pub async fn new(config: Config) -> Result<Self, AgentError> {
        Ok(Self { context: Arc::new(Context::new(config).await?) })
    }

    /// The agent's id: its name and some randomness.
    pub fn id(&self) -> &str {
        self.context.identity.id()
    }

    /// What the agent does from now on, as it happens. A watcher that lags loses the oldest.
    pub fn progress(&self) -> tokio::sync::broadcast::Receiver<Progress> {
        self.context.progress.subscribe()
    }

    /// What the agent has counted, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        let context = &self.context;
        let (under_way, waiting) = (*context.under_way.borrow(), *context.waiting.borrow());
        context.metrics.text(under_way, waiting)
    }

    /// Whether the agent's loops go round.
    pub fn health(&self) -> Report {
        self.context.metrics.health(self.context.keeper.beat())
    }

    /// Whether the agent can take work and see it through; its disk should have so many bytes left. Blocks for a moment.
    pub fn readiness(&self, least_free: u64) -> Report {
        let context = &self.context;
        context.metrics.readiness(&context.config.data, &context.terraform.binary, least_free)
    }

    /// Works until `stop` is cancelled; then takes no more work, lets Terraform finish, and reports.
    ///
    /// # Errors
    /// Nothing is an error here that waiting may mend.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), AgentError> {
        self.work(stop, Stay::ForMore).await.broke_off.map_or(Ok(()), Err)
    }

    /// Works until nothing is pending, each deployment whole, and says how the worst one ended.
    ///
    /// # Errors
    /// [`AgentError::Proton`] when Proton refuses us or can't be reached.
    pub async fn drain(&self, stop: CancellationToken) -> Result<Verdict, AgentError> {
        let Drained { worst, broke_off, .. } = self.drain_all(stop).await;
        broke_off.map_or(Ok(worst), Err)
    }

    /// Works until nothing is pending, each deployment whole, and says how each one ended, and what kept it from going
    /// on: what was done is told even so.
    pub async fn drain_all(&self, stop: CancellationToken) -> Drained {
        self.work(stop, Stay::UntilDrained).await
    }

    /// Does one deployment, or goes on with it where an earlier life left it, and says how it ended; so it does of one
    /// that is over already, so that a pipeline's step can be repeated.
    ///
    /// # Errors
    /// [`AgentError::Proton`] when it doesn't exist, or is somebody else's.
    pub async fn deploy(&self, deployment_id: &str, stop: CancellationToken) -> Result<Outcome, AgentError> {
        let _host = self.watch_host(&stop);
        let deployment = self.context.proton.deployment(deployment_id).await?;
        let backlog = Backlog::start(Arc::clone(&self.context));
        let _at_work = self.context.sets_out();
        let candidate = Candidate::from(&deployment);
        let journey = Box::pin(journey(&self.context, candidate, &stop));
        let arrival = tokio::select! {
            arrival = journey => arrival,
            () = self.detached(&stop) => return Err(AgentError::Detached),
        };
        backlog.finish().await;
        match arrival {
            Arrival::Ended(outcome) => Ok(*outcome),
            Arrival::NotClaimed(error @ ProtonError::Conflict { .. }) => {
                let deployment = self.context.proton.deployment(deployment_id).await?;
                Outcome::over(&deployment).ok_or(AgentError::Proton(error))
            }
            Arrival::NotClaimed(error) => Err(error.into()),
        }
    }

    async fn work(&self, stop: CancellationToken, stay: Stay) -> Drained {
        let _host = self.watch_host(&stop);
        let backlog = Backlog::start(Arc::clone(&self.context));
        if stay == Stay::UntilDrained {
            requests::look(&self.context).await;
        }
        let requests = AbortOnDropHandle::new(tokio::spawn(requests::watch(Arc::clone(&self.context))));
        let mut shift = Shift::new(Arc::clone(&self.context), stop.clone(), stay);
        for (candidate, adopted) in recovery::unfinished(&self.context) {
            shift.come_back(candidate, adopted);
        }
        let worked = shift.work().await;
        // From here on nobody is asked for work.
        self.context.metrics.polling.rest();
        // Whatever ended the shift, what has begun is seen through, unless Terraform is to go on without us.
        tokio::select! {
            () = shift.finish() => {}
            () = self.detached(&stop) => {
                tracing::info!("left; Terraform goes on under its supervisor, and the next agent here takes it over");
                shift.leave();
            }
        }
        // It holds on to the data directory until it is really gone.
        requests.abort();
        requests.await.ok();
        backlog.finish().await;
        shift.ended(worked)
    }

    /// What the host is owed meanwhile; it ends with what this gives. None of it holds on to the data directory.
    fn watch_host(&self, stop: &CancellationToken) -> [AbortOnDropHandle<()>; 3] {
        let context = &self.context;
        let HostConfig { departure, ecs_agent, spot_notices } = context.config.host.clone();
        let (under_way, waiting) = (context.under_way.subscribe(), context.waiting.subscribe());
        [
            tokio::spawn(departure::keep_time(departure, stop.clone(), context.hurry.clone())),
            tokio::spawn(spot::listen(spot_notices, stop.clone())),
            tokio::spawn(protection::hold(ecs_agent, under_way, waiting)),
        ]
        .map(AbortOnDropHandle::new)
    }

    /// Until the agent is to leave without its Terraform.
    async fn detached(&self, stop: &CancellationToken) {
        if self.context.config.host.departure.how != Shutdown::Detach {
            return std::future::pending().await;
        }
        stop.cancelled().await;
    }
}
