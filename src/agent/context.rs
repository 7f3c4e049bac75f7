//! What every step may use: the configuration, the clients, the Terraform that was found.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio::sync::{Mutex, broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::archives::Archives;
use super::format;
use super::identity::Identity;
use super::keeper::Keeper;
use super::metrics::Metrics;
use super::progress::{Progress, Stage};
use super::runs_here::RunsHere;
use super::{AgentError, Config, S3State, StepError};
use crate::domain::Scope;
use crate::objects::{Objects, ObjectsConfig};
use crate::proton::{Lease, Proton};
use crate::support::Secret;
use crate::terraform::{self, Terraform};

/// Watchers that lag behind lose the oldest of these.
const PROGRESS_KEPT: usize = 1024;

/// An agent's tools, shared by all its journeys.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) identity: Identity,
    pub(super) proton: Proton,
    pub(super) terraform: Terraform,
    pub(super) progress: broadcast::Sender<Progress>,
    /// How many journeys wait for people.
    pub(super) waiting: watch::Sender<usize>,
    /// How many journeys are under way, those that wait for people among them.
    pub(super) under_way: watch::Sender<usize>,
    /// Cancelled when the agent has to leave so soon that every Terraform is interrupted.
    pub(super) hurry: CancellationToken,
    /// The thread of the heartbeats.
    pub(super) keeper: Keeper,
    /// What is counted.
    pub(super) metrics: Metrics,
    /// The run directories there are.
    pub(super) runs_here: RunsHere,
    /// The bundles that were fetched last.
    pub(super) archives: Archives,
    /// Clients by endpoint and region; None is the configured store.
    stores: Mutex<HashMap<Option<(String, String)>, Objects>>,
    /// State buckets that proved to honour conditional writes.
    probed: Mutex<HashSet<String>>,
}

/// A journey that is counted, as one that waits for people or as one that is under way.
#[derive(Debug)]
pub(super) struct Counted<'a>(&'a watch::Sender<usize>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Context {
    /// Takes the data directory, finds Terraform, builds the clients; nothing is sent yet.
    pub(super) async fn new(mut config: Config) -> Result<Self, AgentError> {
        config.data = std::path::absolute(&config.data).unwrap_or(config.data);
        config.child_env.extend(terraform::collector(&config.child_env, config.concurrency));
        let identity = Identity::take(&config.data, &config.name)?;
        format::check(&config.data)?;
        let terraform = terraform::find(config.terraform.as_deref(), &config.search_path)?;
        let proton = Proton::new(&config.proton).await;
        let (progress, _) = broadcast::channel(PROGRESS_KEPT);
        let (waiting, under_way) = (watch::Sender::new(0), watch::Sender::new(0));
        let keeper = Keeper::start(config.proton.clone()).map_err(AgentError::Keeper)?;
        let hurry = CancellationToken::new();
        let (stores, probed, runs_here) = (Mutex::default(), Mutex::default(), RunsHere::default());
        Ok(Self {
            config,
            identity,
            proton,
            terraform,
            progress,
            waiting,
            under_way,
            hurry,
            keeper,
            metrics: Metrics::new(),
            runs_here,
            archives: Archives::default(),
            stores,
            probed,
        })
    }

    /// Counts the caller's journey among those that wait for people, until what it gets is dropped.
    pub(super) fn waits(&self) -> Counted<'_> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        Counted(&self.waiting)
    }

    /// Counts the caller's journey among those that are under way, until what it gets is dropped.
    pub(super) fn sets_out(&self) -> Counted<'_> {
        self.under_way.send_modify(|count| *count += 1);
        Counted(&self.under_way)
    }

    pub(super) fn tell(&self, lease: &Lease, target: &impl ToString, stage: Stage) {
        let (deployment_id, target) = (lease.deployment_id.clone(), target.to_string());
        // Nobody watching is no fault.
        self.progress.send(Progress { deployment_id, target, stage }).ok();
    }

    /// The store of a deployment's bundle, inputs and records: the one that the claim named, with the identity that
    /// claimed, else the configured one with its own.
    pub(super) async fn objects(&self, lease: &Lease, scope: &Scope) -> Objects {
        self.store(Self::named_store(lease, scope)).await
    }

    /// Endpoint and region of the store that the claim named, if it did.
    pub(super) fn named_store(lease: &Lease, scope: &Scope) -> Option<(String, String)> {
        lease.objects.clone().map(|endpoint| (endpoint, scope.region.clone()))
    }

    /// The client of a store that a claim named, or of the configured one.
    pub(super) async fn store(&self, named: Option<(String, String)>) -> Objects {
        let mut stores = self.stores.lock().await;
        if let Some(objects) = stores.get(&named) {
            return objects.clone();
        }
        let config = match &named {
            Some((endpoint, region)) => ObjectsConfig {
                endpoint: Some(endpoint.clone()),
                region: region.clone(),
                credentials: self.config.proton.credentials.clone(),
                path_style: true,
                trust: self.config.proton.trust.clone(),
            },
            None => self.config.objects.clone(),
        };
        let objects = Objects::new(config).await;
        stores.insert(named, objects.clone());
        objects
    }

    /// Refuses a state bucket that can't lock, once per process and bucket.
    pub(super) async fn probe(&self, state: &S3State, env: &BTreeMap<String, String>) -> Result<(), StepError> {
        let mut probed = self.probed.lock().await;
        // A DynamoDB table locks without the bucket's help.
        if state.dynamodb_table.is_some() || probed.contains(&state.bucket) {
            return Ok(());
        }
        let objects = self.state_objects(state.endpoint.clone(), state.region.clone(), state.use_path_style, env);
        objects.await.probe_conditional_writes(&state.bucket).await?;
        probed.insert(state.bucket.clone());
        Ok(())
    }

    /// The store of a state bucket with Terraform's own credentials, so that we see what Terraform sees. Temporary ones
    /// come with a token, and with that the default chain finds them all.
    pub(super) async fn state_objects(
        &self,
        endpoint: Option<String>,
        region: String,
        path_style: bool,
        env: &BTreeMap<String, String>,
    ) -> Objects {
        let key = env.get("AWS_ACCESS_KEY_ID").zip(env.get("AWS_SECRET_ACCESS_KEY"));
        let key = key.filter(|_| !env.contains_key("AWS_SESSION_TOKEN"));
        let credentials = key.map(|(id, secret)| (id.clone(), Secret::new(secret)));
        let trust = self.config.proton.trust.clone();
        Objects::new(ObjectsConfig { endpoint, region, credentials, path_style, trust }).await
    }
}
