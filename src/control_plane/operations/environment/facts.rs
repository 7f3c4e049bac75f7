//! What services and components may know of their environment.

use hadron_model::DeploymentStatus;

use crate::control_plane::deployments::sealed;
use crate::control_plane::records::Environment;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{EnvironmentFacts, Scope};

/// An environment as its children see it: the outputs of its last deployment that succeeded, sealed ones as `***`. Their
/// ciphertexts are [`sealed::sealed_at`] of `environment.progress.outputs`.
pub(crate) fn facts(scope: &Scope, environment: &Environment) -> EnvironmentFacts {
    EnvironmentFacts {
        name: environment.name.clone(),
        account_id: environment.environment_account_id.clone().unwrap_or_else(|| scope.account.clone()),
        outputs: sealed::shown(&environment.progress.outputs),
    }
}

/// An environment that something can be deployed to.
///
/// # Errors
/// `ResourceNotFoundException`, or `ConflictException` while it is being deleted or before its first deployment has
/// succeeded: until then it has no outputs.
pub(crate) fn ready(tx: &mut dyn Transaction, scope: &Scope, name: &str) -> Result<Stored<Environment>, ProtonError> {
    let found = tx.get::<Environment>(scope, name)?;
    let environment = found.ok_or_else(|| ProtonError::not_found(format!("environment {name} doesn't exist")))?;
    let progress = &environment.progress;
    if progress.status == DeploymentStatus::DeleteInProgress {
        return Err(ProtonError::conflict(format!("environment {name} is being deleted")));
    }
    if progress.last_succeeded_at.is_none() {
        let message = format!(
            "environment {name} is {}: nothing can be deployed to it before its own deployment has succeeded",
            progress.status
        );
        return Err(ProtonError::conflict(message));
    }
    Ok(environment)
}
