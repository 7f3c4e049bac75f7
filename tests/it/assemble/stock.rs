//! A stock Proton: the real control plane behind a door at which everything ends that is Hadron's own.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hadron::support::Clock;
use serde_json::Value;

use crate::far_end;
use crate::wire::bench::{ADMIN, Bench, Raw, Signer};

/// Opens the door and says where it is.
pub(super) async fn door(bench: &Arc<Bench>) -> String {
    far_end::serve(Router::new().fallback(pass).with_state(Arc::clone(bench))).await
}

/// Takes a request's words and none of its headers, so that it has to be signed anew, and of the answer takes away
/// headers and tags.
async fn pass(State(bench): State<Arc<Bench>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.trim_start_matches("AwsProton20200720.");
    let request = Raw::proton(&bench, operation, std::str::from_utf8(&body).unwrap());
    let answer = request.signed(Signer { at: Clock::system().now(), ..ADMIN }).send(&bench).await;
    let mut body = answer.json();
    if let Some(Value::Array(tags)) = body.get_mut("tags").filter(|_| operation == "ListTagsForResource") {
        tags.retain(|tag| !tag["key"].as_str().unwrap().starts_with("hadron:"));
    }
    let status = StatusCode::from_u16(answer.status).unwrap();
    (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
}
