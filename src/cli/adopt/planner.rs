//! One read-only plan: what would be deployed is rendered, and the state is a copy, so that Terraform can't write it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hadron_model::hadron::{AdoptionGroup, QuarantinedTarget};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::judge::judge;
use crate::agent::EnvironmentConfig;
use crate::cli::Failure;
use crate::cli::agent::{Access, environments, find_terraform, provider_store, terraform_environment};
use crate::cli::buckets::Buckets;
use crate::cli::recorded::Recorded;
use crate::cli::remote::{self, Remote};
use crate::cli::states::{self, Contents, Found};
use crate::domain::{Files, LOCK_FILE, Target};
use crate::eject::{Masked, masked};
use crate::renderer::Metadata;
use crate::settings::Resolved;
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
    let found =
        states::find(remote, || Ok(buckets), &target.target_arn).await.map_err(|it| format!("{:#}", it.error))?;
    Ok(found.map(|Found { text, .. }| StateCopy { digest: hex::encode(Sha256::digest(&text)), text }))
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
        let choices = EnvironmentConfig::of(&self.environments, &target.environment_name);
        let folder =
            tempfile::Builder::new().prefix("hadron-adopt-").tempdir().context("making a folder to plan in")?;
        let (work, file) = (folder.path().join("work"), folder.path().join("copy.tfstate"));
        for (name, bytes) in self.files(target, &choices).await? {
            write(&work.join(name), &bytes)?;
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
            env: child_env(&site, &backend, &run_dir.join("home"), None)?,
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
    async fn files(&self, of: &QuarantinedTarget, choices: &EnvironmentConfig) -> anyhow::Result<Files> {
        let (_, target) = Target::parse(&of.target_arn)?;
        let mut recorded = Recorded::read(self.remote, &of.bundle, &of.inputs).await.map_err(|it| it.error)?;
        let sealed = masked(&recorded.inputs);
        let states = self.producers(of, &sealed).await?;
        recorded.unseal(&sealed, |producer, output| states.get(producer)?.output(output)).map_err(|it| it.error)?;
        let metadata = Metadata { deployment_id: of.deployment_id.clone(), ..Metadata::default() };
        let mut files = recorded.rendered(&target, &of.target_arn, metadata).map_err(|it| it.error)?.files;
        choices.add_site(&mut files)?;
        if let Some(lock) = recorded.lock(self.remote, &target).await.map_err(|it| it.error)? {
            files.entry(LOCK_FILE.to_owned()).or_insert(lock);
        }
        Ok(files)
    }

    /// The states that sealed inputs come from.
    async fn producers(&self, of: &QuarantinedTarget, sealed: &[Masked]) -> anyhow::Result<BTreeMap<Target, Contents>> {
        let (scope, _) = Target::parse(&of.target_arn)?;
        let mut states = BTreeMap::new();
        for producer in sealed.iter().map(|it| &it.producer).collect::<BTreeSet<_>>() {
            let found =
                states::find(self.remote, || Ok(&self.buckets), &producer.arn(&scope)).await.map_err(|it| it.error)?;
            if let Some(Found { text, .. }) = found {
                states.insert(producer.clone(), Contents::read(&text)?);
            }
        }
        Ok(states)
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
