//! Every operation of the model is there, and a short way to ask one in its own JSON.

use hadron_model::{Kind, Operation, Shape, check, dispatch};
use serde_json::{Map, Value, json};

use crate::control_plane::test_plane::TestPlane;
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// What the model's strings without a fixed set of values take, one or the other.
const TEXTS: [&str; 6] = [
    "a1",
    "1",
    "1.0",
    "6fa459ea-ee8a-4ca4-894e-db77e160355e",
    "arn:aws:proton:us-east-1:123456789012:service/a1",
    "123456789012",
];

/// Asks for something in the account of the test plane; errors by their name.
pub(crate) async fn ask(test: &TestPlane, operation: Operation, input: Value) -> Result<Value, &'static str> {
    ask_as(test, &test.scope.account, operation, input).await
}

/// The same as another account, in the same region.
pub(crate) async fn ask_as(
    test: &TestPlane,
    account: &str,
    operation: Operation,
    input: Value,
) -> Result<Value, &'static str> {
    let mut call = test.call();
    call.scope = Scope::new(account, &test.scope.region);
    ask_in(test, &mut call, operation, input).await
}

async fn ask_in(test: &TestPlane, call: &mut Call, operation: Operation, input: Value) -> Result<Value, &'static str> {
    check(operation.input(), &input).unwrap();
    match dispatch(&test.plane, call, operation, input).await {
        Ok(output) => Ok(serde_json::from_slice(&output).unwrap()),
        Err(ProtonError::Validation(_)) => Err("Validation"),
        Err(ProtonError::Conflict(_)) => Err("Conflict"),
        Err(ProtonError::ResourceNotFound(_)) => Err("NotFound"),
        Err(ProtonError::ServiceQuotaExceeded(_)) => Err("Quota"),
        Err(ProtonError::AccessDenied(_)) => Err("Denied"),
        Err(ProtonError::UnknownOperation(_)) => Err("Unknown"),
        Err(other) => panic!("{}: {other:?}", operation.name()),
    }
}

/// The least that a shape takes: required members, the shortest list, one member of a union.
fn least(shape: &Shape) -> Value {
    match &shape.kind {
        Kind::Structure { members, union } => {
            let needed = members.iter().enumerate().filter(|(at, it)| it.required || (*union && *at == 0));
            Value::Object(needed.map(|(_, it)| (it.name.to_owned(), least(it.shape))).collect::<Map<_, _>>())
        }
        Kind::List { of, min, .. } => (0..min.unwrap_or(0)).map(|_| least(of)).collect(),
        Kind::String { values, .. } if !values.is_empty() => json!(values[0]),
        Kind::String { .. } => {
            let fits = TEXTS.iter().chain(&["acme/shop", "arn:aws:iam::123456789012:role/a1"]);
            let fits = fits.map(|text| json!(text)).find(|text| check(shape, text).is_ok());
            fits.unwrap_or_else(|| panic!("no example fits {}", shape.name))
        }
        Kind::Integer { min, .. } => json!(min.unwrap_or(0)),
        Kind::Boolean => json!(false),
        Kind::Timestamp => json!(0),
    }
}

#[tokio::test]
async fn every_operation_of_the_model_is_implemented() {
    let test = TestPlane::new().await;
    let mut missing = Vec::new();
    for operation in Operation::ALL {
        if ask(&test, *operation, least(operation.input())).await == Err("Unknown") {
            missing.push(operation.name());
        }
    }
    assert_eq!(missing, Vec::<&str>::new());
    assert_eq!(Operation::ALL.len(), 87);
}

#[tokio::test]
async fn reads_of_an_empty_account_find_nothing_and_fail_for_no_other_reason() {
    let test = TestPlane::new().await;
    for operation in Operation::ALL.iter().filter(|it| it.reads()) {
        let answer = ask(&test, *operation, least(operation.input())).await;
        let undeclared = *operation == Operation::ListRepositorySyncDefinitions;
        let right = match answer {
            Ok(_) => true,
            Err("NotFound") => operation.errors().contains(&"ResourceNotFoundException"),
            Err(_) => undeclared,
        };
        assert!(right, "{}", operation.name());
    }
}
