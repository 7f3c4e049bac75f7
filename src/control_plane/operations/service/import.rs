//! Services that Proton had deployed: first the documents, then the deployments that each of them had finished last, since
//! an instance is given what its component put out, and a pipeline what the instances did.

use hadron_model::ServiceStatus;
use hadron_model::hadron::{ImportedInstance, ImportedPipeline, ImportedService, VersionOf};

use super::create::{put_instance, put_pipeline, tag};
use super::plan;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::deployment::{given_outputs, imported_version};
use crate::control_plane::records::{
    Action, Pipeline, Progress, Service, ServiceInstance, TemplateKind, Version, VersionRef,
};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// Puts a service into the record, without its instances and its pipeline.
///
/// # Errors
/// `ResourceNotFoundException` for a template version that isn't here; `ValidationException` for a spec that is none.
pub(crate) fn import_service(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    name: &str,
    given: &ImportedService,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let arn = arn_of_new(scope, format_args!("service/{name}"))?;
    plan::parse_spec(&given.spec)?;
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let service = Service {
        name: name.to_owned(),
        created_at: engine.now,
        last_modified_at: engine.now,
        description: given.description.clone(),
        template: given.template_name.clone(),
        template_version: newest(given),
        spec: given.spec.clone(),
        status: ServiceStatus::Active,
        status_message: None,
        branch_name: text(&given.branch_name),
        repository_id: text(&given.repository_id),
        repository_connection_arn: text(&given.repository_connection_arn),
        pending_spec: None,
        pending_added: Vec::new(),
        pending_removed: Vec::new(),
        pipeline_due: false,
        pipeline_before: None,
        removals_begun: Vec::new(),
    };
    tx.add(scope, &service)?;
    tag(tx, scope, (&arn, &service.template), None)
}

/// The newest version that anything of the service is on: what its next instance would have been created with.
fn newest(given: &ImportedService) -> VersionRef {
    let versions = given.instances.iter().map(|it| &it.version).chain(given.pipeline.as_ref().map(|it| &it.version));
    let newest = versions.map(number).max().unwrap_or(Version { major: 1, minor: 0 });
    VersionRef { template: given.template_name.clone(), version: newest }
}

fn number(version: &VersionOf) -> Version {
    Version { major: version.major.unsigned_abs(), minor: version.minor.unsigned_abs() }
}

/// Puts an instance into the record; [`finish_instance`] gives it its deployment.
///
/// # Errors
/// `ResourceNotFoundException` for a template version that isn't here.
pub(crate) fn put_imported_instance(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    (service, name): (&str, &str),
    given: &ImportedInstance,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let target = Target::ServiceInstance { service: service.to_owned(), name: name.to_owned() };
    arn_of_new(scope, target.resource())?;
    let version = imported_version(tx, scope, TemplateKind::Service, &given.version)?;
    let record = ServiceInstance {
        name: name.to_owned(),
        service: service.to_owned(),
        environment: given.environment_name.clone(),
        created_at: engine.now,
        template: version.reference(),
        spec: given.spec.clone(),
        progress: Progress::starting(engine.now),
        last_client_request_token: None,
        component: None,
    };
    put_instance(tx, scope, &record, None)
}

/// Gives an instance the deployment that it had finished last, resolved with what its environment and its component put out.
///
/// # Errors
/// As a deployment of it would be refused.
pub(crate) fn finish_instance(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    (service, name): (&str, &str),
    given: &ImportedInstance,
    deployment_id: &str,
) -> Result<(), ProtonError> {
    let version = imported_version(tx, &engine.scope, TemplateKind::Service, &given.version)?;
    let key = ServiceInstance::key_of(service, name);
    let instance = tx.get::<ServiceInstance>(&engine.scope, &key)?;
    let instance = instance.ok_or_else(|| ProtonError::not_found(format!("instance {key} isn't there")))?;
    let deployment = plan::instance_deployment(engine, tx, &instance, &version, &given.spec, Action::Create)?;
    engine.record_finished(tx, deployment, deployment_id, given_outputs(given.outputs.as_deref()))
}

/// Puts a pipeline into the record with the deployment that it had finished last; all instances have theirs by now.
///
/// # Errors
/// As a deployment of it would be refused.
pub(crate) fn finish_pipeline(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    service: &str,
    given: &ImportedPipeline,
    deployment_id: &str,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let version = imported_version(tx, scope, TemplateKind::Service, &given.version)?;
    let pipeline = Pipeline {
        service: service.to_owned(),
        created_at: engine.now,
        template: version.reference(),
        spec: given.spec.clone(),
        progress: Progress::starting(engine.now),
    };
    put_pipeline(tx, scope, &pipeline)?;
    let owner = plan::service_of(engine, tx, service)?;
    let deployment = plan::pipeline_deployment(engine, tx, &owner, &version, &given.spec)?;
    engine.record_finished(tx, deployment, deployment_id, given_outputs(given.outputs.as_deref()))
}
