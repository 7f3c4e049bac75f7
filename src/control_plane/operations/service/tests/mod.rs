//! Services through their operations, with agents that end deployments one way or another.

mod create;
mod delete;
mod instances;
mod listing;
mod pipeline;
mod sync;
mod update;
mod walk;

use std::fmt::Write as _;

use hadron_model::{
    CancelServiceInstanceDeploymentInput, CancelServicePipelineDeploymentInput, CreateServiceInput,
    CreateServiceInstanceInput, DeleteServiceInput, DeploymentStatus, DeploymentUpdateType, GetServiceInput,
    GetServiceInstanceInput, Proton, Service, ServiceInstance, ServicePipeline, Tag, UpdateServiceInput,
    UpdateServiceInstanceInput, UpdateServicePipelineInput,
};
use serde_json::Value;

use crate::control_plane::records::{self, CompatibleTemplate, Deployment, TagSet, TemplateKind};
use crate::control_plane::store::{StatusChange, Typed};
use crate::control_plane::test_plane::TestPlane;
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

const SCHEMA: &str = r#"
schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  pipeline_input_type: Pipe
  types:
    In:
      type: object
      properties:
        port: {type: integer, default: 80, maximum: 65535}
        image: {type: string, default: none}
    Pipe:
      type: object
      required: [command]
      properties:
        command: {type: string}
"#;

/// The same without a pipeline.
const BARE: &str = r#"
schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  types:
    In:
      type: object
      properties:
        port: {type: integer, default: 80}
"#;

/// What a target's deployment ends as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeded,
    Failed,
}

/// The service `shop` of the template `web`, and the environments `dev` and `prod`.
struct Shop {
    test: TestPlane,
}

impl Shop {
    /// Both environments are up; the service isn't there yet.
    async fn new() -> Self {
        let test = TestPlane::new().await;
        let shop = Self { test };
        shop.version((1, 0)).await;
        shop.test
            .version_with(TemplateKind::Service, "bare", (1, 0), BARE, |_, version| version.compatible = vec![net()])
            .await;
        shop.test.settled_environment("dev", &[("vpc", "vpc-dev")]).await;
        shop.test.settled_environment("prod", &[("vpc", "vpc-prod")]).await;
        shop
    }

    /// ACTIVE, with these instances on their ports.
    async fn with(instances: &[(&str, u16)]) -> Self {
        let shop = Self::new().await;
        shop.create(&spec(instances)).await.unwrap();
        for (name, _) in instances {
            shop.end(name, End::Succeeded).await;
        }
        shop.end("pipeline", End::Succeeded).await;
        let mut names: Vec<String> = instances.iter().map(|(name, _)| format!(" {name}=SUCCEEDED")).collect();
        names.sort();
        assert_eq!(shop.shows().await, format!("ACTIVE pipeline=SUCCEEDED{}", names.concat()));
        shop
    }

    async fn version(&self, number: (u64, u64)) {
        self.test
            .version_with(TemplateKind::Service, "web", number, SCHEMA, |_, version| {
                version.has_pipeline = true;
                version.compatible = vec![net()];
            })
            .await;
    }

    async fn create(&self, spec: &str) -> Result<Service, ProtonError> {
        self.create_from(given(spec)).await
    }

    async fn create_from(&self, input: CreateServiceInput) -> Result<Service, ProtonError> {
        self.test.advance(10);
        self.test.plane.create_service(&mut self.test.call(), input).await.map(|it| it.service)
    }

    async fn update(&self, spec: &str) -> Result<Service, ProtonError> {
        self.update_from(UpdateServiceInput { description: None, name: "shop".into(), spec: Some(spec.into()) }).await
    }

    async fn update_from(&self, input: UpdateServiceInput) -> Result<Service, ProtonError> {
        self.test.advance(10);
        self.test.plane.update_service(&mut self.test.call(), input).await.map(|it| it.service)
    }

    async fn delete(&self) -> Result<Option<Service>, ProtonError> {
        self.test.advance(10);
        let input = DeleteServiceInput { name: "shop".into() };
        self.test.plane.delete_service(&mut self.test.call(), input).await.map(|it| it.service)
    }

    async fn get(&self) -> Result<Service, ProtonError> {
        let input = GetServiceInput { name: "shop".into() };
        self.test.plane.get_service(&mut self.test.call(), input).await.map(|it| it.service.unwrap())
    }

    async fn instance(&self, name: &str) -> Result<ServiceInstance, ProtonError> {
        let input = GetServiceInstanceInput { name: name.into(), service_name: "shop".into() };
        self.test.plane.get_service_instance(&mut self.test.call(), input).await.map(|it| it.service_instance)
    }

    async fn create_instance(&self, name: &str, spec: &str) -> Result<ServiceInstance, ProtonError> {
        self.create_instance_from(another(name, spec)).await
    }

    async fn create_instance_from(&self, input: CreateServiceInstanceInput) -> Result<ServiceInstance, ProtonError> {
        self.test.advance(10);
        self.test.plane.create_service_instance(&mut self.test.call(), input).await.map(|it| it.service_instance)
    }

    async fn update_instance(&self, name: &str, spec: Option<&str>) -> Result<ServiceInstance, ProtonError> {
        let deployment_type = DeploymentUpdateType::CurrentVersion;
        self.update_instance_from(UpdateServiceInstanceInput { deployment_type, ..to(name, spec) }).await
    }

    async fn update_instance_from(&self, input: UpdateServiceInstanceInput) -> Result<ServiceInstance, ProtonError> {
        self.test.advance(10);
        self.test.plane.update_service_instance(&mut self.test.call(), input).await.map(|it| it.service_instance)
    }

    async fn update_pipeline(&self, spec: &str) -> Result<ServicePipeline, ProtonError> {
        self.update_pipeline_to(DeploymentUpdateType::CurrentVersion, spec).await
    }

    async fn update_pipeline_to(
        &self,
        deployment_type: DeploymentUpdateType,
        spec: &str,
    ) -> Result<ServicePipeline, ProtonError> {
        self.test.advance(10);
        let input = UpdateServicePipelineInput {
            deployment_type,
            service_name: "shop".into(),
            spec: spec.into(),
            template_major_version: None,
            template_minor_version: None,
        };
        self.test.plane.update_service_pipeline(&mut self.test.call(), input).await.map(|it| it.pipeline)
    }

    /// Cancels the deployment of an instance or of `pipeline`; the status that it shows then.
    async fn cancel(&self, name: &str) -> Result<DeploymentStatus, ProtonError> {
        self.test.advance(10);
        let (mut call, service_name) = (self.test.call(), "shop".to_owned());
        if name == "pipeline" {
            let input = CancelServicePipelineDeploymentInput { service_name };
            let cancelled = self.test.plane.cancel_service_pipeline_deployment(&mut call, input).await?;
            return Ok(cancelled.pipeline.deployment_status);
        }
        let input = CancelServiceInstanceDeploymentInput { service_instance_name: name.into(), service_name };
        let cancelled = self.test.plane.cancel_service_instance_deployment(&mut call, input).await?;
        Ok(cancelled.service_instance.deployment_status)
    }

    /// The last deployment of an instance, or of `pipeline`.
    async fn last(&self, name: &str) -> Deployment {
        let (engine, target) = (self.test.engine(), target(name));
        let id =
            self.test.write(move |tx| Ok(engine.load(tx, &target)?.progress().last_attempted_deployment_id.clone()));
        self.test.deployment(&id.await.unwrap().unwrap()).await
    }

    /// Lets an agent claim the deployment of an instance, or of `pipeline`, and end it.
    async fn end(&self, name: &str, end: End) {
        let deployment = self.last(name).await;
        self.end_deployment(&deployment, end).await.unwrap();
    }

    async fn end_deployment(&self, deployment: &Deployment, end: End) -> Result<(), ProtonError> {
        self.test.advance(10);
        self.test.publish().await;
        let agent = self.test.agent("a");
        let epoch = agent.claim(deployment).await?;
        match end {
            End::Succeeded => agent.succeed(deployment, epoch, &[("url", "https://x")]).await.map(drop),
            End::Failed => agent.fail(deployment, epoch).await.map(drop),
        }
    }

    /// All statuses at a glance; `gone` for a service that isn't there.
    async fn shows(&self) -> String {
        let Ok(service) = self.get().await else { return "gone".into() };
        let mut shown = service.status.to_string();
        if let Some(pipeline) = service.pipeline {
            write!(shown, " pipeline={}", pipeline.deployment_status).unwrap();
        }
        for it in self.instances().await {
            write!(shown, " {}={}", it.name, it.progress.status).unwrap();
        }
        shown
    }

    async fn instances(&self) -> Vec<records::ServiceInstance> {
        let scope = self.test.scope.clone();
        let read =
            self.test.plane.store.read(move |tx| tx.by_term::<records::ServiceInstance>(&scope, "service", "shop"));
        let mut instances: Vec<_> = read.await.unwrap().into_iter().map(|stored| stored.value).collect();
        instances.sort_by_key(|it| it.name.clone());
        instances
    }

    /// The resolved inputs of a deployment that hasn't been published.
    async fn inputs(&self, name: &str) -> Value {
        let (scope, address) = (self.test.scope.clone(), self.last(name).await.inputs_uri);
        let read = self.test.plane.store.read(move |tx| tx.blob(&scope, "unpublished", &address)).await;
        serde_json::from_slice(&read.unwrap().unwrap()).unwrap()
    }

    /// Which instances the pipeline was given last.
    async fn stages(&self) -> Vec<String> {
        let inputs = self.inputs("pipeline").await;
        inputs["service_instances"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().into()).collect()
    }

    async fn changes(&self, arn: &str) -> Vec<StatusChange> {
        let (scope, arn) = (self.test.scope.clone(), arn.to_owned());
        self.test.plane.store.read(move |tx| tx.changes(&scope, &arn, 0, 10_000)).await.unwrap()
    }

    /// The statuses a resource has gone through, after a look for gaps.
    async fn history(&self, arn: &str) -> Vec<String> {
        let changes = self.changes(arn).await;
        let mut last: Option<String> = None;
        for change in &changes {
            assert_eq!(change.previous, last, "a gap in the history of {arn}: {changes:#?}");
            last = (change.status != "DELETED").then(|| change.status.clone());
        }
        changes.into_iter().map(|change| change.status).collect()
    }

    async fn tags(&self, arn: &str) -> Option<TagSet> {
        self.test.get::<TagSet>(arn).await.map(|stored| stored.value)
    }
}

fn net() -> CompatibleTemplate {
    CompatibleTemplate { template: "net".into(), major: 1 }
}

const SERVICE_ARN: &str = "arn:aws:proton:us-east-1:123456789012:service/shop";

/// The target of an instance, or of `pipeline`.
fn target(name: &str) -> Target {
    match name {
        "pipeline" => Target::ServicePipeline { service: "shop".into() },
        name => Target::ServiceInstance { service: "shop".into(), name: name.into() },
    }
}

fn arn(name: &str) -> String {
    match name {
        "pipeline" => format!("{SERVICE_ARN}/pipeline"),
        name => format!("{SERVICE_ARN}/service-instance/{name}"),
    }
}

/// A spec with a pipeline and these instances in `dev`.
fn spec(instances: &[(&str, u16)]) -> String {
    let mut text = "proton: ServiceSpec\npipeline: {command: make}\n".to_owned();
    text.push_str(if instances.is_empty() { "instances: []\n" } else { "instances:\n" });
    for (name, port) in instances {
        writeln!(text, "  - name: {name}\n    environment: dev\n    spec: {{port: {port}}}").unwrap();
    }
    text
}

fn given(spec: &str) -> CreateServiceInput {
    CreateServiceInput {
        branch_name: Some("main".into()),
        description: None,
        name: "shop".into(),
        repository_connection_arn: None,
        repository_id: Some("acme/shop".into()),
        spec: spec.into(),
        tags: Some(vec![Tag { key: "team".into(), value: "a".into() }]),
        template_major_version: "1".into(),
        template_minor_version: None,
        template_name: "web".into(),
    }
}

fn another(name: &str, spec: &str) -> CreateServiceInstanceInput {
    CreateServiceInstanceInput {
        client_token: None,
        name: name.into(),
        service_name: "shop".into(),
        spec: spec.into(),
        tags: None,
        template_major_version: None,
        template_minor_version: None,
    }
}

fn to(name: &str, spec: Option<&str>) -> UpdateServiceInstanceInput {
    UpdateServiceInstanceInput {
        client_token: None,
        deployment_type: DeploymentUpdateType::None,
        name: name.into(),
        service_name: "shop".into(),
        spec: spec.map(str::to_owned),
        template_major_version: None,
        template_minor_version: None,
    }
}

fn is_validation<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Validation(_)))
}

fn is_conflict<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Conflict(_)))
}
