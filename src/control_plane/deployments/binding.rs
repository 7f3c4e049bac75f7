//! Which environments a deployment reaches, for keys that are bound to some.

use std::collections::BTreeSet;

use crate::control_plane::records::{Deployment, ServiceInstance};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::{Scope, Target};

/// The environments of all of a service's instances: where its pipeline deploys to.
pub(crate) fn environments_of_service(
    tx: &mut dyn Transaction,
    scope: &Scope,
    service: &str,
) -> Result<BTreeSet<String>, StoreError> {
    let instances = tx.by_term::<ServiceInstance>(scope, "service", service)?;
    Ok(instances.into_iter().map(|instance| instance.value.environment).collect())
}

/// Whether a deployment lies within the environments that a key is bound to. A pipeline must do so with every instance
/// of its service, since it deploys them all; one without instances lies nowhere yet, and is for unbound keys.
pub(crate) fn within(
    tx: &mut dyn Transaction,
    scope: &Scope,
    bound_to: &[String],
    deployment: &Deployment,
) -> Result<bool, StoreError> {
    if bound_to.is_empty() {
        return Ok(true);
    }
    if let Target::ServicePipeline { service } = &deployment.target {
        let reached = environments_of_service(tx, scope, service)?;
        return Ok(!reached.is_empty() && reached.iter().all(|name| bound_to.contains(name)));
    }
    Ok(bound_to.contains(&deployment.environment))
}
