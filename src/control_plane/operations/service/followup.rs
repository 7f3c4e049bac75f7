//! What a service does next when one of its deployments has ended: the pipeline waits for the instances, the service's
//! own status for both.

use crate::control_plane::deployments::Deployments;
use crate::control_plane::records::Deployment;
use crate::control_plane::store::Transaction;
use crate::control_plane::wire::ProtonError;

/// Called in the transaction that ended an instance's deployment, after the instance took over its outcome (or is gone,
/// at DELETE_COMPLETE). What it begins through the engine becomes work once that transaction commits.
///
/// # Errors
/// An error rolls back the end of the deployment as well; a follow-up that can't begin is therefore written into the
/// service's status instead.
pub(crate) fn after_instance_finished(
    _engine: &Deployments,
    _tx: &mut dyn Transaction,
    _deployment: &Deployment,
) -> Result<(), ProtonError> {
    Ok(())
}

/// Called in the transaction that ended a pipeline's deployment, after the pipeline took over its outcome.
///
/// # Errors
/// As for [`after_instance_finished`].
pub(crate) fn after_pipeline_finished(
    _engine: &Deployments,
    _tx: &mut dyn Transaction,
    _deployment: &Deployment,
) -> Result<(), ProtonError> {
    Ok(())
}
