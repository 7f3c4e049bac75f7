//! The engine of deployments: begins them, hands them to agents, finishes them.
//!
//! ```text
//! operation ─ begin ─▶ Deployment ─ publish ─▶ offer ─▶ claim ─▶ heartbeat … ─▶ finish ─▶ the target takes its state
//!             delete ──────┘                              └─ lease runs out ─▶ offer again
//! ```
//!
//! Every rule runs inside the transaction that an operation opened, on the documents as that transaction sees them, and
//! can be repeated. Whoever commits a change that may give an agent work rings [`Plane::work`] afterwards; [`upkeep()`]
//! does what must happen though nobody asks: it publishes what new deployments name, and wakes waiting agents when a
//! lease has run out.
//!
//! [`Plane::work`]: super::Plane

mod approval;
mod asked;
mod begin;
mod binding;
mod cancel;
mod delete;
mod finish;
mod history;
#[cfg(test)]
mod history_tests;
mod imported;
#[cfg(test)]
mod lease_tests;
mod limits;
#[cfg(test)]
mod machine_tests;
mod offer;
#[cfg(test)]
mod offer_tests;
mod queue;
#[cfg(test)]
mod queue_tests;
mod record;
mod report;
pub(crate) mod sealed;
mod selection;
mod state_key;
mod tags;
#[cfg(test)]
mod tests;
mod unsettled;
#[cfg(test)]
mod unsettled_tests;
mod upkeep;

use std::sync::Arc;

pub(crate) use approval::{Asked, Decided};
pub(crate) use begin::{Begin, Inputs};
pub(crate) use binding::environments_of_service;
pub(crate) use finish::Outcome;
pub(crate) use offer::{Ask, Offer};
pub(crate) use queue::Queue;
pub(crate) use record::TargetRecord;
pub(crate) use report::{Heard, Refused, Report, Settles};
pub(crate) use selection::Selection;
pub(crate) use unsettled::Inheritance;
#[cfg(test)]
pub(crate) use upkeep::published;
pub use upkeep::{UpkeepError, tidy, upkeep};

use super::plane::{Plane, PlaneSettings};
use super::wire::Call;
use crate::domain::Scope;

/// The engine at one moment of one request; everything it does, it does in a transaction it is handed.
#[derive(Debug, Clone)]
pub(crate) struct Deployments {
    /// Whose resources these are.
    pub(crate) scope: Scope,
    /// Milliseconds since the epoch.
    pub(crate) now: i64,
    /// Bucket, lease and addresses.
    pub(crate) settings: Arc<PlaneSettings>,
}

impl Deployments {
    /// The engine for a request.
    pub(crate) fn of(plane: &Plane, call: &Call) -> Self {
        Self::at(plane, call.scope.clone(), call.now)
    }

    /// The engine for a scope at a moment.
    pub(crate) fn at(plane: &Plane, scope: Scope, now: i64) -> Self {
        Self { scope, now, settings: Arc::clone(&plane.settings) }
    }

    /// A deployment's own ARN.
    pub(crate) fn arn_of(&self, deployment_id: &str) -> String {
        self.scope.arn(format_args!("deployment/{deployment_id}"))
    }
}
