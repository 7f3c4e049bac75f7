//! UpdateEnvironment.

use hadron_model::{DeploymentUpdateType, UpdateEnvironmentInput, UpdateEnvironmentOutput};

use super::plan::Plan;
use super::{get::by_name, provisioning, view};
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::deployment::next_version;
use crate::control_plane::operations::{environment_account_connection, repository_branch};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Action, Environment, TemplateKind};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Target;

/// Changes what is said about an environment, and deploys it unless the deployment type is NONE. Without a spec the
/// current one is deployed again.
pub(crate) async fn update_environment(
    plane: &Plane,
    call: &mut Call,
    input: UpdateEnvironmentInput,
) -> Result<UpdateEnvironmentOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let environment = plane
        .store
        .write(move |tx| {
            let environment = by_name(tx, &engine.scope, &input.name)?;
            let target = Target::Environment { name: input.name.clone() };
            engine.must_be_idle(tx, &TargetRecord::Environment(environment.clone()), &target)?;
            update(tx, &engine, environment, &input)?;
            let updated = by_name(tx, &engine.scope, &input.name)?;
            Ok::<_, ProtonError>(view::full(tx, &engine.scope, &updated)?)
        })
        .await?;
    plane.work.ring();
    Ok(UpdateEnvironmentOutput { environment })
}

fn update(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    mut environment: Stored<Environment>,
    input: &UpdateEnvironmentInput,
) -> Result<(), ProtonError> {
    describe(engine, &mut environment, input)?;
    if let Some(id) = &input.environment_account_connection_id {
        must_keep_the_account(tx, engine, &environment, id)?;
    }
    if input.deployment_type == DeploymentUpdateType::None {
        let deploys =
            input.spec.is_some() || input.template_major_version.is_some() || input.template_minor_version.is_some();
        if deploys {
            return Err(ProtonError::validation(
                "deployment type NONE deploys nothing, so neither a spec nor a template version can be given",
            ));
        }
        return Ok(tx.save(&engine.scope, &mut environment)?);
    }
    let given = (input.template_major_version.as_deref(), input.template_minor_version.as_deref());
    let (kind, current) = (TemplateKind::Environment, &environment.template);
    let version = next_version(tx, &engine.scope, kind, current, input.deployment_type, given)?;
    let spec = input.spec.clone().unwrap_or_else(|| environment.spec.clone());
    let plan = Plan::of(tx, engine, &version, &spec)?;
    tx.save(&engine.scope, &mut environment)?;
    plan.begin(tx, engine, &input.name, Action::Update, (&version, &spec))
}

/// A connection can be replaced by another one from the same account: the infrastructure lies there.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_UpdateEnvironment.html>
fn must_keep_the_account(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    environment: &Environment,
    id: &str,
) -> Result<(), ProtonError> {
    let connection = environment_account_connection::usable(tx, &engine.scope, id, &environment.name)?;
    if environment.environment_account_id.as_ref() == Some(&connection.environment_account) {
        return Ok(());
    }
    Err(ProtonError::validation(format!(
        "environment account connection {id} is of account {}, but environment {} lies in {}",
        connection.environment_account,
        environment.name,
        environment.environment_account_id.as_deref().unwrap_or_default()
    )))
}

/// Takes over what is said about the environment; it holds at once, whatever becomes of a deployment.
fn describe(
    engine: &Deployments,
    environment: &mut Environment,
    input: &UpdateEnvironmentInput,
) -> Result<(), ProtonError> {
    let replace = |old: &mut Option<String>, new: &Option<String>| {
        if new.is_some() {
            old.clone_from(new);
        }
    };
    replace(&mut environment.description, &input.description);
    replace(&mut environment.proton_service_role_arn, &input.proton_service_role_arn);
    replace(&mut environment.codebuild_role_arn, &input.codebuild_role_arn);
    replace(&mut environment.component_role_arn, &input.component_role_arn);
    if input.environment_account_connection_id.is_some() && environment.environment_account_connection_id.is_none() {
        return Err(ProtonError::validation(
            "environmentAccountConnectionId can only replace another one, and the environment has none",
        ));
    }
    replace(&mut environment.environment_account_connection_id, &input.environment_account_connection_id);
    if let Some(given) = input.provisioning_repository.clone() {
        let given = repository_branch(&engine.scope, &given);
        if environment.provisioning_repository.as_ref().is_some_and(|known| *known != given) {
            return Err(ProtonError::validation("an environment can't move to another provisioningRepository"));
        }
        environment.provisioning_repository = Some(given);
    }
    provisioning::one_mode(environment)
}
