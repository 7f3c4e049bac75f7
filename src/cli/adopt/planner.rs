//! One read-only plan: what would be deployed is rendered, and the state is a copy, so that Terraform can't write it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use hadron_model::hadron::{
    AdoptionGroup, DescribeStateInput, DescribeStateOutput, GetStateVersionInput, GetStateVersionOutput, Operation,
    QuarantinedTarget, StateAt,
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::judge::judge;
use crate::agent::EnvironmentConfig;
use crate::cli::Failure;
use crate::cli::agent::{Access, environments, find_terraform, provider_store, terraform_environment};
use crate::cli::import::state::{Buckets, Contents};
use crate::cli::remote::{self, Remote};
use crate::domain::{Files, Target, open_bundle_of};
use crate::hadron::HadronError;
use crate::objects::ObjectUri;
use crate::renderer::{self, Metadata, Request};
use crate::settings::Resolved;
use crate::support::causes;
use crate::terraform::{Backend, Mode, ProviderStore, Session, Terraform, child_env};

/// How long a lock of the copied state may take; nobody else has it.
const LOCK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// What a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) group: AdoptionGroup,
    /// In one line.
    pub(super) summary: String,
    /// Which changes, or why there is no plan.
    pub(super) message: Option<String>,
    /// SHA-256 of the state that was planned against.
    pub(super) state_digest: Option<String>,
}

/// A state and its SHA-256.
pub(super) struct StateCopy {
    text: Vec<u8>,
    pub(super) digest: String,
}

/// The state of a quarantined target, wherever it lies; None where there is none.
///
/// # Errors
/// In words, why it can't be read.
pub(super) async fn state_of(
    remote: &Remote,
    buckets: &Buckets,
    target: &QuarantinedTarget,
) -> Result<Option<StateCopy>, String> {
    let text = match &target.state {
        Some(StateAt { bucket, key, region, .. }) => {
            buckets.read((bucket, key), region.as_deref()).await.map_err(|error| causes(&error))?
        }
        None => kept_here(remote, &target.target_arn).await.map_err(|error| error.to_string())?,
    };
    Ok(text.map(|text| StateCopy { digest: hex::encode(Sha256::digest(&text)), text }))
}

async fn kept_here(remote: &Remote, arn: &str) -> Result<Option<Vec<u8>>, HadronError> {
    let input = DescribeStateInput { target_arn: arn.to_owned() };
    let known: Result<DescribeStateOutput, HadronError> = remote.hadron.call(Operation::DescribeState, &input).await;
    match known {
        Err(error) if error.is_not_found() => return Ok(None),
        known => known?,
    };
    let input = GetStateVersionInput { target_arn: arn.to_owned(), serial: None, parked: None };
    let found: Result<GetStateVersionOutput, HadronError> =
        remote.hadron.call(Operation::GetStateVersion, &input).await;
    match found {
        Err(error) if error.is_not_found() => Ok(None),
        found => Ok(Some(found?.body.into_bytes())),
    }
}

/// Everything that plans share.
pub(super) struct Planner<'r> {
    remote: &'r Remote,
    buckets: Buckets,
    terraform: Terraform,
    supervisor: PathBuf,
    providers: Option<ProviderStore>,
    env: BTreeMap<String, String>,
    environments: BTreeMap<String, EnvironmentConfig>,
}

impl<'r> Planner<'r> {
    /// Terraform as an agent on this machine would run it, with this process's AWS credentials.
    ///
    /// # Errors
    /// No Terraform, or settings that can't be read.
    pub(super) fn of(settings: &Resolved, remote: &'r Remote) -> Result<Self, Failure> {
        let (_, (key, _)) = remote::address(settings)?;
        Ok(Self {
            remote,
            buckets: Buckets::of(settings)?,
            terraform: find_terraform(settings)?,
            supervisor: std::env::current_exe().context("finding this program's own file")?,
            providers: provider_store(settings)?,
            env: terraform_environment(settings, &Access::of(settings)?, std::slice::from_ref(&key))?,
            environments: environments(settings)?,
        })
    }

    /// Plans a target. That it can't be planned is an answer too.
    pub(super) async fn plan(&self, target: &QuarantinedTarget, stop: &CancellationToken) -> Planned {
        let state = match state_of(self.remote, &self.buckets, target).await {
            Ok(state) => state,
            Err(why) => return failed(format!("its state can't be read: {why}")),
        };
        let digest = state.as_ref().map(|state| state.digest.clone());
        let planned = match self.try_plan(target, state, stop).await {
            Ok(planned) => planned,
            Err(error) => failed(format!("{error:#}")),
        };
        Planned { state_digest: digest, ..planned }
    }

    async fn try_plan(
        &self,
        target: &QuarantinedTarget,
        state: Option<StateCopy>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Planned> {
        let choices = self.choices(&target.environment_name);
        let folder =
            tempfile::Builder::new().prefix("hadron-adopt-").tempdir().context("making a folder to plan in")?;
        let (work, file) = (folder.path().join("work"), folder.path().join("copy.tfstate"));
        for (name, bytes) in self.rendered(target).await? {
            write(&work.join(name), &bytes)?;
        }
        if !choices.variables.is_empty() {
            let text = serde_json::to_vec_pretty(&choices.variables).context("writing the site's variables")?;
            write(&work.join("hadron_site.auto.tfvars.json"), &text)?;
        }
        if let Some(overlay) = &choices.overlay {
            lay_beside(overlay, &work)?;
        }
        let managed = match &state {
            Some(state) => Contents::read(&state.text).context("its state is none of Terraform's")?.managed(),
            None => 0,
        };
        if let Some(state) = state {
            write(&file, &state.text)?;
        }
        let document = self.document(folder.path(), work, Backend::Local { path: file }, &choices, stop).await?;
        Ok(judge(&document, managed)?)
    }

    async fn document(
        &self,
        run_dir: &Path,
        work_dir: PathBuf,
        backend: Backend,
        choices: &EnvironmentConfig,
        stop: &CancellationToken,
    ) -> anyhow::Result<Vec<u8>> {
        let mut site = self.env.clone();
        site.extend(choices.child_env.clone());
        let session = Session {
            terraform: self.terraform.clone(),
            supervisor: self.supervisor.clone(),
            env: child_env(&site, &backend, &run_dir.join("home"))?,
            run_dir: run_dir.to_owned(),
            work_dir,
            backend,
            lock_timeout: LOCK_TIMEOUT,
            warm: None,
            state_reader: None,
            providers: self.providers.clone(),
        };
        session.init(stop).await?;
        session.plan(Mode::Apply, stop, &mut |_| {}).await?;
        Ok(session.plan_document(stop).await?)
    }

    /// The files that a deployment would be made of.
    async fn rendered(&self, of: &QuarantinedTarget) -> anyhow::Result<Files> {
        let (_, target) = Target::parse(&of.target_arn)?;
        let (bundle, inputs): (ObjectUri, ObjectUri) = (of.bundle.parse()?, of.inputs.parse()?);
        let archive = self.remote.objects.get(&bundle).await?;
        let inputs = serde_json::from_slice(&self.remote.objects.get(&inputs).await?).context("reading the inputs")?;
        let bundle =
            open_bundle_of(&target, &archive).map_err(|problems| anyhow!("its bundle is refused: {problems}"))?;
        let part = bundle.part_for(&target).ok_or_else(|| anyhow!("its bundle has no part for {target}"))?;
        let metadata = Metadata { deployment_id: of.deployment_id.clone(), ..Metadata::default() };
        let request =
            Request { target: &target, arn: &of.target_arn, part, inputs: &inputs, metadata, stack_template_url: None };
        let rendered =
            renderer::render(&request).map_err(|problems| anyhow!("its bundle can't be rendered: {problems}"))?;
        Ok(rendered.files)
    }

    /// The choices for an environment; `""` is a pipeline's.
    fn choices(&self, environment: &str) -> EnvironmentConfig {
        let name = if environment.is_empty() { "pipeline" } else { environment };
        self.environments.get(name).or_else(|| self.environments.get("*")).cloned().unwrap_or_default()
    }
}

fn failed(why: String) -> Planned {
    Planned { group: AdoptionGroup::Error, summary: "no plan".into(), message: Some(why), state_digest: None }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let writing = || format!("writing {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(writing)?;
    }
    fs::write(path, bytes).with_context(writing)
}

/// Copies an overlay's files beside the rendered ones, as an agent does.
fn lay_beside(overlay: &Path, work: &Path) -> anyhow::Result<()> {
    let reading = || format!("reading the overlay {}", overlay.display());
    for entry in fs::read_dir(overlay).with_context(reading)? {
        let source = entry.with_context(reading)?.path();
        let target = work.join(source.file_name().unwrap_or_default());
        if source.is_dir() {
            lay_beside(&source, &target)?;
        } else {
            write(&target, &fs::read(&source).with_context(reading)?)?;
        }
    }
    Ok(())
}
