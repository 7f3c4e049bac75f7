//! What isn't a change in people's eyes: bookkeeping, and the members of a deployment that a heartbeat moves.

use serde_json::Value;

use crate::control_plane::records::{
    AuditEntry, AuditHead, Component, Deployment, Environment, Pipeline, Service, ServiceInstance, StateLock,
    TargetRuns,
};
use crate::control_plane::store::Document;

/// Documents and blobs whose comings and goings are nobody's doing: client tokens, whose turn it is, which server does
/// what, which runs are unsettled (claims and reports are entries of their own), who has asked for work, bytes on their way to the bucket or in it, events on their way out, and the log itself.
const BOOKKEEPING: &[&str] = &[
    "idempotency_token",
    "turn",
    "duty",
    "unpublished",
    "s3_object",
    "s3_bytes",
    "outbox",
    "counts",
    "counts_delta",
    "indexed",
    TargetRuns::KIND,
    "asked",
    AuditEntry::KIND,
    AuditHead::KIND,
];

/// Documents that are compared with what they were: writing them back as they are is no change.
const COMPARED: &[&str] = &[
    Deployment::KIND,
    Environment::KIND,
    Service::KIND,
    ServiceInstance::KIND,
    Pipeline::KIND,
    Component::KIND,
    StateLock::KIND,
];

/// What a poll, a heartbeat and upkeep move in a deployment.
const RESTLESS: &[&str] = &["offer", "last_modified_at", "ever_claimed", "unpublished"];

pub(super) fn is_bookkeeping(kind: &str) -> bool {
    BOOKKEEPING.contains(&kind)
}

pub(super) fn is_compared(kind: &str) -> bool {
    COMPARED.contains(&kind)
}

/// Whether two texts of a document say the same to people.
pub(super) fn same(kind: &str, before: &str, after: &str) -> bool {
    before == after || (kind == Deployment::KIND && still(before) == still(after))
}

/// A deployment without what moves all the time; none of a text that can't be read, which is never the same.
fn still(body: &str) -> Option<Value> {
    let mut deployment: Value = serde_json::from_str(body).ok()?;
    let members = deployment.as_object_mut()?;
    for restless in RESTLESS {
        members.remove(*restless);
    }
    if let Some(lease) = members.get_mut("lease").and_then(Value::as_object_mut) {
        lease.remove("expires_at");
    }
    Some(deployment)
}
