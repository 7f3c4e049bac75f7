//! How an environment is provisioned: AWS's arguments are kept and echoed; Hadron's agent needs none of them.

use crate::control_plane::records::Environment;
use crate::control_plane::wire::ProtonError;

/// Refuses an environment that is provisioned in two ways at once: through a repository, through another account's
/// connection, or by roles in this account.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-works-prov-methods.html>
///
/// # Errors
/// `ValidationException` that names both.
pub(super) fn one_mode(environment: &Environment) -> Result<(), ProtonError> {
    let roles = match (&environment.proton_service_role_arn, &environment.codebuild_role_arn) {
        (Some(_), _) => Some("protonServiceRoleArn"),
        (None, Some(_)) => Some("codebuildRoleArn"),
        (None, None) => None,
    };
    let connection = environment.environment_account_connection_id.as_ref().map(|_| "environmentAccountConnectionId");
    let repository = environment.provisioning_repository.as_ref().map(|_| "provisioningRepository");
    let given: Vec<&str> = [roles, connection, repository].into_iter().flatten().collect();
    if given.len() <= 1 {
        return Ok(());
    }
    Err(ProtonError::validation(format!(
        "an environment is provisioned in one way only, but {} are given; give one of them, or none to have Hadron's \
         agent provision",
        given.join(" and ")
    )))
}
