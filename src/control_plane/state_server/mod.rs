//! Terraform's http backend: each target's state, its versions and its lock, kept in the record.
//!
//! The address is `/_hadron/state/<account>/<region>/<target>`, where the target is the resource part of its ARN in
//! percent encoding. A run identifies itself as `<deployment>.<epoch>` with the password of
//! [`state_password`](crate::support::credential::state_password).
//!
//! A fence must never lose state: what Terraform has done to the world is done, whoever's turn it is by now. So a lost
//! lease, a revoked key or a finished deployment only keeps a run from taking *new* locks; whoever holds the lock may
//! always write and release it. But the dead don't block the living: once such a run has been silent for a few leases, its
//! lock passes to the current claim. And since Terraform repeats a request whose answer was lost, a repeat is no error.
//!
//! Beside it, under `/_hadron/blocks/`, a run says that it can't settle a state: see [`blocks`].
//!
//! <https://developer.hashicorp.com/terraform/language/backend/http>

mod address;
mod addresses;
mod block;
mod blocks;
mod caller;
mod dead;
mod error;
mod lock;
mod origin;
mod restored;
mod sealed;
mod upload;
mod versions;
mod ways_out;

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

pub use self::address::{sealed_url, state_url};
pub use self::block::block;
pub(crate) use self::block::lift;
pub(crate) use self::dead::{dies_at, release_dead};
pub use self::error::StateError;
pub use self::lock::release;
pub use self::restored::{RestoredState, Verdict, prove};
pub(crate) use self::ways_out::ways_out;

use self::address::Address;
use self::caller::Credential;
use self::upload::Upload;
use super::{Plane, audit};

/// No state of a sane size is refused; a runaway upload doesn't take all memory.
const LARGEST_STATE: usize = 1 << 29;
/// How many leases long a run that is over must have been silent before its lock passes on: with the usual lease four
/// minutes, which is less than an agent's Terraform waits for a lock, and more than a restart of an agent takes.
const PATIENCE: u32 = 4;

/// The same in milliseconds, of a plane whose claims hold for `lease`.
fn patience(lease: Duration) -> i64 {
    i64::try_from((lease * PATIENCE).as_millis()).unwrap_or(i64::MAX / 2)
}

/// A lock's description is a few hundred bytes.
const LARGEST_LOCK: usize = 1 << 16;

/// What is read of anybody. Whoever sends more has to be known first: else anybody could fill the memory.
const OF_ANYBODY: u64 = LARGEST_LOCK as u64;

/// Answers a request below `/_hadron/state/`, `/_hadron/blocks/` or `/_hadron/sealed/`.
pub async fn handle(plane: &Plane, request: Request<Body>) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (parts, body) = request.into_parts();
    let origin = origin::of(&parts, &plane.settings.base_url);
    match route(&plane.on_behalf(&origin), Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(error) => {
            error.log(&method, &path);
            if let StateError::Unauthorized = error {
                audit::unproved(plane, origin, &error.to_string()).await;
            }
            error.into_response()
        }
    }
}

async fn route(plane: &Plane, request: Request<Body>) -> Result<Response<Body>, StateError> {
    let credential = Credential::of(request.headers())?;
    let base_url = &plane.settings.base_url;
    if let Some(deployment) = address::sealed(request.uri().path()) {
        return match *request.method() {
            Method::GET => sealed::get(plane, credential, deployment, sealed_url(base_url, deployment)).await,
            _ => Err(StateError::Method),
        };
    }
    if let Some(address) = Address::of_blocks(request.uri().path(), base_url) {
        return blocks::handle(plane, address, credential, request).await;
    }
    let address = Address::of(request.uri().path(), base_url).ok_or(StateError::NoSuchAddress)?;
    match request.method().as_str() {
        "GET" => get(plane, address, credential).await,
        "POST" => post(plane, address, credential, request).await,
        "DELETE" => delete(plane, address, credential, request).await,
        "LOCK" => lock(plane, address, credential, request).await,
        "UNLOCK" => unlock(plane, address, credential, request).await,
        _ => Err(StateError::Method),
    }
}

async fn get(plane: &Plane, address: Address, credential: Credential) -> Result<Response<Body>, StateError> {
    let now = plane.clock.now();
    let state = plane.store.read(move |tx| {
        caller::identify(tx, &address, &credential, now)?.may_read()?;
        versions::current(tx, &address)
    });
    let Some(state) = state.await? else { return Ok(status(StatusCode::NO_CONTENT)) };
    // Terraform compares the digest, so that a download that breaks off is no state.
    let digest = HeaderValue::from_str(&upload::md5(&state)).expect("base64 is ASCII");
    let mut response = Response::new(Body::from(state));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("content-md5", digest);
    Ok(response)
}

async fn post(
    plane: &Plane,
    address: Address,
    credential: Credential,
    request: Request<Body>,
) -> Result<Response<Body>, StateError> {
    let (lock_id, digest) = (lock_id(&request), request.headers().get("content-md5").cloned());
    if is_large(&request) {
        let (address, credential, now) = (address.clone(), credential.clone(), plane.clock.now());
        plane.store.read(move |tx| caller::identify(tx, &address, &credential, now).map(drop)).await?;
    }
    let bytes = body(request, LARGEST_STATE).await?;
    let checked = tokio::task::spawn_blocking(move || Upload::check(bytes, digest.as_ref()));
    let upload = checked.await.map_err(|_| StateError::Interrupted)??;
    let now = plane.clock.now();
    let written = plane.store.write(move |tx| {
        let caller = caller::identify(tx, &address, &credential, now)?;
        caller.may_write(lock_id.as_deref())?;
        caller.may_write_blocked(&address)?;
        versions::write(tx, &address, &caller, &upload, now)
    });
    written.await?;
    Ok(status(StatusCode::OK))
}

async fn delete(
    plane: &Plane,
    address: Address,
    credential: Credential,
    request: Request<Body>,
) -> Result<Response<Body>, StateError> {
    let (lock_id, now) = (lock_id(&request), plane.clock.now());
    let deleted = plane.store.write(move |tx| {
        let caller = caller::identify(tx, &address, &credential, now)?;
        caller.may_write(lock_id.as_deref())?;
        caller.may_write_blocked(&address)?;
        versions::delete(tx, &address, &caller, now)
    });
    deleted.await?;
    Ok(status(StatusCode::OK))
}

async fn lock(
    plane: &Plane,
    address: Address,
    credential: Credential,
    request: Request<Body>,
) -> Result<Response<Body>, StateError> {
    let info = lock::Info::parse(&body(request, LARGEST_LOCK).await?)?.ok_or(StateError::NoLockId)?;
    let now = plane.clock.now();
    let patience = patience(plane.settings.lease);
    let locked = plane.store.write(move |tx| {
        let caller = caller::identify(tx, &address, &credential, now)?;
        caller.must_be_unblocked(&address)?;
        lock::take(tx, &address, &caller, &info, now, patience)
    });
    locked.await?;
    Ok(status(StatusCode::OK))
}

async fn unlock(
    plane: &Plane,
    address: Address,
    credential: Credential,
    request: Request<Body>,
) -> Result<Response<Body>, StateError> {
    let info = lock::Info::parse(&body(request, LARGEST_LOCK).await?)?;
    let now = plane.clock.now();
    let unlocked = plane.store.write(move |tx| {
        let caller = caller::identify(tx, &address, &credential, now)?;
        lock::give_back(tx, &address, &caller, info.as_ref())
    });
    unlocked.await?;
    Ok(status(StatusCode::OK))
}

/// Whether a body is more than is read of anybody, or may be.
fn is_large(request: &Request<Body>) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.is_none_or(|length: u64| length > OF_ANYBODY)
}

/// A body that breaks off is the client's to send again.
async fn body(request: Request<Body>, limit: usize) -> Result<Bytes, StateError> {
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(StateError::TooLarge { limit }),
        Err(_) => Err(StateError::Torn),
    }
}

/// Terraform names the lock it writes under in the query.
fn lock_id(request: &Request<Body>) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ID").map(|(_, value)| value.into_owned())
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
