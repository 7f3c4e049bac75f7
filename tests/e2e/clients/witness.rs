//! Every answer on its way to a client, held against the model.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use hadron_model::{Action, Kind, Refusal, Shape, check};
use http::{Response, StatusCode};
use serde_json::Value;

use crate::proxy::{Asked, Middle};

/// Which operations were answered well, and what was wrong with any answer.
#[derive(Debug, Default)]
pub(super) struct Witness {
    answered: Mutex<BTreeSet<&'static str>>,
    wrong: Mutex<Vec<String>>,
}

impl Witness {
    /// The operations of Proton's API that succeeded at least once.
    pub(super) fn answered(&self) -> BTreeSet<&'static str> {
        self.answered.lock().unwrap().clone()
    }

    /// Fails the test if any answer was not as the model says.
    pub(super) fn is_content(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} answers break the model:\n{}", wrong.len(), wrong.join("\n"));
    }
}

impl Middle for Witness {
    fn answer(&self, asked: &Asked, answer: &mut Response<Bytes>) -> bool {
        let Some(action) = asked.target.as_deref().and_then(Action::targeted) else { return true };
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let problems = if answer.status() == StatusCode::OK {
            self.answered.lock().unwrap().insert(action.name());
            output_problems(action.output(), &body)
        } else {
            error_problems(action, answer.status(), &body)
        };
        let told = problems.into_iter().map(|problem| format!("{}: {problem}: {body}", action.name()));
        self.wrong.lock().unwrap().extend(told);
        true
    }
}

/// What the model says against an output: wrong types, missing members, unknown enum values, members that don't exist.
fn output_problems(shape: &'static Shape, body: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    match check(shape, body) {
        Ok(()) => {}
        Err(Refusal::Serialization(problem)) => problems.push(problem),
        Err(Refusal::Validation(breaches)) => {
            let breaches = breaches.split_once(": ").map_or("", |(_, breaches)| breaches);
            // Called required by the model, and left out by Proton until there is one; and a pipeline's deployment, which
            // lies in no environment.
            let known = |breach: &str| {
                let empty = breach.starts_with("Value '' at '") && breach.contains("environmentName' failed");
                empty || breach.contains("lastDeploymentSucceededAt' failed")
            };
            problems.extend(breaches.split("; ").filter(|breach| !known(breach)).map(str::to_owned));
        }
    }
    strangers(shape, body, &mut problems);
    problems
}

fn strangers(shape: &'static Shape, value: &Value, problems: &mut Vec<String>) {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(given)) => {
            for (name, value) in given {
                match members.iter().find(|member| member.name == name) {
                    Some(member) => strangers(member.shape, value, problems),
                    None => problems.push(format!("{} has no member {name}", shape.name)),
                }
            }
        }
        (Kind::List { of, .. }, Value::Array(items)) => items.iter().for_each(|item| strangers(of, item, problems)),
        _ => {}
    }
}

fn error_problems(action: Action, status: StatusCode, body: &Value) -> Vec<String> {
    let name = body["__type"].as_str().and_then(|name| name.rsplit('#').next()).unwrap_or_default();
    let mut problems = Vec::new();
    if !action.errors().contains(&name) {
        problems.push(format!("`{name}` is no error of this operation"));
    }
    if status != StatusCode::BAD_REQUEST {
        problems.push(format!("answered {status}"));
    }
    if body["message"].as_str().is_none_or(str::is_empty) {
        problems.push("an error without a message".into());
    }
    problems
}
