//! `hadron agent`: the agent alone, for ever, until nothing is pending, or for one deployment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use super::keys::KeyPair;
use super::outside::{self, Numbers};
use super::serve::data_folder;
use super::{Exit, Failure, Form, host, oneshot, remote, trust};
use crate::agent::{Agent, AgentError, Config, Drained, EnvironmentConfig, S3State};
use crate::forge;
use crate::lifecycle::Lifecycle;
use crate::objects::ObjectsConfig;
use crate::settings::{Gate, Resolved, child_environment};
use crate::support::{AwsAccess, Clock, Secret, Trust, files};
use crate::terraform::{self, ProviderStore, Terraform, TerraformError};

/// How long an endpoint that can may hold a poll.
const POLL_WAIT: Duration = Duration::from_secs(20);

/// How long Terraform waits for a state that somebody else has locked.
const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

/// Longer than a store or a server is away for, short enough to be asked on the same day.
const SETTLE_PATIENCE: Duration = Duration::from_mins(30);

#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// Do everything that is pending, each deployment whole, then exit with the worst outcome
    #[arg(long, conflicts_with = "deployment")]
    once: bool,
    /// Do this one deployment and exit with its outcome
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,
    /// How long --once and --deployment wait for people who approve a plan, like 30m; without it they exit with 20
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Serve health, readiness and numbers on this address and port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

impl AgentArgs {
    fn one_shot(&self) -> bool {
        self.once || self.deployment.is_some()
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration = text.parse().map_err(|_| "give it like 90s, 30m or 2h".to_owned())?;
    Duration::try_from(duration).map_err(|_| "it can't be negative".to_owned())
}

/// Where Proton answers, and as whom we ask.
pub(super) struct Access {
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) credentials: Option<KeyPair>,
    pub(super) trust: Option<Trust>,
}

impl Access {
    /// The settings' endpoint and key; without a key, AWS's default chain.
    pub(super) fn of(settings: &Resolved) -> Result<Self, Failure> {
        let credentials = match (settings.text("access_key_id"), settings.text("secret_access_key")) {
            (Some(id), Some(secret)) => Some((id, Secret::new(secret))),
            (None, None) => None,
            (Some(_), None) => return Err(half_a_key("access_key_id", "HADRON_SECRET_ACCESS_KEY")),
            (None, Some(_)) => return Err(half_a_key("secret_access_key", "HADRON_ACCESS_KEY_ID")),
        };
        let (endpoint, region) = (settings.text("endpoint"), settings.value("region")?);
        Ok(Self { endpoint, region, credentials, trust: trust::of(settings)? })
    }

    fn aws(&self) -> AwsAccess {
        AwsAccess {
            endpoint: self.endpoint.clone(),
            region: Some(self.region.clone()),
            credentials: self.credentials.clone(),
            trust: self.trust.clone(),
        }
    }
}

fn half_a_key(given: &str, missing: &str) -> Failure {
    Failure::new(Exit::Settings, anyhow!("`{given}` is set alone; a key has two parts"))
        .hint(format!("set {missing} too"))
}

/// Works until a signal, or as the arguments say.
pub(super) async fn run(settings: &Resolved, args: &AgentArgs, form: Form) -> Result<Exit, Failure> {
    if args.wait.is_some() && !args.one_shot() {
        return Err(Failure::new(
            Exit::Usage,
            anyhow!("--wait goes with --once or --deployment: others wait for ever"),
        ));
    }
    let lifecycle = Lifecycle::listen()?;
    let access = Access::of(settings)?;
    if access.endpoint.is_none() {
        return Err(Failure::new(Exit::Settings, anyhow!("`endpoint` is not set: there is no Proton to ask"))
            .hint("set HADRON_ENDPOINT to the address of `hadron serve` or `hadron up`"));
    }
    let keys: Vec<String> = access.credentials.iter().map(|(id, _)| id.clone()).collect();
    let wait = args.one_shot().then(|| args.wait.unwrap_or_default());
    let agent = build_waiting(settings, access, &keys, wait).await?;
    let numbers = Numbers::new(settings);
    numbers.add_agent(&agent);
    outside::of_agent(settings, &agent, &numbers, &lifecycle).await?;
    tracing::info!(agent.id = agent.id(), "agent {} is at work", agent.id());
    let stop = lifecycle.soft.clone();
    let environment = settings.surroundings().0;
    let working = async {
        let drained = match &args.deployment {
            Some(id) => {
                let outcome = agent.deploy(id, stop).await.map_err(failure)?;
                Drained { worst: outcome.verdict, outcomes: vec![outcome], broke_off: None }
            }
            None if args.once => agent.drain_all(stop).await,
            None => return agent.run(stop).await.map(|()| Exit::Done).map_err(failure),
        };
        let told = oneshot::tell(&drained, environment, form)?;
        drained.broke_off.map_or(Ok(told), |error| Err(Failure { exit: told, ..failure(error) }))
    };
    tokio::select! {
        worked = working => worked,
        // The second signal: Terraform goes on under its supervisor, and the next agent here takes it over.
        () = lifecycle.hard.cancelled() => Ok(Exit::Cancelled),
    }
}

/// An agent with everything the settings say.
///
/// # Errors
/// Terraform is missing, another agent works in the data folder, a setting doesn't parse.
pub(super) async fn build(settings: &Resolved, access: Access, hadron_keys: &[String]) -> Result<Agent, Failure> {
    build_waiting(settings, access, hadron_keys, None).await
}

/// The same, of an agent that waits only so long for people at a gate.
async fn build_waiting(
    settings: &Resolved,
    access: Access,
    hadron_keys: &[String],
    approval_wait: Option<Duration>,
) -> Result<Agent, Failure> {
    let (process, _) = settings.surroundings();
    let child_env = terraform_environment(settings, &access, hadron_keys)?;
    let data = data_folder(settings)?;
    let config = Config {
        name: settings.text("agent.name").unwrap_or_else(terraform::host_name),
        data,
        concurrency: settings.value("agent.concurrency")?,
        objects: ObjectsConfig {
            endpoint: settings.text("objects_endpoint"),
            region: access.region.clone(),
            credentials: None,
            path_style: settings.text("objects_endpoint").is_some(),
            trust: access.trust.clone(),
        },
        bundles: settings.text("agent.bundles").map(|_| settings.value("agent.bundles")).transpose()?,
        proton: access.aws(),
        terraform: settings.text("terraform.path").map(PathBuf::from),
        search_path: process.get("PATH").cloned().unwrap_or_default().into(),
        provider_store: provider_store(settings)?.map(|store| store.folder),
        supervisor: std::env::current_exe().context("finding this program's own file")?,
        child_env,
        environments: environments(settings)?,
        bound_to: list(settings.text("agent.environments")),
        poll_wait: POLL_WAIT,
        lock_timeout: LOCK_TIMEOUT,
        approval_wait,
        forge: forge(settings, access.trust.as_ref())?,
        watch_every: Duration::from_secs(settings.value("forge.watch_seconds")?),
        settle_patience: SETTLE_PATIENCE,
        host: host::of(settings)?,
        clock: Clock::system(),
    };
    Agent::new(config).await.map_err(failure)
}

/// Who keeps the repositories that requests are opened in.
fn forge(settings: &Resolved, trust: Option<&Trust>) -> Result<Option<forge::Access>, Failure> {
    let kind = match settings.text("forge.kind").as_deref() {
        None => None,
        Some("github") => Some(forge::Kind::GitHub),
        Some("gitlab") => Some(forge::Kind::GitLab),
        Some(other) => {
            return Err(Failure::new(Exit::Settings, anyhow!("`forge.kind` is {other}; it is `github` or `gitlab`")));
        }
    };
    let token = settings.text("forge.token").map(Secret::new);
    Ok(token.map(|token| forge::Access { kind, api: settings.text("forge.api"), token, trust: trust.cloned() }))
}

/// What the site lets through to Terraform, by the settings.
///
/// # Errors
/// A path can't be resolved, or the certificates to trust not be written.
pub(super) fn terraform_environment(
    settings: &Resolved,
    access: &Access,
    hadron_keys: &[String],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut env = child_environment(settings, hadron_keys);
    env.entry("AWS_REGION".into()).or_insert_with(|| access.region.clone());
    for (setting, variable) in
        [("terraform.cli_config", "TF_CLI_CONFIG_FILE"), ("terraform.plugin_cache", "TF_PLUGIN_CACHE_DIR")]
    {
        if let Some(path) = settings.text(setting) {
            env.insert(variable.into(), std::path::absolute(path)?.display().to_string());
        }
    }
    if let Some(trust) = &access.trust {
        trust_in_terraform(settings, trust, &data_folder(settings)?, &mut env)?;
    }
    Ok(env)
}

/// The provider store of the settings: a folder in the data folder by default, and none if it is `off`.
pub(super) fn provider_store(settings: &Resolved) -> Result<Option<ProviderStore>, Failure> {
    let folder = match settings.text("terraform.provider_store").as_deref() {
        Some("off") => return Ok(None),
        Some(folder) => std::path::absolute(folder)?,
        None => std::path::absolute(data_folder(settings)?)?.join("providers"),
    };
    Ok(Some(ProviderStore { folder }))
}

/// Lets Terraform trust what the agent trusts, in its http backend and its providers: `SSL_CERT_FILE`, which Go reads in
/// place of the system's file, so that ours holds the system's certificates too. A site's own `SSL_CERT_FILE` of
/// `[agent.env]` is its choice; one of the process is contained.
///
/// <https://pkg.go.dev/crypto/x509#SystemCertPool>
fn trust_in_terraform(
    settings: &Resolved,
    trust: &Trust,
    data: &Path,
    child_env: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    let (_, site) = settings.surroundings();
    if !site.contains_key("SSL_CERT_FILE") {
        let file = data.join("trusted.pem");
        files::write_atomically(&file, trust.pem().as_bytes())
            .with_context(|| format!("writing {}", file.display()))?;
        child_env.insert("SSL_CERT_FILE".into(), file.display().to_string());
    }
    Ok(())
}

/// What the site wants, by environment; where Proton doesn't keep the state, all share the bucket of the settings.
pub(super) fn environments(settings: &Resolved) -> Result<BTreeMap<String, EnvironmentConfig>, Failure> {
    let state = s3_state(settings)?;
    let all = settings.environments().get("*").and_then(|site| site.gates.clone());
    let config = |site: &crate::settings::Environment| {
        let region = site.region.iter().map(|region| ("AWS_REGION".to_owned(), region.clone()));
        EnvironmentConfig {
            overlay: site.overlay.clone(),
            variables: site.variables.clone(),
            state: state.clone(),
            state_endpoint: settings.text("state.endpoint"),
            child_env: region.collect(),
            approval: site.gates.as_ref().or(all.as_ref()).is_some_and(|gates| gates.contains(&Gate::Approval)),
        }
    };
    let mut environments: BTreeMap<String, EnvironmentConfig> =
        settings.environments().iter().map(|(name, site)| (name.clone(), config(site))).collect();
    environments.entry("*".into()).or_insert_with(|| config(&crate::settings::Environment::default()));
    Ok(environments)
}

fn s3_state(settings: &Resolved) -> Result<Option<S3State>, Failure> {
    match settings.text("state.backend").as_deref() {
        Some("hadron") | None => return Ok(None),
        Some("s3") => {}
        Some(other) => {
            return Err(Failure::new(Exit::Settings, anyhow!("`state.backend` is {other}; it is `hadron` or `s3`")));
        }
    }
    let endpoint = settings.text("state.endpoint");
    Ok(Some(S3State {
        bucket: settings.value("state.bucket")?,
        region: settings.text("state.region").map_or_else(|| settings.value("region"), Ok)?,
        use_path_style: endpoint.is_some(),
        endpoint,
        dynamodb_table: None,
    }))
}

/// The Terraform that the settings name, or the first on PATH.
///
/// # Errors
/// There is none, or it is too old, with the remedy.
pub(super) fn find_terraform(settings: &Resolved) -> Result<Terraform, Failure> {
    let (process, _) = settings.surroundings();
    let configured = settings.text("terraform.path");
    let search_path = process.get("PATH").cloned().unwrap_or_default();
    terraform::find(configured.as_deref().map(Path::new), search_path.as_ref()).map_err(no_terraform)
}

fn no_terraform(error: TerraformError) -> Failure {
    Failure::new(Exit::Settings, error).hint("one that isn't on PATH is named by HADRON_TERRAFORM=/path/to/terraform")
}

fn failure(error: AgentError) -> Failure {
    let exit = Exit::from(error.verdict());
    match error {
        AgentError::Terraform(error) => no_terraform(error),
        AgentError::Proton(error) => Failure { exit, ..remote::failure(error) },
        AgentError::Io { .. } => Failure::new(exit, error).hint("name another data folder with --data"),
        // They name the way out themselves.
        AgentError::DataInUse(_)
        | AgentError::NewerRuns { .. }
        | AgentError::BadName(_)
        | AgentError::Detached
        | AgentError::Keeper(_) => Failure::new(exit, error),
    }
}

fn list(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
