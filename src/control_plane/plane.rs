//! What every operation may touch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::audit::Audit;
use super::authority::Authority;
use super::counts::Counting;
use super::events::Events;
use super::keys::KnownKeys;
use super::seal::Sealer;
use super::store::Store;
use crate::objects::Objects;
use crate::support::Clock;

/// The control plane's parts, shared by all requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct Plane {
    /// The record.
    pub store: Store,
    /// The bucket: bundles, inputs and run records.
    pub objects: Objects,
    /// Opens and closes what lies in the record encrypted.
    pub sealer: Sealer,
    /// Who may do what.
    pub authority: Authority,
    /// What the parts of the audit log share.
    pub audit: Audit,
    /// The access keys that this process has found lately.
    pub(crate) known_keys: KnownKeys,
    /// The only source of the time.
    pub clock: Clock,
    /// Rings when there may be work for an agent.
    pub work: Wake,
    /// Rings when a template version waits for its registration.
    pub registrations: Wake,
    /// Cancelled when this server leaves: answers that are held for something to happen are given then.
    pub leaving: CancellationToken,
    /// Where status changes are told; nowhere unless it is set. The store must be seen through it, see [`Events::over`].
    pub events: Events,
    /// What the operator chose.
    pub settings: Arc<PlaneSettings>,
}

impl Plane {
    /// A control plane with the shipped policies, whose bells nobody has rung yet.
    #[expect(clippy::needless_pass_by_value, reason = "the plane's store is this one, seen through a layer")]
    pub fn new(store: Store, objects: Objects, sealer: Sealer, clock: Clock, settings: PlaneSettings) -> Self {
        Self {
            work: Wake::everywhere("work", &store),
            registrations: Wake::everywhere("registrations", &store),
            store: store.through(Counting),
            objects,
            sealer,
            authority: Authority::default(),
            audit: Audit::default(),
            known_keys: KnownKeys::default(),
            clock,
            leaving: CancellationToken::new(),
            events: Events::default(),
            settings: Arc::new(settings),
        }
    }
}

/// The choices of an operator that operations depend on.
#[derive(Debug, Clone)]
pub struct PlaneSettings {
    /// The bucket that holds bundles, inputs and run records.
    pub bucket: String,
    /// How this server is reached, without a trailing slash: `http://127.0.0.1:9440`.
    pub base_url: String,
    /// How long a claim holds without a heartbeat.
    pub lease: Duration,
    /// Whether Terraform's state is kept here; otherwise agents bring a bucket.
    pub serves_state: bool,
    /// Whether the bucket lies in the embedded object server.
    pub serves_objects: bool,
    /// How many deployments may be at work at once.
    pub limits: DeploymentLimits,
}

/// How many deployments may be at work at once; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeploymentLimits {
    /// In each environment.
    pub per_environment: usize,
    /// In an account and region.
    pub per_account: usize,
}

impl DeploymentLimits {
    /// Whether there is any.
    pub(crate) fn any(self) -> bool {
        self.per_environment > 0 || self.per_account > 0
    }
}

/// A bell: whoever waits learns that something changed since it last looked, here and in all servers on the same record.
///
/// A ring may get lost on its way to another server, so whoever waits also looks by itself now and then.
#[derive(Debug, Clone)]
pub struct Wake {
    here: watch::Sender<u64>,
    /// The bell's name, and the record through which the others hear it.
    elsewhere: Option<(&'static str, Store)>,
}

impl Default for Wake {
    /// A bell of this process alone.
    fn default() -> Self {
        Self { here: watch::channel(0).0, elsewhere: None }
    }
}

impl Wake {
    /// A bell that rings in every server on this record.
    pub fn everywhere(name: &'static str, store: &Store) -> Self {
        let here = watch::channel(0).0;
        let rung = here.clone();
        // What rang elsewhere rings here and goes no further.
        store.hear(name, move || ring(&rung));
        Self { here, elsewhere: Some((name, store.clone())) }
    }

    /// Wakes everyone who waits, and everyone who subscribed before and looks later.
    pub fn ring(&self) {
        ring(&self.here);
        if let Some((name, store)) = &self.elsewhere {
            store.ring(name);
        }
    }

    /// Starts listening; a ring from now on isn't missed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.here.subscribe()
    }
}

fn ring(bell: &watch::Sender<u64>) {
    bell.send_modify(|count| *count += 1);
}
