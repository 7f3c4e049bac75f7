//! What a run came to, as it lies beside its log.

use serde::Serialize;

/// What `summary.json` says.
#[derive(Debug, Default, Serialize)]
pub(in crate::agent) struct Summary {
    pub(in crate::agent) deployment_id: String,
    pub(in crate::agent) target: String,
    pub(in crate::agent) attempt: u64,
    pub(in crate::agent) agent: String,
    pub(in crate::agent) terraform: String,
    pub(in crate::agent) action: &'static str,
    pub(in crate::agent) succeeded: bool,
    pub(in crate::agent) error: Option<String>,
    /// Milliseconds since the epoch.
    pub(in crate::agent) started_at: i64,
    pub(in crate::agent) ended_at: i64,
    /// Added, changed, removed.
    pub(in crate::agent) changes: [u64; 3],
    /// Address, type and action of every resource there is.
    pub(in crate::agent) resources: Vec<[String; 3]>,
    /// The outputs' names.
    pub(in crate::agent) outputs: Vec<String>,
}
