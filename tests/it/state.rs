//! A state server for one target, as small as Terraform's http backend allows.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// What the server saw and holds.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) state: Option<Bytes>,
    pub(crate) lock: Option<Bytes>,
    pub(crate) locks: usize,
    pub(crate) authorizations: Vec<String>,
    pub(crate) refuse_writes: bool,
}

/// The server, on a port of its own until the test's runtime ends.
pub(crate) struct StateServer {
    pub(crate) address: String,
    kept: Arc<Mutex<Kept>>,
}

impl StateServer {
    pub(crate) async fn start() -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/state", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, kept }
    }

    pub(crate) fn kept<T>(&self, of: impl FnOnce(&mut Kept) -> T) -> T {
        of(&mut self.kept.lock().unwrap())
    }

    /// The addresses of the state's resources.
    pub(crate) fn resources(&self) -> Vec<String> {
        let state = self.kept(|kept| kept.state.clone()).expect("a state was written");
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        let name = |resource: &serde_json::Value| format!("{}.{}", resource["type"], resource["name"]).replace('"', "");
        state["resources"].as_array().unwrap().iter().map(name).collect()
    }
}

async fn answer(State(kept): State<Arc<Mutex<Kept>>>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let mut kept = kept.lock().unwrap();
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    kept.authorizations.extend(authorization);
    match method.as_str() {
        "GET" => kept.state.clone().map_or(StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response),
        "POST" if kept.refuse_writes => StatusCode::FORBIDDEN.into_response(),
        "POST" => {
            kept.state = Some(body);
            StatusCode::OK.into_response()
        }
        "LOCK" => {
            if let Some(holder) = &kept.lock {
                return (StatusCode::LOCKED, holder.clone()).into_response();
            }
            kept.lock = Some(body);
            kept.locks += 1;
            StatusCode::OK.into_response()
        }
        "UNLOCK" => {
            kept.lock = None;
            StatusCode::OK.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
