//! One directory: announced, initialised, planned or applied, told.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::ears::{Ears, Start};
use super::role::{RoleError, Roles};
use super::{Directory, Intent, Outcome, Runner, Site, SiteError, Watcher, outcome};
use crate::domain::{Finding, Output, Outputs, Verdict, proton_outputs};
use crate::objects::{Objects, ObjectsConfig, ObjectsError};
use crate::proton::Report;
use crate::support::{Secret, files};
use crate::terraform::{Applied, Backend, Changes, Event, EventKind, Mode, Phase, Session, TerraformError, child_env};

/// Why a directory's run failed.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(transparent)]
    Role(#[from] RoleError),
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error("{doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{source}")]
    Terraform { source: TerraformError, changing: bool },
    #[error("the outputs can't be reported, though everything was applied: {}", .0.join("; "))]
    Outputs(Vec<String>),
}

impl JobError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    fn before(source: TerraformError) -> Self {
        Self::Terraform { source, changing: false }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Site(_) | Self::Role(_) | Self::Objects(ObjectsError::NoConditionalWrites { .. }) => {
                Verdict::Settings
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Verdict::Settings,
            Self::Objects(_) | Self::Io { .. } => Verdict::Unexpected,
            Self::Outputs(_) => Verdict::ApplyFailed,
            Self::Terraform { source, changing } => match source {
                TerraformError::Failed { .. } | TerraformError::Killed { .. } if *changing => Verdict::ApplyFailed,
                TerraformError::Failed { .. } | TerraformError::Killed { .. } => Verdict::PlanFailed,
                TerraformError::Interrupted { .. } | TerraformError::Stopped { .. } => Verdict::Cancelled,
                TerraformError::StateAtRisk { .. } | TerraformError::SupervisorLost { .. } => Verdict::StateAtRisk,
                TerraformError::BackendNotOurs { .. } => Verdict::InvalidBundle,
                TerraformError::BackendUnsupported { .. } | TerraformError::RefusedVariable { .. } => Verdict::Settings,
                _ => Verdict::Unexpected,
            },
        }
    }

    /// The whole chain, since the message is all that anybody gets.
    fn words(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let words = error.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            cause = error.source();
        }
        text
    }
}

/// What came of it.
#[derive(Default)]
struct Came {
    changes: Changes,
    plan: Option<String>,
    outputs: Vec<Output>,
}

impl Runner {
    /// What a failure leaves without its base. Its deployment would hang, so it ends as well.
    pub(super) async fn skip(&self, directory: &Directory, base: &Directory) -> Outcome {
        let message = format!("not begun, since the {} didn't end well", base.target);
        let failed = Report::Failed { message: message.clone() };
        let notified = match self.announce(directory).await {
            Start::Go(ears) => ears.hear(&failed).await.0,
            Start::Stop(_, why) => super::Notified::Not(why),
        };
        Outcome { message: Some(message), notified, ..Outcome::of(directory, Verdict::Skipped) }
    }

    pub(super) async fn one(
        &self,
        intent: Intent,
        directory: &Directory,
        stop: &CancellationToken,
        watcher: &mut (dyn Watcher + Send),
    ) -> Outcome {
        if stop.is_cancelled() {
            let message = Some("not begun, since the run was cancelled".to_owned());
            return Outcome { message, ..Outcome::of(directory, Verdict::Cancelled) };
        }
        let ears = match intent {
            Intent::Plan => None,
            Intent::Apply => match self.announce(directory).await {
                Start::Go(ears) => Some(ears),
                Start::Stop(verdict, message) => {
                    return Outcome { message: Some(message), ..Outcome::of(directory, verdict) };
                }
            },
        };
        let came = self.work(intent, directory, stop, watcher).await;
        end(directory, came, ears.as_ref()).await
    }

    async fn work(
        &self,
        intent: Intent,
        directory: &Directory,
        stop: &CancellationToken,
        watcher: &mut (dyn Watcher + Send),
    ) -> Result<Came, JobError> {
        let site = Site::of(directory, &self.choices)?;
        let mut env = self.child_env.clone();
        env.insert("AWS_REGION".into(), site.region.clone());
        if let Some(role) = &site.role {
            let roles =
                Roles { identities: &self.identities, env: &env, region: &site.region, trust: self.trust.as_ref() };
            let name = directory.deployment_id.clone().unwrap_or_else(|| directory.target.resource());
            let taken = roles.take(role, &format!("hadron-{name}")).await?;
            if !taken.is_empty() {
                // A profile would win over the keys in some clients.
                env.remove("AWS_PROFILE");
            }
            env.extend(taken);
        }
        self.can_lock(&site, &env).await?;
        let (session, _beside, _run_dir) = self.session(directory, &site, &env)?;
        let mode = if directory.deleted { Mode::Destroy } else { Mode::Apply };
        watcher.says(&format!("state: s3://{}/{}", site.bucket, directory.state_key()));
        session.init(stop).await.map_err(JobError::before)?;
        match intent {
            Intent::Plan => plan(&session, mode, stop, watcher).await,
            Intent::Apply => apply(&session, mode, stop, watcher).await,
        }
    }

    /// Amazon's S3 locks; of any other store it is to be proved.
    async fn can_lock(&self, site: &Site, env: &BTreeMap<String, String>) -> Result<(), JobError> {
        let Some(endpoint) = self.state_endpoint.clone().filter(|_| site.choices.lock_table.is_none()) else {
            return Ok(());
        };
        // The store's client takes no token of a session. Terraform's lock then has to speak for itself.
        if env.contains_key("AWS_SESSION_TOKEN") {
            return Ok(());
        }
        let key = env.get("AWS_ACCESS_KEY_ID").zip(env.get("AWS_SECRET_ACCESS_KEY"));
        let objects = Objects::new(ObjectsConfig {
            endpoint: Some(endpoint),
            region: site.bucket_region.clone(),
            credentials: key.map(|(id, secret)| (id.clone(), Secret::new(secret))),
            path_style: true,
            trust: self.trust.clone(),
        });
        Ok(objects.await.probe_conditional_writes(&site.bucket).await?)
    }

    fn session(
        &self,
        directory: &Directory,
        site: &Site,
        env: &BTreeMap<String, String>,
    ) -> Result<(Session, Beside, tempfile::TempDir), JobError> {
        files::create_private_folder(&self.runs).map_err(JobError::io("creating", &self.runs))?;
        let run_dir = tempfile::Builder::new().prefix("run-").tempdir_in(&self.runs);
        let run_dir = run_dir.map_err(JobError::io("creating a folder in", &self.runs))?;
        let backend = Backend::S3 {
            bucket: site.bucket.clone(),
            key: directory.state_key(),
            region: site.bucket_region.clone(),
            use_path_style: self.state_endpoint.is_some(),
            endpoint: self.state_endpoint.clone(),
            dynamodb_table: site.choices.lock_table.clone(),
            // The whole environment is the role's.
            role: None,
        };
        let folder = &directory.folder;
        let mut beside = Beside::default();
        let mut values = site.choices.variables.clone();
        values.entry("aws_region".into()).or_insert_with(|| site.region.clone());
        beside.variables(folder, &values).map_err(JobError::io("laying variables into", folder))?;
        if let Some(overlay) = &site.choices.overlay {
            beside.overlay(overlay, folder).map_err(JobError::io("laying an overlay into", folder))?;
        }
        beside.expect(folder.join(backend.override_file().0));
        let home = run_dir.path().join("home");
        let env = child_env(env, &backend, &home, directory.deployment_id.as_deref()).map_err(JobError::before)?;
        let session = Session {
            terraform: self.terraform.clone(),
            supervisor: self.supervisor.clone(),
            run_dir: run_dir.path().to_owned(),
            work_dir: folder.clone(),
            env,
            backend,
            lock_timeout: self.lock_timeout,
            warm: None,
            state_reader: None,
            providers: self.providers.clone(),
        };
        Ok((session, beside, run_dir))
    }
}

async fn plan(
    session: &Session,
    mode: Mode,
    stop: &CancellationToken,
    watcher: &mut (dyn Watcher + Send),
) -> Result<Came, JobError> {
    let mut say = |event: &Event| say(watcher, event);
    let plan = session.plan(mode, stop, &mut say).await.map_err(JobError::before)?;
    let shown = match plan.differs {
        true => Some(session.show_plan(stop).await.map_err(JobError::before)?),
        false => None,
    };
    Ok(Came { changes: plan.changes, plan: shown, outputs: Vec::new() })
}

async fn apply(
    session: &Session,
    mode: Mode,
    stop: &CancellationToken,
    watcher: &mut (dyn Watcher + Send),
) -> Result<Came, JobError> {
    let mut changing = false;
    let mut on_event = |event: &Event| {
        changing |= matches!(&event.kind, EventKind::Apply(Phase::Start, resource) if resource.action != "read");
        say(watcher, event);
    };
    let applied = session.apply(mode, stop, &mut on_event).await;
    let applied = match applied {
        Ok(applied) => applied,
        Err(source) => return Err(JobError::Terraform { source: rescued(session, source).await, changing }),
    };
    let changes = applied.changes;
    Ok(Came { changes, plan: None, outputs: outputs(&applied, mode)? })
}

/// A state that couldn't be saved would be lost with the pipeline's machine, so it is pushed once more.
async fn rescued(session: &Session, error: TerraformError) -> TerraformError {
    let TerraformError::StateAtRisk { step, file, diagnostics } = error else { return error };
    let never = CancellationToken::new();
    match session.state_push(&file, &never).await {
        Ok(()) => {
            tracing::warn!("the state was pushed after all");
            TerraformError::Failed { step, exit: 1, diagnostics }
        }
        Err(failed) => {
            tracing::error!(error = %failed, "the state could not be pushed: keep {}", file.display());
            TerraformError::StateAtRisk { step, file, diagnostics }
        }
    }
}

/// What was destroyed has no outputs to report.
fn outputs(applied: &Applied, mode: Mode) -> Result<Vec<Output>, JobError> {
    if mode == Mode::Destroy {
        return Ok(Vec::new());
    }
    let values = applied.outputs.iter().map(|(name, output)| (name.as_str(), &output.value, output.sensitive));
    let Outputs { outputs, refusals } = proton_outputs(values);
    if refusals.is_empty() { Ok(outputs) } else { Err(JobError::Outputs(refusals)) }
}

fn say(watcher: &mut (dyn Watcher + Send), event: &Event) {
    if let Some(text) = event.human() {
        watcher.says(&text);
    }
}

/// Tells Proton, and puts together what people are told.
async fn end(directory: &Directory, came: Result<Came, JobError>, ears: Option<&Ears>) -> Outcome {
    let report = match &came {
        Ok(came) => Report::Succeeded { outputs: came.outputs.clone(), message: None },
        Err(error) => Report::Failed { message: error.words() },
    };
    let mut outcome = match came {
        Ok(Came { changes, plan, outputs }) => Outcome {
            changes: Some(changes),
            plan,
            outputs: outputs.into_iter().map(|output| output.key).collect(),
            ..Outcome::of(directory, Verdict::Done)
        },
        Err(error) => Outcome {
            message: Some(error.words()),
            findings: findings(directory, &error),
            ..Outcome::of(directory, error.verdict())
        },
    };
    let Some(ears) = ears else { return outcome };
    let (notified, refused) = ears.hear(&report).await;
    outcome.notified = notified;
    if let Some(refused) = refused.filter(|_| outcome.verdict == Verdict::Done) {
        // The infrastructure is as it should be, and the record isn't: somebody must look.
        outcome.verdict = Verdict::Unexpected;
        outcome.message = Some(format!("everything was applied, and Proton wasn't told: {refused}"));
    }
    outcome
}

fn findings(directory: &Directory, error: &JobError) -> Vec<Finding> {
    match error {
        JobError::Terraform { source, .. } => {
            source.diagnostics().iter().map(|diagnostic| outcome::finding(directory, diagnostic)).collect()
        }
        _ => Vec::new(),
    }
}
