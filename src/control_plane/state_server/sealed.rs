//! A deployment's sealed inputs, opened for the run that consumes them.

use axum::body::Body;
use http::{HeaderValue, Response, header};
use serde_json::{Map, Value};

use super::StateError;
use super::caller::{self, Credential};
use crate::control_plane::Plane;
use crate::control_plane::seal::{output_at, output_context};

/// Answers a JSON object of values by JSON pointer into the deployment's inputs; only to the current claim.
pub(super) async fn get(
    plane: &Plane,
    credential: Credential,
    deployment: &str,
    url: String,
) -> Result<Response<Body>, StateError> {
    if credential.deployment != deployment {
        return Err(StateError::Unauthorized);
    }
    let now = plane.clock.now();
    let found = plane.store.read(move |tx| {
        let found = caller::deployment_anywhere(tx, &credential.deployment)?;
        let (scope, deployment) = found.ok_or(StateError::Unauthorized)?;
        let claim = caller::claim(tx, &deployment, &credential, &url, now)?;
        credential.current(Some(&claim))?;
        Ok::<_, StateError>((scope, deployment.sealed_inputs))
    });
    let (scope, sealed) = found.await?;
    let mut opened = Map::new();
    for (pointer, ciphertext) in sealed {
        let context = output_context(&scope, &output_at(&pointer));
        let value = plane.sealer.unseal(&ciphertext, &context).map_err(StateError::Sealed)?;
        opened.insert(pointer, Value::String(value));
    }
    let mut response = Response::new(Body::from(Value::Object(opened).to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
