//! What every operation may touch.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::authority::Authority;
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
    /// The only source of the time.
    pub clock: Clock,
    /// Rings when there may be work for an agent.
    pub work: Wake,
    /// Rings when a template version waits for its registration.
    pub registrations: Wake,
    /// What the operator chose.
    pub settings: Arc<PlaneSettings>,
}

impl Plane {
    /// A control plane with the shipped policies, whose bells nobody has rung yet.
    pub fn new(store: Store, objects: Objects, sealer: Sealer, clock: Clock, settings: PlaneSettings) -> Self {
        Self {
            store,
            objects,
            sealer,
            authority: Authority::default(),
            clock,
            work: Wake::default(),
            registrations: Wake::default(),
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
}

/// A bell: whoever waits learns that something changed since it last looked.
#[derive(Debug, Clone)]
pub struct Wake(watch::Sender<u64>);

impl Default for Wake {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl Wake {
    /// Wakes everyone who waits, and everyone who subscribed before and looks later.
    pub fn ring(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Starts listening; a ring from now on isn't missed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
