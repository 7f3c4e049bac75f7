//! Status changes: what events and history are made of.

use crate::control_plane::store::{StatusChange, StoreError, Transaction};
use crate::domain::Scope;

/// The status of a resource that is gone.
pub(crate) const DELETED: &str = "DELETED";

/// Appends a status change to a resource's history, in the transaction that changes the status. `detail` holds what an
/// event tells besides `status` and `previousStatus`: name, serviceName, majorVersion and the like.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/event-bridge.html>
pub(crate) fn append(
    tx: &mut dyn Transaction,
    scope: &Scope,
    arn: &str,
    previous: Option<&str>,
    status: &str,
    detail: &serde_json::Value,
    now: i64,
) -> Result<(), StoreError> {
    let change = StatusChange {
        arn: arn.to_owned(),
        sequence: 0,
        at: now,
        previous: previous.map(str::to_owned),
        status: status.to_owned(),
        detail: detail.to_string(),
    };
    tx.append_change(scope, &change).map(drop)
}
