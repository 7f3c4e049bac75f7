//! The audit log: every change and every refusal, with who, what, when and from where, chained by hashes.
//!
//! A change's entry is written in the change's own transaction, by a [`layer`] that the gate puts on the store for each
//! request: there is no change without its entry and no entry without its change. It is written without its place in
//! the chain, so that servers don't queue for one row; the [`chain()`] task links what has come in within about a second.
//! [`verify`] walks the chain. What isn't a change in people's eyes stands in [`kinds`]. Refusals have no transaction to
//! ride on and are written by [`refusals`].

pub(crate) mod canonical;
mod chain;
mod floodgate;
mod kinds;
mod layer;
mod noting;
mod origin;
mod refusals;
mod resource;
pub(crate) mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use chain::chain;
pub(crate) use origin::Origin;
pub(crate) use refusals::{attempted, refused, unproved};

use self::floodgate::Floodgate;
use self::layer::AuditLayer;
use super::plane::{Plane, Wake};
use super::store::Store;
use crate::domain::Scope;
use crate::support::Clock;

/// What the parts of the audit log share in this process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Rings when an entry waits for its place in the chain.
    bell: Wake,
    /// Bounds what strangers can write: refusals of keys that exist, and of keys that don't.
    known: Arc<Floodgate>,
    unknown: Arc<Floodgate>,
}

impl Plane {
    /// The plane as one request sees it: what it changes goes into the audit log in its caller's name.
    pub(crate) fn on_behalf(&self, origin: &Origin) -> Self {
        self.seen_by(origin.clone())
    }

    /// The plane for what the server does by itself, and why.
    pub(crate) fn by_itself(&self, scope: &Scope, action: &'static str, reason: impl Into<String>) -> Self {
        self.seen_by(Origin::of_server(scope, action, reason.into()))
    }

    fn seen_by(&self, origin: Origin) -> Self {
        let layer = AuditLayer::new(origin, self.clock.clone(), self.audit.bell.clone());
        Self { store: self.store.through(layer), ..self.clone() }
    }
}

/// The record for what the server does by itself before there is a plane.
pub fn by_itself(store: &Store, clock: &Clock, scope: &Scope, action: &'static str, reason: &str) -> Store {
    let origin = Origin::of_server(scope, action, reason.to_owned());
    store.through(AuditLayer::new(origin, clock.clone(), Wake::default()))
}
