//! The values that the API shows as `***`, for the one run that consumes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::{Lease, Proton, ProtonError};
use crate::support::causes;
use crate::support::credential::basic;
use crate::support::https::HttpError;

impl Proton {
    /// Reads the sealed inputs of a claimed deployment, by JSON pointer into the inputs; empty when nothing is sealed.
    ///
    /// # Errors
    /// [`ProtonError`]; without them the run would provision the word `***`, so there is no way on.
    pub async fn sealed_inputs(&self, lease: &Lease) -> Result<BTreeMap<String, Value>, ProtonError> {
        let Some(url) = &lease.sealed else { return Ok(BTreeMap::new()) };
        let username = lease.username();
        let password = self.password(url, &username).await?;
        let request = Request::get(url.as_str()).header(AUTHORIZATION, basic(&username, &password)).body(Bytes::new());
        let request = request.map_err(|error| ProtonError::nonsense(format!("sealed URL: {error}")))?;
        let unreachable = |error: HttpError| ProtonError::Unreachable { cause: causes(&error) };
        let client = self.https().map_err(unreachable)?;
        let answer = client.send(request).await.map_err(unreachable)?;
        let (status, body) = (answer.status().as_u16(), answer.into_body());
        match status {
            200 => serde_json::from_slice(&body)
                .map_err(|error| ProtonError::nonsense(format!("sealed inputs are no JSON object: {error}"))),
            401 | 403 => Err(ProtonError::Denied { code: status.to_string(), message: "sealed inputs".into() }),
            409 | 423 => Err(ProtonError::Conflict { message: String::from_utf8_lossy(&body).into_owned() }),
            _ => Err(ProtonError::Busy { code: status.to_string(), message: "sealed inputs".into() }),
        }
    }
}
