//! What deployments left behind: outputs and provisioned resources, the same way for every kind of target.

use hadron_model::{Output, ProvisionedResource, ProvisionedResourceEngine};

use crate::control_plane::deployments::{Deployments, sealed};
use crate::control_plane::records::{Deployment, StateKey};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// The outputs of a deployment of the target, or of the last one that succeeded; sealed ones show as `***`.
///
/// # Errors
/// `ResourceNotFoundException` for a target that isn't there or a deployment that isn't its own.
pub(crate) fn outputs_of(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    target: &Target,
    deployment_id: Option<&str>,
) -> Result<Vec<Output>, ProtonError> {
    let record = engine.load(tx, target)?;
    let Some(id) = deployment_id else { return Ok(sealed::listed(&record.progress().outputs)) };
    let own = |found: &Deployment| found.target == *target;
    let found = tx.get::<Deployment>(&engine.scope, id)?.filter(|found| own(found));
    let found = found.ok_or_else(|| ProtonError::not_found(format!("{target} has no deployment {id}")))?;
    Ok(sealed::listed(&found.outputs))
}

/// What was provisioned for a target: once anything ran, its Terraform state, under the name of the target, with the key
/// that the state has in an S3 bucket. The single resources inside are Terraform's to list.
///
/// # Errors
/// `ResourceNotFoundException` for a target that isn't there.
pub(crate) fn provisioned_by(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    target: &Target,
) -> Result<Vec<ProvisionedResource>, ProtonError> {
    let record = engine.load(tx, target)?;
    if engine.last_run(tx, target, record.created_at())?.is_none() {
        return Ok(Vec::new());
    }
    let keys = tx.by_term::<StateKey>(&engine.scope, "target", &target.arn(&engine.scope))?;
    let state = |key: StateKey| ProvisionedResource {
        // Proton's shape has room for 200 characters, an S3 key may have more.
        identifier: Some(key.state_key.chars().take(200).collect()),
        name: Some(target.resource()),
        provisioning_engine: Some(ProvisionedResourceEngine::Terraform),
    };
    Ok(keys.into_iter().map(|key| state(key.value)).collect())
}
