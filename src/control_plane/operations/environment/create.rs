//! CreateEnvironment.

use hadron_model::{CreateEnvironmentInput, CreateEnvironmentOutput, Operation, Tag};

use super::plan::Plan;
use super::{get::by_name, provisioning, view};
use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::idempotency::Once;
use crate::control_plane::operations::tags::create_tags;
use crate::control_plane::operations::templates::resolve_version;
use crate::control_plane::operations::{environment_account_connection, repository_branch};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Action, Environment, Executor, ExecutorAhead, Progress, TemplateKind, VersionRef};
use crate::control_plane::store::{ALL, Document, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// The most environments of an account and region.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
const MOST: usize = 1000;

/// Creates an environment and begins its first deployment. The repeat of a request finds what the first one made.
pub(crate) async fn create_environment(
    plane: &Plane,
    call: &mut Call,
    input: CreateEnvironmentInput,
) -> Result<CreateEnvironmentOutput, ProtonError> {
    // The operation has no client token: AWS takes the name for one.
    let once = Once::new(Operation::CreateEnvironment, Some(&input.name), &input)?;
    let engine = Deployments::of(plane, call);
    let environment = plane
        .store
        .write(move |tx| {
            match tx.get::<Environment>(&engine.scope, &input.name)? {
                None => create(tx, &engine, &input, &once)?,
                Some(known) if once.earlier(tx, &engine.scope, engine.now)?.is_none() => {
                    return Err(ProtonError::conflict(format!("environment {} exists already", known.name)));
                }
                Some(known) => {
                    let target = Target::Environment { name: input.name.clone() };
                    engine.must_not_be_leaving(tx, &TargetRecord::Environment(known), &target)?;
                }
            }
            let created = by_name(tx, &engine.scope, &input.name)?;
            Ok(view::full(tx, &engine.scope, &created)?)
        })
        .await?;
    plane.work.ring();
    Ok(CreateEnvironmentOutput { environment })
}

fn create(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    input: &CreateEnvironmentInput,
    once: &Once,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let arn = arn_of_new(scope, format_args!("environment/{}", input.name))?;
    let (major, minor) = (Some(input.template_major_version.as_str()), input.template_minor_version.as_deref());
    let version = resolve_version(tx, scope, TemplateKind::Environment, &input.template_name, major, minor)?;
    let mut environment = drafted(engine, input, version.reference());
    provisioning::one_mode(&environment)?;
    if let Some(id) = &input.environment_account_connection_id {
        let connection = environment_account_connection::usable(tx, scope, id, &input.name)?;
        environment.environment_account_id = Some(connection.environment_account);
    }
    let plan = Plan::of(tx, engine, &version, &input.spec)?;
    if tx.count(scope, Environment::KIND, (ALL, ""), MOST)? >= MOST {
        return Err(ProtonError::quota(format!("there are {MOST} environments already")));
    }
    if let Some(ahead) = tx.get::<ExecutorAhead>(scope, &input.name)? {
        environment.executor = ahead.executor;
        environment.requests.clone_from(&ahead.requests);
        tx.delete(scope, &ahead)?;
    }
    tx.add(scope, &environment)?;
    tag(tx, scope, (&arn, &version.template), input.tags.as_deref())?;
    plan.begin(tx, engine, &input.name, Action::Create, (&version, &input.spec))?;
    once.remember(tx, scope, &input.name, engine.now)
}

/// Gives a new environment its tags.
pub(super) fn tag(
    tx: &mut dyn Transaction,
    scope: &Scope,
    (arn, template): (&str, &str),
    tags: Option<&[Tag]>,
) -> Result<(), ProtonError> {
    let template = scope.arn(format_args!("environment-template/{template}"));
    let managed = [
        ("aws:proton:account", scope.account.as_str()),
        ("aws:proton:template", &template),
        ("aws:proton:environment", arn),
    ];
    create_tags(tx, scope, arn, tags, &managed)
}

fn drafted(engine: &Deployments, input: &CreateEnvironmentInput, template: VersionRef) -> Environment {
    let repository = input.provisioning_repository.clone();
    Environment {
        name: input.name.clone(),
        created_at: engine.now,
        description: input.description.clone(),
        template,
        spec: input.spec.clone(),
        progress: Progress::starting(engine.now),
        proton_service_role_arn: input.proton_service_role_arn.clone(),
        codebuild_role_arn: input.codebuild_role_arn.clone(),
        component_role_arn: input.component_role_arn.clone(),
        environment_account_connection_id: input.environment_account_connection_id.clone(),
        environment_account_id: Some(engine.scope.account.clone()),
        provisioning_repository: repository.map(|given| repository_branch(&engine.scope, &given)),
        executor: Executor::default(),
        requests: None,
    }
}
