//! Room one: does the work that Proton hands out.
//!
//! [`journey`] is the file to read first: one deployment through poll → claim → fetch → validate → render → run →
//! report, each step a verb with a file of its own that consumes the proof of the one before. [`shift`] takes several
//! deployments on such journeys at once. The agent knows Proton, an object store and Terraform; it reads no environment
//! variable and no settings file, only the [`Config`] that it is handed.

mod config;
mod context;
mod departure;
mod ending;
mod error;
mod identity;
mod outcome;
mod progress;
mod runs_here;
mod workdir;

mod journey;

mod archives;
mod assemble;
mod bundles;
mod claim;
mod fetch;
mod format;
mod poll;
mod publish;
mod render;
mod report;
mod requests;
mod run;
mod validate;

mod gate;
mod heartbeat;
mod keeper;
mod locks;
mod records;
mod recovery;
mod retention;
mod sealed_plan;
mod settle;

mod metrics;
mod steps;

mod protection;
mod shift;
mod site;
mod spot;
mod worker;

pub use bundles::{BundleLocation, NotABundleLocation};
pub use config::{Config, EnvironmentConfig, HostConfig, S3State};
pub use departure::{Departure, Shutdown};
pub use error::{AgentError, StepError};
pub use metrics::METRICS;
pub use outcome::{Drained, Outcome};
pub use progress::{Progress, Stage};
pub use records::RunSummary;
pub use settle::AtRisk;
pub use worker::Agent;
