//! CreateService: the service, its instances, and a pipeline that waits for them.

use hadron_model::{CreateServiceInput, CreateServiceOutput, ServiceStatus};

use super::{followup, plan, view};
use crate::control_plane::Plane;
use crate::control_plane::deployments::Deployments;
use crate::control_plane::operations::{arn::arn_of_new, history, tags, templates};
use crate::control_plane::records::{
    Action, Pipeline, Progress, Service, ServiceInstance, Template, TemplateKind, TemplateVersion, VersionRef,
};
use crate::control_plane::store::{ALL, Document, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{InstanceSpec, Scope, Target};

/// How many services an account may have in a region.
const MOST_SERVICES: usize = 1000;

/// Creates a service. Its instances are deployed side by side, then its pipeline.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_CreateService.html>
pub(crate) async fn create_service(
    plane: &Plane,
    call: &mut Call,
    input: CreateServiceInput,
) -> Result<CreateServiceOutput, ProtonError> {
    let engine = Deployments::of(plane, call);
    let created = plane
        .store
        .write(move |tx| {
            create(&engine, tx, &input)?;
            let service = plan::service_of(&engine, tx, &input.name)?;
            let pipeline = tx.get::<Pipeline>(&engine.scope, &input.name)?;
            Ok::<_, ProtonError>(view::service(&engine.scope, &service, pipeline.as_deref()))
        })
        .await?;
    plane.work.ring();
    Ok(CreateServiceOutput { service: created })
}

fn create(engine: &Deployments, tx: &mut dyn Transaction, input: &CreateServiceInput) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let arn = arn_of_new(scope, format_args!("service/{}", input.name))?;
    if tx.get::<Service>(scope, &input.name)?.is_some() {
        return Err(ProtonError::conflict(format!("service {} already exists", input.name)));
    }
    if tx.count(scope, Service::KIND, (ALL, ""), MOST_SERVICES)? >= MOST_SERVICES {
        return Err(ProtonError::quota(format!("there are {MOST_SERVICES} services already")));
    }
    let version = templates::resolve_version(
        tx,
        scope,
        TemplateKind::Service,
        &input.template_name,
        Some(&input.template_major_version),
        input.template_minor_version.as_deref(),
    )?;
    refuse_repository_without_pipeline(input, &version)?;
    let spec = plan::parse_spec(&input.spec)?;
    if spec.instances.len() > plan::MOST_INSTANCES {
        return Err(ProtonError::quota(format!("a service has at most {} instances", plan::MOST_INSTANCES)));
    }
    plan::check_spec(&spec, &version)?;
    tx.add(scope, &document(engine, input, &version, spec.instances.iter().map(|it| it.name.clone()).collect()))?;
    tag(tx, scope, (&arn, &version.template), input.tags.as_deref())?;
    let detail = serde_json::json!({ "name": input.name });
    history::append(tx, scope, &arn, None, ServiceStatus::CreateInProgress.as_str(), &detail, engine.now)?;
    if version.has_pipeline {
        add_pipeline(engine, tx, &input.name, version.reference(), &input.spec)?;
    }
    for instance in &spec.instances {
        add_instance(engine, tx, &input.name, instance, &version, &input.spec, (None, None))?;
    }
    // Without instances nothing ends that could set the pipeline going.
    followup::settle(engine, tx, &input.name)
}

/// Gives a new service its tags.
///
/// # Errors
/// A reserved or repeated tag key.
pub(super) fn tag(
    tx: &mut dyn Transaction,
    scope: &Scope,
    (arn, template): (&str, &str),
    tags: Option<&[hadron_model::Tag]>,
) -> Result<(), ProtonError> {
    let template = template_arn(scope, template);
    let managed = [
        ("aws:proton:account", scope.account.as_str()),
        ("aws:proton:template", template.as_str()),
        ("aws:proton:service", arn),
    ];
    tags::create_tags(tx, scope, arn, tags, &managed)
}

/// Puts an instance into the record and begins its first deployment; its tags are the service's and those given.
///
/// # Errors
/// A name that is taken or too long, or whatever [`plan::begin_instance`] refuses.
pub(crate) fn add_instance(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &str,
    instance: &InstanceSpec,
    version: &TemplateVersion,
    spec_text: &str,
    (token, given_tags): (Option<String>, Option<&[hadron_model::Tag]>),
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let target = Target::ServiceInstance { service: service.to_owned(), name: instance.name.clone() };
    arn_of_new(scope, target.resource())?;
    if tx.get::<ServiceInstance>(scope, &ServiceInstance::key_of(service, &instance.name))?.is_some() {
        return Err(ProtonError::conflict(format!("{target} already exists")));
    }
    let record = ServiceInstance {
        name: instance.name.clone(),
        service: service.to_owned(),
        environment: instance.environment.clone(),
        created_at: engine.now,
        template: version.reference(),
        spec: spec_text.to_owned(),
        progress: Progress::starting(engine.now),
        last_client_request_token: token,
        component: None,
    };
    put_instance(tx, scope, &record, given_tags)?;
    plan::begin_instance(engine, tx, &record, version, spec_text, Action::Create).map(drop)
}

/// Puts an instance into the record, with its tags.
///
/// # Errors
/// A reserved or repeated tag key.
pub(super) fn put_instance(
    tx: &mut dyn Transaction,
    scope: &Scope,
    record: &ServiceInstance,
    given_tags: Option<&[hadron_model::Tag]>,
) -> Result<(), ProtonError> {
    tx.add(scope, record)?;
    let arn = Target::ServiceInstance { service: record.service.clone(), name: record.name.clone() }.arn(scope);
    let parent = view::arn(scope, &record.service);
    let tags = tags::inherited_tags(tx, scope, &parent, given_tags)?;
    let environment = Target::Environment { name: record.environment.clone() }.arn(scope);
    let template = template_arn(scope, &record.template.template);
    let managed = [
        ("aws:proton:account", scope.account.as_str()),
        ("aws:proton:template", template.as_str()),
        ("aws:proton:service", parent.as_str()),
        ("aws:proton:service-instance", arn.as_str()),
        ("aws:proton:environment", environment.as_str()),
    ];
    tags::create_tags(tx, scope, &arn, Some(&tags), &managed)
}

fn document(
    engine: &Deployments,
    input: &CreateServiceInput,
    version: &TemplateVersion,
    added: Vec<String>,
) -> Service {
    Service {
        name: input.name.clone(),
        created_at: engine.now,
        last_modified_at: engine.now,
        description: input.description.clone(),
        template: version.template.clone(),
        template_version: version.reference(),
        spec: input.spec.clone(),
        status: ServiceStatus::CreateInProgress,
        status_message: None,
        branch_name: input.branch_name.clone(),
        repository_id: input.repository_id.clone(),
        repository_connection_arn: input.repository_connection_arn.clone(),
        pending_spec: None,
        pending_added: added,
        pending_removed: Vec::new(),
        pipeline_due: version.has_pipeline,
        pipeline_before: None,
        removals_begun: Vec::new(),
    }
}

/// Puts a service's pipeline into the record. It is IN_PROGRESS from the start, but its deployment begins when the
/// instances have settled.
///
/// # Errors
/// The store's.
pub(super) fn add_pipeline(
    engine: &Deployments,
    tx: &mut dyn Transaction,
    service: &str,
    template: VersionRef,
    spec: &str,
) -> Result<(), ProtonError> {
    let scope = &engine.scope;
    let target = Target::ServicePipeline { service: service.to_owned() };
    let pipeline = Pipeline {
        service: service.to_owned(),
        created_at: engine.now,
        template,
        spec: spec.to_owned(),
        progress: Progress::starting(engine.now),
    };
    put_pipeline(tx, scope, &pipeline)?;
    Ok(engine.note_change(tx, &target, None, Some(pipeline.progress.status))?)
}

/// Puts a pipeline into the record, with its service's tags.
///
/// # Errors
/// The store's.
pub(super) fn put_pipeline(tx: &mut dyn Transaction, scope: &Scope, pipeline: &Pipeline) -> Result<(), ProtonError> {
    tx.add(scope, pipeline)?;
    let arn = Target::ServicePipeline { service: pipeline.service.clone() }.arn(scope);
    let (parent, template) = (view::arn(scope, &pipeline.service), template_arn(scope, &pipeline.template.template));
    let tags = tags::inherited_tags(tx, scope, &parent, None)?;
    let managed = [
        ("aws:proton:account", scope.account.as_str()),
        ("aws:proton:template", template.as_str()),
        ("aws:proton:service", parent.as_str()),
    ];
    tags::create_tags(tx, scope, &arn, Some(&tags), &managed)
}

fn template_arn(scope: &Scope, template: &str) -> String {
    scope.arn(Template::key_of(TemplateKind::Service, template))
}

/// Where there is no pipeline, nothing builds from a repository.
fn refuse_repository_without_pipeline(
    input: &CreateServiceInput,
    version: &TemplateVersion,
) -> Result<(), ProtonError> {
    let given = [
        ("branchName", &input.branch_name),
        ("repositoryConnectionArn", &input.repository_connection_arn),
        ("repositoryId", &input.repository_id),
    ];
    let names: Vec<_> = given.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
    if version.has_pipeline || names.is_empty() {
        return Ok(());
    }
    Err(ProtonError::validation(format!(
        "Service template {} version {} has no pipeline, so {} can't be given",
        version.template,
        version.version,
        names.join(", ")
    )))
}
