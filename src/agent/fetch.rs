//! The third step: the bundle as it was registered and the inputs as they were resolved, both proved by their digests;
//! or both [assembled](super::assemble) where Proton names neither.

use std::time::Duration;

use bytes::Bytes;
use hadron_model::DeploymentStatus;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::StepError;
use super::assemble::assemble;
use super::claim::Claimed;
use super::context::Context;
use super::heartbeat::Pulse;
use super::locks::TemplateLock;
use crate::objects::{ObjectUri, Objects, ObjectsError};
use crate::proton::{Action, Deployment};
use crate::terraform::Mode;

/// The largest archive that is read; what it may unpack to is the domain's quota.
pub(super) const LARGEST_BUNDLE: u64 = 64 << 20;

/// The largest document of inputs.
const LARGEST_INPUTS: u64 = 16 << 20;

/// What lies below a folder of this name is named by its SHA-256.
const BY_DIGEST: &str = "sha256/";

/// Who isn't offered deployments but looks for them may find one before everything it names lies in the bucket.
const PUBLISHING: Duration = Duration::from_secs(10);

/// Waits between tries to fetch: the first, doubling up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// So many leases' time is given to whoever is away, and this where there are no leases.
const PATIENCE_IN_LEASES: u32 = 4;
const PATIENCE: Duration = Duration::from_mins(2);

/// What a deployment needs, as it lies in the object store.
pub(super) struct Fetched {
    pub(super) deployment: Deployment,
    pub(super) mode: Mode,
    pub(super) bundle: Bytes,
    /// The tfvars document, sealed values filled in.
    pub(super) inputs: Value,
    /// The bucket that run records go to.
    pub(super) bucket: String,
    /// The provider lock of the bundle; none where there can't be one.
    pub(super) lock: Option<TemplateLock>,
}

/// Bundle and inputs, sealed values still masked.
pub(super) struct Material {
    pub(super) archive: Bytes,
    pub(super) inputs: Value,
    /// The bucket that run records go to.
    pub(super) bucket: String,
}

/// Fetches, again and again while only the store or Proton is away and the lease holds. Then it gives up with the cause:
/// nothing has been changed yet, and somebody who can mend it shall hear of it.
pub(super) async fn fetch_patiently(context: &Context, claimed: &Claimed, pulse: &Pulse) -> Result<Fetched, StepError> {
    let patience = claimed.lease.seconds.map_or(PATIENCE, |lease| Duration::from_secs(lease) * PATIENCE_IN_LEASES);
    let until = Instant::now() + patience;
    let mut wait = FIRST_WAIT;
    loop {
        let error = tokio::select! {
            fetched = Box::pin(fetch(context, claimed)) => match fetched {
                Err(error) if error.is_away() && Instant::now() + wait < until => error,
                fetched => return fetched,
            },
            // What hangs must not keep a cancelled deployment waiting.
            () = pulse.over() => return Err(pulse.may_begin().err().unwrap_or(StepError::LeaseLost)),
        };
        tracing::warn!(deployment.id = %claimed.candidate.id, %error, "the bundle can't be fetched; trying on");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = pulse.over() => pulse.may_begin()?,
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Reads deployment, bundle and inputs. What they are called the claim has told, or the tags tell; a stock endpoint sets
/// none, and there both are assembled.
async fn fetch(context: &Context, claimed: &Claimed) -> Result<Fetched, StepError> {
    let proton = &context.proton;
    let deployment = async { Ok(proton.deployment(&claimed.candidate.id).await?) };
    let sealed = async { Ok(proton.sealed_inputs(&claimed.lease).await?) };
    let work = match &claimed.lease.work {
        Some(told) => told.clone(),
        None => proton.work(&claimed.candidate.arn).await?,
    };
    let deletes = work.action == Some(Action::Delete) || claimed.status == DeploymentStatus::DeleteInProgress;
    let mode = if deletes { Mode::Destroy } else { Mode::Apply };
    let (deployment, (material, lock), sealed) = if let (Some(bundle), Some(inputs)) = (&work.bundle, &work.inputs) {
        tokio::try_join!(deployment, registered(context, claimed, bundle, inputs), sealed)?
    } else {
        let deployment = deployment.await?;
        let (assembled, sealed) = tokio::try_join!(assembled(context, claimed, &deployment, mode), sealed)?;
        (deployment, assembled, sealed)
    };
    let Material { archive, mut inputs, bucket } = material;
    for (pointer, value) in sealed {
        if let Some(place) = inputs.pointer_mut(&pointer) {
            *place = value;
        }
    }
    if claimed.lease.sealed.is_none() && holds_sealed(&inputs) {
        return Err(StepError::Sealed);
    }
    tracing::debug!(deployment.id = %claimed.candidate.id, bytes = archive.len(), "fetched the bundle");
    Ok(Fetched { deployment, mode, bundle: archive, inputs, bucket, lock })
}

/// What is put together here; its bundle has no name, so it is given one.
async fn assembled(
    context: &Context,
    claimed: &Claimed,
    deployment: &Deployment,
    mode: Mode,
) -> Result<(Material, Option<TemplateLock>), StepError> {
    let material = assemble(context, claimed, deployment, mode).await?;
    let objects = context.objects(&claimed.lease, &claimed.scope).await;
    let digest = hex::encode(Sha256::digest(&material.archive));
    let lock = TemplateLock::find(&objects, &material.bucket, &digest, &claimed.target).await?;
    Ok((material, lock))
}

/// What the tags name.
async fn registered(
    context: &Context,
    claimed: &Claimed,
    bundle: &str,
    inputs: &str,
) -> Result<(Material, Option<TemplateLock>), StepError> {
    let (bundle, inputs): (ObjectUri, ObjectUri) = (bundle.parse()?, inputs.parse()?);
    let objects = context.objects(&claimed.lease, &claimed.scope).await;
    let patience = if claimed.lease.is_fenced() { Duration::ZERO } else { PUBLISHING };
    let digest = bundle.key.rsplit('/').next().unwrap_or_default();
    let lock = async { Ok(TemplateLock::find(&objects, &bundle.bucket, digest, &claimed.target).await?) };
    let by_digest = bundle.key.contains(BY_DIGEST);
    let known = context.archives.get(digest).filter(|_| by_digest);
    let archive = async {
        match known {
            Some(archive) => Ok(archive),
            None => exact(&objects, &bundle, LARGEST_BUNDLE, patience).await,
        }
    };
    let (archive, document, lock) =
        tokio::try_join!(archive, exact(&objects, &inputs, LARGEST_INPUTS, patience), lock)?;
    if by_digest {
        context.archives.keep(digest, &archive);
    }
    let values = serde_json::from_slice(&document).map_err(|source| StepError::Inputs { uri: inputs, source })?;
    Ok((Material { archive, inputs: values, bucket: bundle.bucket }, lock))
}

/// Reads an object whose name ends in its SHA-256, and refuses any other content. One that isn't there is waited for.
async fn exact(objects: &Objects, uri: &ObjectUri, limit: u64, patience: Duration) -> Result<Bytes, StepError> {
    let until = Instant::now() + patience;
    let bytes = loop {
        match objects.get_limited(uri, limit).await {
            Err(ObjectsError::NotFound { .. }) if Instant::now() < until => tokio::time::sleep(patience / 40).await,
            read => break read?,
        }
    };
    let name = uri.key.rsplit('/').next().unwrap_or_default();
    let digest = name.split('.').next().unwrap_or_default();
    let found = hex::encode(Sha256::digest(&bytes));
    if uri.key.contains(BY_DIGEST) && digest != found {
        return Err(StepError::Altered { uri: uri.clone(), found });
    }
    Ok(bytes)
}

/// Whether an output of another deployment is still the mask that the API shows in a sealed one's place.
fn holds_sealed(inputs: &Value) -> bool {
    match inputs {
        Value::Object(members) => members.iter().any(|(name, value)| match value {
            Value::Object(outputs) if name == "outputs" => outputs.values().any(|value| value == "***"),
            value => holds_sealed(value),
        }),
        Value::Array(items) => items.iter().any(holds_sealed),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_masked_output_is_noticed_and_a_masked_input_is_the_authors_own() {
        assert!(holds_sealed(&json!({"environment": {"outputs": {"password": "***"}}})));
        assert!(holds_sealed(&json!({"service_instances": [{"outputs": {"a": "b", "c": "***"}}]})));
        assert!(!holds_sealed(&json!({"environment": {"inputs": {"stars": "***"}, "outputs": {"a": "b"}}})));
    }
}
