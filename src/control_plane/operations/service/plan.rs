//! What an instance or a pipeline is deployed with: its spec checked against its template, and the outputs it is given.

use hadron_model::DeploymentStatus;
use serde_json::Value;

use crate::control_plane::deployments::{Begin, Deployments, Inputs, sealed};
use crate::control_plane::operations::deployment::{bundle_of, refusal, schema_of};
use crate::control_plane::operations::environment;
use crate::control_plane::records::{
    Action, BundleRef, CompatibleTemplate, Component, Deployment, Environment, Pipeline, Service, ServiceInstance,
    TargetState, Template, TemplateKind, TemplateVersion,
};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{self, PipelineInstance, Problems, ServiceFacts, ServiceSpec, Target};

/// How many instances a service may have.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
pub(crate) const MOST_INSTANCES: usize = 20;

/// Reads a service's spec.
///
/// # Errors
/// `ValidationException` with every problem.
pub(crate) fn parse_spec(text: &str) -> Result<ServiceSpec, ProtonError> {
    ServiceSpec::parse(text).map_err(refusal)
}

/// Checks the whole spec of a new service against the version it will be deployed with: every instance and the pipeline,
/// all problems at once.
///
/// # Errors
/// `ValidationException`.
pub(super) fn check_spec(spec: &ServiceSpec, version: &TemplateVersion) -> Result<(), ProtonError> {
    let schema = schema_of(version, !version.has_pipeline)?;
    let mut problems = Problems::default();
    for instance in &spec.instances {
        problems.note(spec.instance_inputs(&instance.name, &schema, None));
    }
    if version.has_pipeline {
        problems.note(spec.pipeline_inputs(&schema, None));
    }
    if !problems.is_empty() {
        return Err(refusal(problems));
    }
    if spec.pipeline.is_some() && !version.has_pipeline {
        return Err(ProtonError::validation(format!(
            "The spec has a pipeline, but service template {} version {} has none. Remove `pipeline` from the spec",
            version.template, version.version
        )));
    }
    Ok(())
}

/// Checks some instances of a spec against the version they will be deployed with, all problems at once. The others may
/// be of other versions.
///
/// # Errors
/// `ValidationException`.
pub(super) fn check_instances(
    spec: &ServiceSpec,
    names: &[String],
    version: &TemplateVersion,
) -> Result<(), ProtonError> {
    let schema = schema_of(version, !version.has_pipeline)?;
    let mut problems = Problems::default();
    for name in names {
        problems.note(spec.instance_inputs(name, &schema, None));
    }
    if problems.is_empty() { Ok(()) } else { Err(refusal(problems)) }
}

/// Begins a deployment of an instance that is in the record.
///
/// # Errors
/// A spec that doesn't fit, an environment that isn't there, isn't compatible, or has never been deployed.
pub(crate) fn begin_instance(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    instance: &ServiceInstance,
    version: &TemplateVersion,
    spec_text: &str,
    action: Action,
) -> Result<Stored<Deployment>, ProtonError> {
    let begin = instance_deployment(engine, tx, instance, version, spec_text, action)?;
    engine.begin(tx, begin)
}

/// What is deployed of an instance that is in the record.
///
/// # Errors
/// As [`begin_instance`].
pub(super) fn instance_deployment(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    instance: &ServiceInstance,
    version: &TemplateVersion,
    spec_text: &str,
    action: Action,
) -> Result<Begin, ProtonError> {
    let scope = &engine.scope;
    let service = service_of(engine, tx, &instance.service)?;
    let environment = deployable_environment(engine, tx, &instance.environment, version)?;
    let spec = parse_spec(spec_text)?;
    let resolved =
        spec.instance_inputs(&instance.name, &schema_of(version, !version.has_pipeline)?, None).map_err(refusal)?;
    let component = attached_component(engine, tx, instance)?;
    let outputs = component.as_ref().map(|it| (it.name.clone(), sealed::shown(&it.progress.outputs)));
    let template_arn = scope.arn(Template::key_of(TemplateKind::Service, &version.template));
    let document = domain::instance_inputs(
        scope,
        &environment::facts(scope, &environment),
        &service_facts(&service),
        &instance.name,
        resolved,
        outputs,
        &template_arn,
    );
    let mut hidden = sealed::sealed_at("/environment/outputs", &environment.progress.outputs);
    let component_outputs = component.as_ref().map(|it| it.progress.outputs.as_slice()).unwrap_or_default();
    hidden.extend(sealed::sealed_at("/service_instance/components/default/outputs", component_outputs));
    let pipeline = tx.get::<Pipeline>(scope, &service.name)?;
    let target_state = TargetState {
        template: Some(version.reference()),
        spec: Some(spec_text.to_owned()),
        environment_deployment_id: environment.progress.last_succeeded_deployment_id.clone(),
        pipeline_deployment_id: pipeline.and_then(|it| it.value.progress.last_succeeded_deployment_id),
        component_deployment_ids: component
            .and_then(|it| it.value.progress.last_succeeded_deployment_id)
            .into_iter()
            .collect(),
        ..TargetState::default()
    };
    let target = Target::ServiceInstance { service: service.name.clone(), name: instance.name.clone() };
    Ok(deployment(target, action, (target_state, bundle_of(version)?), (document, hidden)))
}

/// Refuses a change of a service that would reach its pipeline, or these instances, while they are quarantined. What a change
/// begins only later is refused at its beginning: by then nobody is there to hear of it.
///
/// # Errors
/// `ConflictException` with the command that lifts the quarantine.
pub(crate) fn refuse_quarantined<'n>(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &str,
    instances: impl IntoIterator<Item = &'n str>,
) -> Result<(), ProtonError> {
    engine.refuse_quarantined(tx, &Target::ServicePipeline { service: service.to_owned() })?;
    for name in instances {
        engine
            .refuse_quarantined(tx, &Target::ServiceInstance { service: service.to_owned(), name: name.to_owned() })?;
    }
    Ok(())
}

/// Begins a deployment of a service's pipeline, with every instance that has ever succeeded.
///
/// # Errors
/// A spec that doesn't fit.
pub(crate) fn begin_pipeline(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &Service,
    version: &TemplateVersion,
    spec_text: &str,
) -> Result<Stored<Deployment>, ProtonError> {
    let begin = pipeline_deployment(engine, tx, service, version, spec_text)?;
    engine.begin(tx, begin)
}

/// What is deployed of a service's pipeline.
///
/// # Errors
/// A spec that doesn't fit.
pub(super) fn pipeline_deployment(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &Service,
    version: &TemplateVersion,
    spec_text: &str,
) -> Result<Begin, ProtonError> {
    let scope = &engine.scope;
    let spec = parse_spec(spec_text)?;
    let resolved = spec.pipeline_inputs(&schema_of(version, !version.has_pipeline)?, None).map_err(refusal)?;
    let mut hidden = Vec::new();
    let mut instances = Vec::new();
    for instance in instances_for_pipeline(engine, tx, service)? {
        let Some(environment) = tx.get::<Environment>(scope, &instance.environment)? else { continue };
        let place = format!("/service_instances/{}", instances.len());
        hidden.extend(sealed::sealed_at(&format!("{place}/outputs"), &instance.progress.outputs));
        hidden.extend(sealed::sealed_at(&format!("{place}/environment/outputs"), &environment.progress.outputs));
        instances.push(pipeline_instance(engine, tx, &instance, &environment)?);
    }
    let template_arn = scope.arn(Template::key_of(TemplateKind::Service, &version.template));
    let document = domain::pipeline_inputs(scope, &service_facts(service), resolved, instances, &template_arn);
    let target = Target::ServicePipeline { service: service.name.clone() };
    let action = match tx.get::<Pipeline>(scope, &service.name)? {
        Some(pipeline) if pipeline.progress.last_attempted_deployment_id.is_some() => Action::Update,
        _ => Action::Create,
    };
    let target_state =
        TargetState { template: Some(version.reference()), spec: Some(spec_text.to_owned()), ..TargetState::default() };
    Ok(deployment(target, action, (target_state, bundle_of(version)?), (document, hidden)))
}

fn deployment(
    target: Target,
    action: Action,
    (target_state, bundle): (TargetState, BundleRef),
    (document, sealed): (Value, Vec<(String, String)>),
) -> Begin {
    Begin { target, action, target_state, bundle, inputs: Inputs { document, sealed }, uploads: Vec::new() }
}

/// A service by its name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub(crate) fn service_of(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    name: &str,
) -> Result<Stored<Service>, ProtonError> {
    tx.get(&engine.scope, name)?.ok_or_else(|| ProtonError::not_found(format!("service {name} not found")))
}

/// The environment that an instance goes to, if instances of this version can be deployed there now.
pub(super) fn deployable_environment(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    name: &str,
    version: &TemplateVersion,
) -> Result<Stored<Environment>, ProtonError> {
    let environment = environment::ready(tx, &engine.scope, name)?;
    let used = &environment.template;
    let fits = |it: &CompatibleTemplate| it.template == used.template && it.major == used.version.major;
    if !version.compatible.iter().any(fits) {
        let list: Vec<_> = version.compatible.iter().map(|it| format!("{}:{}", it.template, it.major)).collect();
        return Err(ProtonError::validation(format!(
            "environment {name} uses template {}:{}, but service template {} version {} is compatible with {} only",
            used.template,
            used.version.major,
            version.template,
            version.version,
            list.join(", ")
        )));
    }
    Ok(environment)
}

fn attached_component(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    instance: &ServiceInstance,
) -> Result<Option<Stored<Component>>, ProtonError> {
    let Some(name) = &instance.component else { return Ok(None) };
    let component = tx.get::<Component>(&engine.scope, name)?;
    // One that is still being attached for the first time has nothing to give yet.
    Ok(component.filter(|it| it.progress.last_succeeded_at.is_some() && it.attached_to.is_some()))
}

/// In the order of the service's spec; instances that it doesn't name come after, oldest first.
fn instances_for_pipeline(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &Service,
) -> Result<Vec<ServiceInstance>, ProtonError> {
    let named: Vec<String> = match &service.pending_spec {
        Some(pending) => parse_spec(pending)?,
        None => parse_spec(&service.spec)?,
    }
    .instances
    .into_iter()
    .map(|it| it.name)
    .collect();
    let mut instances: Vec<ServiceInstance> = tx
        .by_term::<ServiceInstance>(&engine.scope, "service", &service.name)?
        .into_iter()
        .map(|stored| stored.value)
        .filter(|it| it.progress.last_succeeded_at.is_some() && !goes(service, it))
        .collect();
    let place = |it: &ServiceInstance| named.iter().position(|name| *name == it.name).unwrap_or(usize::MAX);
    instances.sort_by_key(|it| (place(it), it.created_at, it.name.clone()));
    Ok(instances)
}

/// Whether an instance is to be removed, or what is left of one that couldn't be.
fn goes(service: &Service, instance: &ServiceInstance) -> bool {
    use DeploymentStatus as S;
    service.pending_removed.contains(&instance.name)
        || matches!(instance.progress.status, S::DeleteInProgress | S::DeleteFailed)
}

fn pipeline_instance(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    instance: &ServiceInstance,
    environment: &Environment,
) -> Result<PipelineInstance, ProtonError> {
    let used = &instance.template;
    let key = TemplateVersion::key_of(TemplateKind::Service, &used.template, used.version);
    let version = tx.get::<TemplateVersion>(&engine.scope, &key)?.ok_or_else(|| {
        ProtonError::conflict(format!("service template {} version {} is gone", used.template, used.version))
    })?;
    let spec = parse_spec(&instance.spec)?;
    Ok(PipelineInstance {
        name: instance.name.clone(),
        inputs: spec
            .instance_inputs(&instance.name, &schema_of(&version, !version.has_pipeline)?, None)
            .map_err(refusal)?,
        outputs: sealed::shown(&instance.progress.outputs),
        environment: environment::facts(&engine.scope, environment),
    })
}

fn service_facts(service: &Service) -> ServiceFacts {
    ServiceFacts {
        name: service.name.clone(),
        repository_connection_arn: service.repository_connection_arn.clone().unwrap_or_default(),
        repository_id: service.repository_id.clone().unwrap_or_default(),
        branch_name: service.branch_name.clone().unwrap_or_default(),
    }
}
