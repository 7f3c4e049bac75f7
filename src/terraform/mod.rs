//! The only place that starts a process.
//!
//! A [`Session`] is one deployment's Terraform: `init`, then one `apply` or `destroy`, then its outputs. Each step runs
//! under a supervisor, a process of its own (`hadron supervise STEP_DIR`) that outlives the agent and writes what it saw
//! into the step's folder. The agent only ever reads that folder, so that a restarted agent picks up where it left.
//!
//! Arguments, environment, backend override and events are plain functions; [`child`] and [`supervise`] have the effects.

mod answer;
mod args;
mod backend;
mod env;

mod process;
mod step;

mod supervisor;
mod tail;

mod bell;
pub mod child;

mod event;

mod applied;
mod collector;
mod diagnostic;
mod draw;
mod memory;
mod output;
mod recorded;
mod timeline;

mod ledger;
mod remains;
mod statefile;

mod install;
mod lock_file;
mod modules;
mod plan;
mod providers;
mod relock;
mod session;
mod state;
mod tree;
mod trial;
mod warm;

mod error;

pub use answer::{AnswerError, answer};
pub use applied::{Applied, Changes, Resource};
pub use backend::Backend;
pub use collector::collector;
pub use diagnostic::{Diagnostic, Severity};
pub use env::{REFUSED, child_env, refusal};
pub use error::TerraformError;
pub use event::{Event, EventKind, Phase, ResourceAction};
pub use install::{FLOOR, TESTED, Terraform, find};
pub use ledger::{Gap, Known, Ledger, Missing, Replaced, Suspect, lives_outside};
pub use lock_file::{LOCK_FILE, locked_versions};
pub use output::OutputValue;
pub use plan::Plan;
pub use process::host_name;
pub use providers::{Package, ProviderStore};
pub use recorded::{StepRecord, recall};
pub use relock::Relock;
pub use remains::{LockTaken, Remains, booted_at, wait_for_all};
pub use session::{Mode, Session};
pub use state::parking_address;
pub use statefile::{State, StateObject};
pub use step::{Exit, Step, Usage};
pub use supervisor::supervise;
pub use tail::Lines;
pub use timeline::{Drift, Operation, Outcome, OutputTold, ResourceTimeline, Timeline};
pub use trial::{Refusal, Trial};
pub use warm::{SET_ASIDE, Warm};
