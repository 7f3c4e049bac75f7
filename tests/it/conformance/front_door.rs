//! One case of each kind for every operation, signed and sent to a control plane.

use std::collections::BTreeSet;

use hadron_model::Action;

use super::cases::{self, Expected};
use crate::values::Values;
use crate::wire::bench::{ADMIN, Bench, Raw, Signer, Time};

#[tokio::test]
async fn refusals_reach_the_client_as_exceptions() {
    let bench = Bench::start(Time::Still).await;
    let mut values = Values::new();
    for action in Action::all() {
        let mut seen = BTreeSet::new();
        for case in cases::of(action, &mut values) {
            let (name, told) = match &case.expected {
                Expected::Passes => continue,
                Expected::Breach(told) => ("ValidationException", told),
                Expected::WrongType(place) => ("SerializationException", place),
            };
            if !seen.insert(case.rule) {
                continue;
            }
            let target = format!("{}.{}", action.target_prefix(), action.name());
            let signer = Signer { service: action.service(), ..ADMIN };
            let raw = Raw::proton(&bench, action.name(), &case.input.to_string()).set("x-amz-target", &target);
            let answer = raw.signed(signer).send(&bench).await;
            let json = answer.json();
            assert_eq!(answer.status, 400, "{target} {}", case.rule);
            assert!(json["__type"].as_str().unwrap().ends_with(name), "{target} {}: {json}", case.rule);
            assert!(json["message"].as_str().unwrap().contains(told), "{target} {}: {json}", case.rule);
        }
    }
}

#[tokio::test]
async fn what_keeps_every_constraint_reaches_its_operation() {
    let bench = Bench::start(Time::Still).await;
    let mut values = Values::new();
    for action in Action::all() {
        let good = cases::of(action, &mut values).remove(0);
        let target = format!("{}.{}", action.target_prefix(), action.name());
        let raw = Raw::proton(&bench, action.name(), &good.input.to_string()).set("x-amz-target", &target);
        let answer = raw.signed(Signer { service: action.service(), ..ADMIN }).send(&bench).await;
        // Nothing of what it names is there; all that matters is who says so.
        let told = answer.json().to_string();
        assert!(answer.status < 500, "{target}: {told}");
        for refusal in ["SerializationException", "UnknownOperationException", "validation error"] {
            assert!(!told.contains(refusal), "{target}: {told}");
        }
    }
}
