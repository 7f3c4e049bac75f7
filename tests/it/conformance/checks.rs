//! Every case of every operation of both APIs against the check.

use std::collections::BTreeMap;

use hadron_model::{Action, Refusal, check};

use super::cases::{self, Case, Expected};
use crate::values::Values;

/// What is wrong with the answer to a case.
fn complaint(action: Action, case: &Case) -> Option<String> {
    let answer = check(action.input(), &case.input);
    let right = match (&case.expected, &answer) {
        (Expected::Passes, Ok(())) => true,
        (Expected::Breach(told), Err(Refusal::Validation(text))) => says(text, told),
        (Expected::WrongType(place), Err(Refusal::Serialization(text))) => {
            text.starts_with(&format!("{place} must be"))
        }
        _ => false,
    };
    let told = match &answer {
        Err(Refusal::Validation(text) | Refusal::Serialization(text)) => text.as_str(),
        Ok(()) => "",
    };
    let silent = case.secret.as_ref().is_none_or(|secret| !told.contains(secret));
    (!right || !silent)
        .then(|| format!("{} {}: {:.300?} instead of {:.300?}", action.name(), case.rule, answer, case.expected))
}

/// The breach is told, counted, and what else is told is of the same member: an empty name breaks its pattern too.
fn says(text: &str, told: &str) -> bool {
    let Some((head, breaches)) = text.split_once(" detected: ") else { return false };
    let place = told.split(" at '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    let count = breaches.matches(" failed to satisfy constraint: ").count();
    let same = breaches.matches(&format!(" at '{place}' failed to satisfy constraint: ")).count();
    let head_is_right =
        head == if count == 1 { "1 validation error".to_owned() } else { format!("{count} validation errors") };
    head_is_right && count == same && breaches.contains(told)
}

#[test]
fn every_constraint_of_every_member_is_kept_and_told() {
    let mut values = Values::new();
    let (mut complaints, mut counts) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for action in Action::all() {
        for case in cases::of(action, &mut values) {
            *counts.entry(case.rule).or_default() += 1;
            complaints.extend(complaint(action, &case));
        }
    }
    let shown = complaints.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{} of {counts:?} are wrong:\n{shown}", complaints.len());
    for rule in ["good", "required", "length", "pattern", "enum", "range", "size", "type", "unknown"] {
        assert!(counts.get(rule).is_some_and(|count| *count > 10), "hardly any case of {rule}: {counts:?}");
    }
}

#[test]
fn what_passes_the_check_can_be_read() {
    let mut values = Values::new();
    for operation in hadron_model::Operation::ALL {
        for case in cases::of(Action::Proton(*operation), &mut values) {
            if case.expected == Expected::Passes {
                readable(*operation, &case);
            }
        }
    }
}

/// A union is the one shape that is read by code of our own.
fn readable(operation: hadron_model::Operation, case: &Case) {
    use hadron_model::{
        CreateEnvironmentTemplateVersionInput as Environment, CreateServiceTemplateVersionInput as Service,
    };
    let read = match operation.name() {
        "CreateEnvironmentTemplateVersion" => serde_json::from_value::<Environment>(case.input.clone()).map(drop),
        "CreateServiceTemplateVersion" => serde_json::from_value::<Service>(case.input.clone()).map(drop),
        _ => return,
    };
    assert!(read.is_ok(), "{} {}: {read:?}", operation.name(), case.rule);
}
