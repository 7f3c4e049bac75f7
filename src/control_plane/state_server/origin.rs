//! Who asks, for the audit log: the run that a request says it comes from. What changes has passed its password's check.

use http::request::Parts;

use super::address::Address;
use super::caller::Credential;
use crate::control_plane::audit::Origin;
use crate::domain::Scope;

/// The run, the target and what is done to its state.
pub(super) fn of(parts: &Parts, base_url: &str) -> Origin {
    let run = Credential::of(&parts.headers).map(|it| format!("{}.{}", it.deployment, it.epoch)).unwrap_or_default();
    let action = match parts.method.as_str() {
        "GET" => "GetState",
        "POST" => "PutState",
        "DELETE" => "DeleteState",
        "LOCK" => "LockState",
        "UNLOCK" => "UnlockState",
        _ => "State",
    };
    let path = parts.uri.path();
    if let Some(address) = Address::of_blocks(path, base_url) {
        return Origin::of_run(&run, parts, "BlockState", (&address.scope, &address.arn));
    }
    match Address::of(path, base_url) {
        Some(address) => Origin::of_run(&run, parts, action, (&address.scope, &address.arn)),
        None => Origin::of_run(&run, parts, action, (&Scope::new("", ""), "")),
    }
}
