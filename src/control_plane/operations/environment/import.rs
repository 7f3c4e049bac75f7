//! Environments that Proton had deployed.

use hadron_model::hadron::ImportedEnvironment;

use super::create::tag;
use super::plan::Plan;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::deployment::{given_outputs, imported_version};
use crate::control_plane::records::{Action, Environment, Executor, Progress, TemplateKind};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;

/// Puts an environment into the record as it stood, with the deployment that brought it there; nothing is deployed.
///
/// # Errors
/// `ResourceNotFoundException` for a template version that isn't here; `ValidationException` for a spec that doesn't fit it.
pub(crate) fn import_environment(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    (name, deployment_id): (&str, &str),
    given: &ImportedEnvironment,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let arn = arn_of_new(scope, format_args!("environment/{name}"))?;
    let version = imported_version(tx, scope, TemplateKind::Environment, &given.version)?;
    let plan = Plan::of(tx, engine, &version, &given.spec)?;
    let environment = Environment {
        name: name.to_owned(),
        created_at: engine.now,
        description: given.description.clone(),
        template: version.reference(),
        spec: given.spec.clone(),
        progress: Progress::starting(engine.now),
        proton_service_role_arn: None,
        codebuild_role_arn: None,
        component_role_arn: None,
        environment_account_connection_id: None,
        environment_account_id: Some(given.account_id.clone().unwrap_or_else(|| scope.account.clone())),
        provisioning_repository: None,
        executor: Executor::default(),
        requests: None,
    };
    tx.add(scope, &environment)?;
    tag(tx, scope, (&arn, &version.template), None)?;
    let deployment = plan.deployment(engine, name, Action::Create, (&version, &given.spec))?;
    engine.record_finished(tx, deployment, deployment_id, given_outputs(given.outputs.as_deref()))
}
