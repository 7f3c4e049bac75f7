//! Whether Proton listens, and what it is told.

use std::time::{Duration, Instant};

use hadron_model::DeploymentStatus;

use super::{Directory, Notified, Runner};
use crate::domain::Verdict;
use crate::proton::{Begun, Proton, ProtonError, Report};
use crate::support::AwsAccess;

/// How long an end is told again to a Proton that can't be reached.
const PATIENCE: Duration = Duration::from_mins(5);

/// The first pause between two tries; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether the work may begin.
pub(super) enum Start {
    /// It may, and this is who hears of its end.
    Go(Ears),
    /// It must not: how that counts, and why.
    Stop(Verdict, String),
}

/// Who hears of the end.
pub(super) enum Ears {
    /// Nobody, and why.
    Nobody(String),
    /// Proton.
    Proton(Box<Listening>),
}

pub(super) struct Listening {
    proton: Proton,
    arn: String,
    deployment_id: Option<String>,
    begun: Begun,
}

impl Runner {
    /// Tells Proton that the directory is begun, and finds out so whether it knows of it.
    pub(super) async fn announce(&self, directory: &Directory) -> Start {
        let Some(access) = &self.proton else {
            return Start::Go(Ears::Nobody("no endpoint is set (HADRON_ENDPOINT)".to_owned()));
        };
        let access = AwsAccess { region: Some(directory.scope.region.clone()), ..access.clone() };
        let proton = Proton::new(&access).await;
        if directory.deleted {
            return deletion(proton, directory).await;
        }
        let id = directory.deployment_id.as_deref();
        match proton.pipeline_begins(&directory.arn, id, &self.words()).await {
            Ok(begun) => go(proton, directory, id, begun),
            Err(ProtonError::Conflict { message }) => conflict(proton, directory, message).await,
            Err(error) => otherwise(directory, error),
        }
    }

    fn words(&self) -> String {
        match &self.link {
            Some(link) => format!("a pipeline is at work: {link}"),
            None => "a pipeline is at work".to_owned(),
        }
    }
}

fn go(proton: Proton, directory: &Directory, id: Option<&str>, begun: Begun) -> Start {
    let (arn, deployment_id) = (directory.arn.clone(), id.map(str::to_owned));
    Start::Go(Ears::Proton(Box::new(Listening { proton, arn, deployment_id, begun })))
}

/// Proton heard of a deletion only where it waits for one: AWS's own forgot the resource before the request was merged.
async fn deletion(proton: Proton, directory: &Directory) -> Start {
    match proton.standing(&directory.target).await {
        // The deployment under way is the deletion. Its id isn't in the metadata, but its end must name it.
        Ok((DeploymentStatus::DeleteInProgress, id)) => go(proton, directory, id.as_deref(), Begun { seals: false }),
        Ok((status, _)) => Start::Go(Ears::Nobody(format!(
            "the endpoint doesn't have the {} deleting: it is {status}",
            directory.target
        ))),
        Err(error) => otherwise(directory, error),
    }
}

/// The deployment is over, or somebody else's.
async fn conflict(proton: Proton, directory: &Directory, message: String) -> Start {
    let Some(id) = &directory.deployment_id else { return Start::Go(Ears::Nobody(message)) };
    let status = match proton.deployment(id).await {
        Ok(deployment) => deployment.status,
        // It isn't this target's, or not in the record any more.
        Err(ProtonError::NotFound { .. }) => return Start::Go(Ears::Nobody(message)),
        Err(error) => return otherwise(directory, error),
    };
    match status {
        DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress => Start::Stop(
            Verdict::LeaseLost,
            format!(
                "{message}; nothing was applied (`hadron executor ENVIRONMENT ci` leaves an environment to pipelines)"
            ),
        ),
        DeploymentStatus::Cancelling | DeploymentStatus::Cancelled => {
            Start::Stop(Verdict::Cancelled, format!("deployment {id} was cancelled; nothing was applied"))
        }
        // Somebody runs an old pipeline once more; that it ended well can be told again and again.
        DeploymentStatus::Succeeded => go(proton, directory, Some(id), Begun { seals: true }),
        _ => Start::Go(Ears::Nobody(message)),
    }
}

fn otherwise(directory: &Directory, error: ProtonError) -> Start {
    match error {
        ProtonError::NotFound { .. } => Start::Go(Ears::Nobody(format!("the endpoint doesn't know {}", directory.arn))),
        ProtonError::Denied { .. } | ProtonError::NoCredentials { .. } | ProtonError::Unsendable { .. } => {
            Start::Stop(Verdict::Settings, format!("{error}; nothing was applied"))
        }
        // What can't be told now won't be heard later either, and a deployment that nobody ends hangs.
        error => Start::Stop(Verdict::Unexpected, format!("{error}; nothing was applied")),
    }
}

impl Ears {
    /// Tells the end.
    pub(super) async fn hear(&self, report: &Report) -> (Notified, Option<ProtonError>) {
        let listening = match self {
            Self::Nobody(why) => return (Notified::Not(why.clone()), None),
            Self::Proton(listening) => listening,
        };
        let told = match report {
            Report::Succeeded { .. } => "SUCCEEDED",
            Report::Failed { .. } => "FAILED",
        };
        match listening.tell(report).await {
            Ok(()) => (Notified::As(told), None),
            Err(error) => (Notified::Not(error.to_string()), Some(error)),
        }
    }
}

impl Listening {
    async fn tell(&self, report: &Report) -> Result<(), ProtonError> {
        let until = Instant::now() + PATIENCE;
        let mut pause = PAUSE;
        loop {
            let told = self.proton.pipeline_ends(&self.arn, self.deployment_id.as_deref(), report, self.begun).await;
            match told {
                Err(error) if error.is_passing() && Instant::now() < until => {
                    tracing::warn!(%error, "the end wasn't heard; trying on");
                }
                told => return told,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
