//! A connection in Proton's words.

use hadron_model as model;
use hadron_model::Timestamp;

use super::arn;
use crate::control_plane::records::EnvironmentAccountConnection;

/// The whole connection. Its role is required in answers but not in requests: one without a role shows an empty one.
pub(super) fn full(region: &str, it: &EnvironmentAccountConnection) -> model::EnvironmentAccountConnection {
    model::EnvironmentAccountConnection {
        arn: arn(it, region),
        codebuild_role_arn: it.codebuild_role_arn.clone(),
        component_role_arn: it.component_role_arn.clone(),
        environment_account_id: it.environment_account.clone(),
        environment_name: it.environment_name.clone(),
        id: it.id.clone(),
        last_modified_at: Timestamp(it.last_modified_at),
        management_account_id: it.management_account.clone(),
        requested_at: Timestamp(it.requested_at),
        role_arn: it.role_arn.clone().unwrap_or_default(),
        status: it.status,
    }
}

/// What a list shows of a connection.
pub(super) fn summary(region: &str, it: &EnvironmentAccountConnection) -> model::EnvironmentAccountConnectionSummary {
    let shown = full(region, it);
    model::EnvironmentAccountConnectionSummary {
        arn: shown.arn,
        component_role_arn: shown.component_role_arn,
        environment_account_id: shown.environment_account_id,
        environment_name: shown.environment_name,
        id: shown.id,
        last_modified_at: shown.last_modified_at,
        management_account_id: shown.management_account_id,
        requested_at: shown.requested_at,
        role_arn: shown.role_arn,
        status: shown.status,
    }
}
