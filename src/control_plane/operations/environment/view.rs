//! An environment in Proton's words.

use hadron_model as model;
use hadron_model::{Provisioning, Timestamp};

use crate::control_plane::records::{Environment, Template, TemplateKind};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// Whether its template has no code, as the API tells it.
fn provisioning(
    tx: &mut dyn Transaction,
    scope: &Scope,
    environment: &Environment,
) -> Result<Option<Provisioning>, StoreError> {
    let template = Template::key_of(TemplateKind::Environment, &environment.template.template);
    let customer_managed = tx.get::<Template>(scope, &template)?.is_some_and(|it| it.customer_managed);
    Ok(customer_managed.then_some(Provisioning::CustomerManaged))
}

/// The whole environment.
pub(super) fn full(
    tx: &mut dyn Transaction,
    scope: &Scope,
    it: &Environment,
) -> Result<model::Environment, StoreError> {
    let shown = summary(tx, scope, it)?;
    Ok(model::Environment {
        arn: shown.arn,
        codebuild_role_arn: it.codebuild_role_arn.clone(),
        component_role_arn: shown.component_role_arn,
        created_at: shown.created_at,
        deployment_status: shown.deployment_status,
        deployment_status_message: shown.deployment_status_message,
        description: shown.description,
        environment_account_connection_id: shown.environment_account_connection_id,
        environment_account_id: shown.environment_account_id,
        last_attempted_deployment_id: shown.last_attempted_deployment_id,
        last_deployment_attempted_at: shown.last_deployment_attempted_at,
        last_deployment_succeeded_at: shown.last_deployment_succeeded_at,
        last_succeeded_deployment_id: shown.last_succeeded_deployment_id,
        name: shown.name,
        proton_service_role_arn: shown.proton_service_role_arn,
        provisioning: shown.provisioning,
        provisioning_repository: it.provisioning_repository.clone(),
        spec: Some(it.spec.clone()),
        template_major_version: shown.template_major_version,
        template_minor_version: shown.template_minor_version,
        template_name: shown.template_name,
    })
}

/// What a list shows of an environment.
pub(super) fn summary(
    tx: &mut dyn Transaction,
    scope: &Scope,
    it: &Environment,
) -> Result<model::EnvironmentSummary, StoreError> {
    let progress = &it.progress;
    Ok(model::EnvironmentSummary {
        arn: scope.arn(format_args!("environment/{}", it.name)),
        component_role_arn: it.component_role_arn.clone(),
        created_at: Timestamp(it.created_at),
        deployment_status: progress.status,
        deployment_status_message: progress.message.clone(),
        description: it.description.clone(),
        environment_account_connection_id: it.environment_account_connection_id.clone(),
        environment_account_id: it.environment_account_id.clone(),
        last_attempted_deployment_id: progress.last_attempted_deployment_id.clone(),
        last_deployment_attempted_at: Timestamp(progress.last_attempted_at),
        last_deployment_succeeded_at: progress.last_succeeded_at.map(Timestamp),
        last_succeeded_deployment_id: progress.last_succeeded_deployment_id.clone(),
        name: it.name.clone(),
        proton_service_role_arn: it.proton_service_role_arn.clone(),
        provisioning: provisioning(tx, scope, it)?,
        template_major_version: it.template.version.major.to_string(),
        template_minor_version: it.template.version.minor.to_string(),
        template_name: it.template.template.clone(),
    })
}
