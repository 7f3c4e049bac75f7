//! `hadron up`: control plane, object store, state server and agent in one process, for one machine.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::agent::{self, Access};
use super::demo::Screen;
use super::serve::{self, Server};
use super::{Exit, Failure, Form, outside};
use crate::lifecycle::Lifecycle;
use crate::settings::Resolved;

/// A wait that nobody needs to be told of.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// Whether an agent works beside the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithAgent {
    Yes,
    No,
}

/// Serves until a signal; then Terraform is waited for, and the agent's last reports are still heard.
pub(super) async fn run(settings: &Resolved, with_agent: WithAgent, form: Form) -> Result<Exit, Failure> {
    let lifecycle = Lifecycle::listen()?;
    // A missing Terraform is told before anything is served.
    if with_agent == WithAgent::Yes {
        agent::find_terraform(settings)?;
    }
    let server = serve::start(settings, &lifecycle).await?;
    let working = match with_agent {
        WithAgent::Yes => Some(start_agent(settings, &server, &lifecycle, None).await?),
        WithAgent::No => None,
    };
    server.announce(settings, form)?;
    lifecycle.soft.cancelled().await;
    if let Some(working) = working {
        wait_for_agent(&working, &lifecycle).await;
    }
    lifecycle.serving.cancel();
    lifecycle.finish().await;
    Ok(if lifecycle.hard.is_cancelled() { Exit::Cancelled } else { Exit::Done })
}

/// Until the agent has reported everything that it began, or the second signal.
async fn wait_for_agent(working: &CancellationToken, lifecycle: &Lifecycle) {
    tokio::select! {
        () = working.cancelled() => return,
        () = tokio::time::sleep(NOTICEABLE) => {}
    }
    tracing::info!("waiting for Terraform to finish; a second signal leaves it to its supervisor");
    tokio::select! {
        () = working.cancelled() => {}
        () = lifecycle.hard.cancelled() => {}
    }
}

/// Sets the agent to work, on a screen if there is one; the token is cancelled when it has ended.
pub(super) async fn start_agent(
    settings: &Resolved,
    server: &Server,
    lifecycle: &Lifecycle,
    screen: Option<&Screen>,
) -> Result<CancellationToken, Failure> {
    let access = Access {
        endpoint: Some(server.base_url.clone()),
        region: server.region.clone(),
        credentials: Some(server.keys.agent.clone()),
        trust: server.trust.clone(),
    };
    let agent = agent::build(settings, access, &server.keys.ids()).await?;
    tracing::info!(agent.id = agent.id(), "agent {} is at work", agent.id());
    server.numbers.add_agent(&agent);
    outside::of_agent(settings, &agent, &server.numbers, lifecycle).await?;
    let ended = CancellationToken::new();
    if let Some(screen) = screen {
        let (watching, over) = (screen.clone().watch(agent.progress()), ended.clone());
        lifecycle.spawn("screen", async move {
            tokio::select! {
                // What the agent has told by its end is shown; who counts it may keep it for longer.
                biased;
                () = watching => {}
                () = over.cancelled() => {}
            }
        });
    }
    let (stop, done) = (lifecycle.soft.clone(), ended.clone());
    lifecycle.spawn("agent", async move {
        if let Err(error) = agent.run(stop).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the agent ended: {error}");
        }
        done.cancel();
    });
    Ok(ended)
}
