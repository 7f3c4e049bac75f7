//! The documents of the record: what is stored of each resource.
//!
//! A document may gain members; a new one has `#[serde(default)]`, so that an older document still opens.

mod access_key;
mod account;
mod audit;
mod component;
mod data_key;
mod deployment;
mod environment;
mod environment_account_connection;
mod imported;
mod listed;
mod repository;
mod service;
mod state;
mod state_key;
mod sync;
mod target_runs;
mod template;
mod turn;

pub use access_key::AccessKey;
pub use account::{AccountSettings, IdempotencyToken, TagSet};
pub use audit::{AuditEntry, AuditHead, Link, Touched};
pub use component::Component;
pub use data_key::{DataKey, Keyring};
pub use deployment::{Action, Approval, Deployment, Lease, Output, Progress, TargetState};
pub use environment::{Environment, Executor, ExecutorAhead, Requests};
pub use environment_account_connection::EnvironmentAccountConnection;
pub use imported::{AdoptionPlan, Imported};
pub use listed::{ListedDeployment, ListedInstance, ListedProgress};
pub use repository::{Repository, RepositoryRef};
pub use service::{Pipeline, Service, ServiceInstance};
pub use state::{
    Adoption, BlockingRun, LockHolder, ParkedState, StateBlock, StateLock, StateStamp, StateVersion, Suspect,
};
pub use state_key::StateKey;
pub use sync::{OF_REPOSITORY, ServiceSyncConfig, SyncBlocker, TemplateSyncConfig};
pub use target_runs::{TargetRuns, UnsettledRun};
pub use template::{BundleRef, CompatibleTemplate, Template, TemplateKind, TemplateVersion, Version, VersionRef};
pub use turn::Turn;
