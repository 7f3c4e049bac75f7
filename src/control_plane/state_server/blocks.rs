//! `/_hadron/blocks/<account>/<region>/<target>`: a run says that it can't settle a state, and asks what operators have
//! decided. It identifies itself as for the state, with the same password.

use axum::body::{Body, Bytes};
use http::{HeaderValue, Method, Request, Response, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::address::Address;
use super::block::{Trouble, block_for_run};
use super::caller::{self, Credential};
use super::upload::Upload;
use super::ways_out::ways_out;
use super::{LARGEST_STATE, StateError, body, is_large};
use crate::control_plane::Plane;
use crate::control_plane::records::{BlockingRun, StateLock, Suspect, TargetRuns};
use crate::control_plane::store::{Transaction, Typed};

/// Longest reason, address, id and so on, in characters; the rest is cut off.
const LONGEST: usize = 2_000;

/// Most suspects that are kept; the reason says how many more there were.
const MOST: usize = 500;

#[derive(Deserialize)]
struct Posted {
    reason: String,
    #[serde(default)]
    suspects: Vec<Suspect>,
    #[serde(default)]
    state: Option<String>,
}

/// Answers a request below `/_hadron/blocks/`.
pub(super) async fn handle(
    plane: &Plane,
    address: Address,
    credential: Credential,
    request: Request<Body>,
) -> Result<Response<Body>, StateError> {
    match *request.method() {
        Method::GET => adoptions(plane, address, credential).await,
        Method::POST => {
            if is_large(&request) {
                let (address, credential, now) = (address.clone(), credential.clone(), plane.clock.now());
                plane.store.read(move |tx| caller::identify_run(tx, &address, &credential, now).map(drop)).await?;
            }
            block(plane, address, credential, body(request, LARGEST_STATE).await?).await
        }
        _ => Err(StateError::Method),
    }
}

/// Blocks the state, and answers with the commands that lift the block.
async fn block(
    plane: &Plane,
    address: Address,
    credential: Credential,
    bytes: Bytes,
) -> Result<Response<Body>, StateError> {
    let read = tokio::task::spawn_blocking(move || trouble(&bytes));
    let trouble = read.await.map_err(|_| StateError::Interrupted)??;
    let now = plane.clock.now();
    let blocked = plane.store.write(move |tx| {
        let (deployment, epoch, agent) = caller::identify_run(tx, &address, &credential, now)?;
        let by = BlockingRun { deployment, epoch, agent };
        let block = block_for_run(tx, &address, by, &trouble, now)?;
        Ok::<_, StateError>(ways_out(&address.arn, &block, block.serial.unwrap_or(0)))
    });
    Ok(answer(&json!({ "commands": blocked.await? })))
}

/// Reads what a run says. A state that is none isn't kept, and blocks nevertheless: that it is torn is part of the trouble.
fn trouble(bytes: &[u8]) -> Result<Trouble, StateError> {
    let Posted { mut reason, mut suspects, state } = serde_json::from_slice(bytes).map_err(StateError::NotBlock)?;
    reason = reason.chars().take(LONGEST).collect();
    let state = state.map(|text| Upload::check(Bytes::from(text), None)).and_then(|checked| {
        checked.map_err(|_| reason.push_str("; the state that came with it is none, and wasn't kept")).ok()
    });
    if suspects.len() > MOST {
        reason.push_str(&format!("; {} more resources are suspects too", suspects.len() - MOST));
        suspects.truncate(MOST);
    }
    for text in suspects.iter_mut().flat_map(|it| [Some(&mut it.address), it.id.as_mut(), Some(&mut it.why)]).flatten()
    {
        *text = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    }
    Ok(Trouble { reason, suspects, state })
}

/// What the claim was told to adopt, only to the current claim.
async fn adoptions(plane: &Plane, address: Address, credential: Credential) -> Result<Response<Body>, StateError> {
    let now = plane.clock.now();
    let found = plane.store.read(move |tx: &mut dyn Transaction| {
        caller::identify(tx, &address, &credential, now)?.must_be_current()?;
        let runs = tx.get::<TargetRuns>(&address.scope, &address.arn)?;
        let run = runs.as_ref().and_then(|runs| runs.run(&credential.deployment, credential.epoch));
        let told = run.map_or(0, |run| run.told_adoption);
        let adoptions = tx.get::<StateLock>(&address.scope, &address.arn)?.map(|lock| lock.value.adoptions);
        Ok::<_, StateError>(
            adoptions.unwrap_or_default().into_iter().filter(|it| it.number <= told).collect::<Vec<_>>(),
        )
    });
    let adopt = found.await?;
    let adopt: Vec<Value> =
        adopt.iter().map(|it| json!({ "address": it.address, "id": it.id, "asked": it.asked })).collect();
    Ok(answer(&json!({ "adopt": adopt })))
}

fn answer(body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
