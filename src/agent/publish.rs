//! In place of a run: what was rendered becomes a request to a repository, where a pipeline applies it and notifies.
//!
//! The branch is named after the deployment, so that an agent that takes over from one which died in between comes to the
//! same branch and the same request. The lease ends once Proton was told.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use super::context::Context;
use super::fetch::fetch_patiently;
use super::heartbeat::{Heartbeat, Pulse};
use super::locks::TemplateLock;
use super::progress::Stage;
use super::render::rendered_files;
use super::report::report;
use super::requests::{self, Note};
use super::run::Ran;
use super::validate::validate;
use super::{Outcome, StepError};
use crate::domain::{Files, Target, Verdict};
use crate::forge::{self, Forge, ForgeError, Opened};
use crate::git::{self, Published};
use crate::terraform::Changes;

/// The wait before somebody is asked once more.
const PAUSE: Duration = Duration::from_secs(1);

/// A forge is given up when the wait would be longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// Publishes, and lets go of the deployment.
pub(super) async fn publish_instead(context: &Context, claimed: Claimed, leaving: &CancellationToken) -> Outcome {
    let heartbeat = Heartbeat::start(context, &claimed);
    let result = Box::pin(publish(context, &claimed, heartbeat.pulse())).await;
    let outcome = match result {
        Ok(words) => {
            tracing::info!(deployment.id = %claimed.candidate.id, "the {}: {words}", claimed.target);
            let nothing = Ok(Ran { outputs: Vec::new(), changes: Changes::default() });
            context.tell(&claimed.lease, &claimed.target, Stage::Ended(Verdict::Done));
            Outcome { changes: None, message: Some(words), ..Outcome::of(&claimed, &nothing) }
        }
        Err(error) => report(context, claimed, Err(error), &heartbeat.pulse().cause(), leaving).await.outcome,
    };
    heartbeat.stop().await;
    outcome
}

async fn publish(context: &Context, claimed: &Claimed, pulse: &Pulse) -> Result<String, StepError> {
    let Some((repository, base)) = claimed.lease.requests.clone() else { return Err(StepError::LeaseLost) };
    if claimed.lease.sealed.is_some() {
        return Err(StepError::SealedInGit);
    }
    pulse.may_begin()?;
    let fetched = Box::pin(fetch_patiently(context, claimed, pulse)).await?;
    let checked = validate(claimed, fetched)?;
    let mut files = rendered_files(context, claimed, &checked).await?;
    files.extend(checked.fetched.lock.as_ref().and_then(TemplateLock::file));
    pulse.may_begin()?;
    let branch = branch(claimed);
    let published = pushed(claimed, &repository, &base, &branch, files).await?;
    let words = match published {
        // The pipeline has it, and may have told its end by now.
        Published::There(directory) => format!("{directory} on {base} of {repository} is as it should be already"),
        Published::Pushed(directory) => {
            let opened = request(context, claimed, &repository, &base, &branch).await?;
            words(&repository, &base, &branch, &directory, opened.as_ref())
        }
    };
    told(context, claimed, pulse, &words).await?;
    Ok(words)
}

async fn pushed(
    claimed: &Claimed,
    repository: &str,
    base: &str,
    branch: &str,
    files: Files,
) -> Result<Published, StepError> {
    let (repository, base, branch) = (repository.to_owned(), base.to_owned(), branch.to_owned());
    let (directory, title, mark) = (directory(claimed), title(claimed), claimed.candidate.target_arn.clone());
    let of = repository.clone();
    let pushing = tokio::task::spawn_blocking(move || {
        git::publish(&git::Draft {
            repository: &repository,
            base: &base,
            branch: &branch,
            directory: &directory,
            files: &files,
            mark: &mark,
            title: &title,
        })
    });
    let pushed = pushing.await.map_err(|error| StepError::io("publishing from", "a clone".as_ref())(error.into()))?;
    pushed.map_err(|source| StepError::Git { repository: of, source })
}

/// Opens the request, and notes it before anybody is told, so that it is watched whatever happens next.
async fn request(
    context: &Context,
    claimed: &Claimed,
    repository: &str,
    base: &str,
    branch: &str,
) -> Result<Option<Opened>, StepError> {
    let Some(access) = &context.config.forge else { return Ok(None) };
    let forge = match Forge::of(repository, access) {
        // Somebody's own Git server: the branch is there, and people see to the rest.
        Err(ForgeError::NoProject(_) | ForgeError::UnknownKind(_)) => return Ok(None),
        forge => forge.map_err(StepError::Forge)?,
    };
    let id = &claimed.candidate.id;
    let body = format!(
        "Deployment `{id}` of the {} (`{}`).\n\nOnce this is merged, a pipeline applies it and tells how it ended. If this is \
         closed, the deployment is called off.",
        claimed.target, claimed.candidate.target_arn
    );
    let draft = forge::Draft { branch, base, title: &title(claimed), body: &body };
    let opened = opened(&forge, &draft).await.map_err(StepError::Forge)?;
    let note = Note {
        deployment_id: id.clone(),
        target_arn: claimed.candidate.target_arn.clone(),
        repository: repository.to_owned(),
        number: opened.number,
        url: opened.url.clone(),
    };
    requests::keep(&context.config.data, &note).map_err(StepError::io("noting a request in", &context.config.data))?;
    Ok(Some(opened))
}

/// Opens the request; a forge that is away for a moment is asked again.
async fn opened(forge: &Forge, draft: &forge::Draft<'_>) -> Result<Opened, ForgeError> {
    let mut wait = PAUSE;
    loop {
        match forge.open(draft).await {
            Err(error) if error.is_passing() && wait <= LONGEST_PAUSE => {
                tracing::warn!(%error, "the request couldn't be opened; trying on");
            }
            opened => return opened,
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
}

/// Until Proton has heard it, the deployment is ours.
async fn told(context: &Context, claimed: &Claimed, pulse: &Pulse, words: &str) -> Result<(), StepError> {
    loop {
        match context.proton.published(&claimed.lease, words).await {
            Err(error) if error.is_passing() => tracing::warn!(%error, "that it is published wasn't heard; trying on"),
            told => return Ok(told?),
        }
        tokio::select! {
            () = pulse.lost.cancelled() => return Err(StepError::LeaseLost),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn words(repository: &str, base: &str, branch: &str, directory: &str, opened: Option<&Opened>) -> String {
    match opened {
        Some(opened) => format!("{directory} awaits its merge into {base}: {}", opened.url),
        None => format!("{directory} awaits its merge into {base} of {repository}, on branch {branch}"),
    }
}

/// As Proton named them; the id is the deployment's, so that it can be found again.
fn branch(claimed: &Claimed) -> String {
    let kind = match claimed.target {
        Target::Environment { .. } => "environment",
        Target::ServiceInstance { .. } => "service_instance",
        Target::ServicePipeline { .. } => "pipeline",
        Target::Component { .. } => "component",
    };
    format!("proton--proton-{kind}-{}", claimed.candidate.id)
}

fn title(claimed: &Claimed) -> String {
    format!("Update requested for Proton - {}", claimed.target.resource())
}

/// As Proton laid them out.
fn directory(claimed: &Claimed) -> String {
    let environment = &claimed.candidate.environment;
    match &claimed.target {
        Target::Environment { name } => name.clone(),
        Target::ServiceInstance { service, name } => format!("{environment}/{service}-{name}"),
        Target::ServicePipeline { service } => format!("{service}/pipeline"),
        Target::Component { name } => format!("{environment}/components/{name}"),
    }
}
