mod bindings;
mod roles;
mod sites;

use hadron_model::Action;
use hadron_model::hadron::Role;
use serde_json::{Value, json};

use crate::control_plane::records::TagSet;
use crate::control_plane::test_plane::TestPlane;
use crate::control_plane::wire::{Call, ProtonError};

/// A key of a role, bound to groups and environments.
pub(super) fn key(test: &TestPlane, role: Role, groups: &[&str], environments: &[&str]) -> Call {
    let mut call = test.call_of("AKIAKEY", &[]);
    call.caller.role = role;
    call.caller.groups = groups.iter().map(ToString::to_string).collect();
    call.caller.environments = environments.iter().map(ToString::to_string).collect();
    call
}

/// Whether a key may perform an operation: nothing, or the refusal.
pub(super) async fn asked(test: &TestPlane, call: &Call, operation: &str, input: Value) -> Option<String> {
    let action = Action::all().find(|action| action.name() == operation).unwrap();
    match test.plane.authority.permit(&test.plane, call, action, &input).await {
        Ok(()) => None,
        Err(ProtonError::AccessDenied(words)) => Some(words),
        Err(other) => panic!("{other}"),
    }
}

/// Gives a resource its owner.
pub(super) async fn owned(test: &TestPlane, resource: &str, owner: &str) {
    let tags = [("owner".to_owned(), owner.to_owned())].into();
    test.add(TagSet { arn: test.scope.arn(resource), tags, managed: [].into() }).await;
}

pub(super) fn owner_tag(owner: &str) -> Value {
    json!([{ "key": "owner", "value": owner }])
}
