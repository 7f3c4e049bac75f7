//! Room two: the record of everything, served over Proton's wire protocol.
//!
//! A request travels [`wire`] → [`operations`] → [`store`]. Beside it work the registrar (checks new template
//! versions), the object server (an embedded S3 for one machine) and the state server (Terraform's http backend).

pub mod wire;

pub mod audit;
pub mod authority;
pub mod deployments;
pub mod events;
pub mod object_server;
pub mod operations;
pub mod own_operations;

pub mod records;
pub mod registrar;
pub mod seal;
pub mod state_server;
pub mod store;

mod app;
mod counts;
mod duty;
mod gate;
mod health;
mod keys;
pub mod metrics;
mod plane;
mod staleness;
#[cfg(test)]
pub(crate) mod test_plane;
mod upgrade;

pub use app::{App, serve};
pub use counts::keep_counts;
pub use health::{Readiness, SchemaOf, Surroundings};
pub use metrics::Metrics;
pub use plane::{DeploymentLimits, Plane, PlaneSettings, Wake};
pub use upgrade::upgrade;
