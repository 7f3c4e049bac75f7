//! Terraform's http backend: one state and its lock per path.
//!
//! <https://developer.hashicorp.com/terraform/language/backend/http>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

#[derive(Debug, Default)]
pub(crate) struct States {
    pub(crate) kept: Mutex<BTreeMap<String, Bytes>>,
    pub(crate) locks: Mutex<BTreeMap<String, Bytes>>,
    /// Whoever holds this keeps every write waiting.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// How many writes shall be refused; Terraform doesn't repeat what is answered 400.
    pub(crate) refuse: Mutex<u32>,
    /// What is there after a write was refused, as if somebody else had written.
    pub(crate) meanwhile: Mutex<Option<Bytes>>,
    /// Answers who asks for a lock 503 while set.
    pub(crate) locks_away: Mutex<bool>,
    /// The targets that were blocked, and why.
    pub(crate) blocks: Mutex<Vec<serde_json::Value>>,
    /// The Basic credentials that came along, decoded by nobody.
    pub(crate) authorizations: Mutex<Vec<String>>,
}

impl States {
    fn refuses(&self) -> bool {
        let mut left = self.refuse.lock().unwrap();
        let refuses = *left > 0;
        *left = left.saturating_sub(1);
        refuses
    }
}

pub(crate) async fn start() -> (String, Arc<States>) {
    let states = Arc::new(States::default());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&states));
    (super::serve(router).await, states)
}

async fn answer(
    State(states): State<Arc<States>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(authorization) = headers.get("authorization") else { return StatusCode::UNAUTHORIZED.into_response() };
    states.authorizations.lock().unwrap().push(authorization.to_str().unwrap().to_owned());
    let path = uri.path().to_owned();
    match method.as_str() {
        "GET" => match states.kept.lock().unwrap().get(&path) {
            Some(state) => (StatusCode::OK, state.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        "POST" if path.starts_with("/_hadron/blocks/") => {
            states.blocks.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            (StatusCode::OK, r#"{"commands":["hadron state push dev --parked"]}"#).into_response()
        }
        "POST" if states.refuses() => {
            if let Some(other) = states.meanwhile.lock().unwrap().take() {
                states.kept.lock().unwrap().insert(path, other);
            }
            StatusCode::BAD_REQUEST.into_response()
        }
        "POST" => {
            drop(states.writing.lock().await);
            states.kept.lock().unwrap().insert(path, body);
            StatusCode::OK.into_response()
        }
        "LOCK" if *states.locks_away.lock().unwrap() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "LOCK" => match states.locks.lock().unwrap().entry(path) {
            std::collections::btree_map::Entry::Occupied(held) => {
                (StatusCode::LOCKED, held.get().clone()).into_response()
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(body);
                StatusCode::OK.into_response()
            }
        },
        "UNLOCK" => {
            states.locks.lock().unwrap().remove(&path);
            StatusCode::OK.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
