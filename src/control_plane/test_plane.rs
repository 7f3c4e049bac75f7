//! A control plane for tests: the real store on disk, a clock that stands, agents that speak through the operations.
//!
//! The bucket is the one thing that isn't there: [`TestPlane::publish`] notes as published what upkeep would put into it.

mod agent;

use std::time::Duration;

use hadron_model::hadron::Role;
use hadron_model::{
    DeploymentStatus, NotifyResourceDeploymentStatusChangeInput, Output, Proton, ResourceDeploymentStatus,
    ServiceStatus, ServiceTemplateSupportedComponentSourceType, TemplateVersionStatus,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

pub(crate) use self::agent::{Agent, Answer};
use super::deployments::{Begin, Deployments, Inputs, published};
use super::plane::{Plane, PlaneSettings};
use super::records::{
    Action, BundleRef, Deployment, Environment, Executor, Progress, Service, ServiceInstance, TargetState, Template,
    TemplateKind, TemplateVersion, Version, VersionRef,
};
use super::seal::Sealer;
use super::store::{Document, Sqlite, Store, Stored, Transaction, Typed};
use super::wire::paging::PageKey;
use super::wire::{Call, Caller, ProtonError};
use crate::domain::{Scope, Target};
use crate::objects::{Objects, ObjectsConfig};
use crate::support::{Clock, Secret};

/// Where the clock of every test plane stands first: 2026-11-22T00:00:00Z.
pub(crate) const START: i64 = 1_795_305_600_000;

/// How long a claim holds, in milliseconds.
pub(crate) const LEASE: i64 = 60_000;

/// The version that everything here is deployed with.
const FIRST: Version = Version { major: 1, minor: 0 };

/// A control plane with nothing in it.
#[derive(Debug, Clone)]
pub(crate) struct TestPlane {
    pub(crate) plane: Plane,
    pub(crate) scope: Scope,
}

impl TestPlane {
    pub(crate) async fn new() -> Self {
        let objects = ObjectsConfig {
            endpoint: Some("http://127.0.0.1:9".into()),
            region: "us-east-1".into(),
            credentials: Some(("AKIATEST".into(), Secret::new("secret"))),
            path_style: true,
            trust: None,
        };
        let settings = PlaneSettings {
            bucket: "hadron".into(),
            base_url: "http://127.0.0.1:9440".into(),
            lease: Duration::from_millis(LEASE.unsigned_abs()),
            serves_state: true,
            serves_objects: true,
            limits: crate::control_plane::DeploymentLimits::default(),
        };
        let plane = Plane::new(
            Store::new(Sqlite::temporary().unwrap()),
            Objects::new(objects).await,
            Sealer::ephemeral(),
            Clock::fixed(START),
            settings,
        );
        Self { plane, scope: Scope::new("123456789012", "us-east-1") }
    }

    /// A request of a user's.
    pub(crate) fn call(&self) -> Call {
        self.call_of("AKIAUSER", &[])
    }

    /// A request signed with a key, with headers.
    pub(crate) fn call_of(&self, access_key: &str, headers: &[(&str, &str)]) -> Call {
        let header = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        Call {
            caller: Caller {
                access_key: access_key.into(),
                principal: "arn:aws:iam::123456789012:user/test".into(),
                role: Role::Admin,
                groups: Vec::new(),
                environments: Vec::new(),
            },
            scope: self.scope.clone(),
            request_id: "test".into(),
            peer: None,
            now: self.plane.clock.now(),
            page_key: PageKey::derive(&Secret::new("secret")),
            headers: headers.iter().map(header).collect(),
            answer_headers: HeaderMap::new(),
        }
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, milliseconds: i64) {
        self.plane.clock.advance(milliseconds);
    }

    /// The engine at this moment.
    pub(crate) fn engine(&self) -> Deployments {
        Deployments::at(&self.plane, self.scope.clone(), self.plane.clock.now())
    }

    /// Runs a transaction.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut dyn Transaction) -> Result<T, ProtonError> + Send + 'static,
    ) -> Result<T, ProtonError> {
        self.plane.store.write(work).await
    }

    /// Reads a document.
    pub(crate) async fn get<T: Document + Send + 'static>(&self, key: &str) -> Option<Stored<T>> {
        let (scope, key) = (self.scope.clone(), key.to_owned());
        self.plane.store.read(move |tx| tx.get::<T>(&scope, &key)).await.unwrap()
    }

    /// Adds a document.
    pub(crate) async fn add<T: Document + Send + Sync + 'static>(&self, value: T) {
        let scope = self.scope.clone();
        self.write(move |tx| Ok(tx.add(&scope, &value)?)).await.unwrap();
    }

    /// Notes everything that waits for the bucket as published.
    pub(crate) async fn publish(&self) {
        let scope = self.scope.clone();
        self.write(move |tx| {
            let waiting = tx.by_term::<Deployment>(&scope, "unpublished", "")?;
            for address in waiting.into_iter().flat_map(|it| it.value.unpublished) {
                published(tx, &scope, &address)?;
            }
            Ok(())
        })
        .await
        .unwrap();
        self.plane.work.ring();
    }

    /// The deployment as it is now.
    pub(crate) async fn deployment(&self, id: &str) -> Deployment {
        self.get::<Deployment>(id).await.unwrap().value
    }

    /// Registers and publishes a version of a template with this `schema.yaml`; the template grows its recommended
    /// version.
    pub(crate) async fn version(&self, kind: TemplateKind, name: &str, (major, minor): (u64, u64), schema: &str) {
        self.version_with(kind, name, (major, minor), schema, |_, _| {}).await;
    }

    /// As [`Self::version`], with changes to template and version before they are stored.
    pub(crate) async fn version_with(
        &self,
        kind: TemplateKind,
        name: &str,
        (major, minor): (u64, u64),
        schema: &str,
        change: impl FnOnce(&mut Template, &mut TemplateVersion),
    ) {
        let (scope, now) = (self.scope.clone(), self.plane.clock.now());
        let number = Version { major, minor };
        let mut template = Template {
            kind,
            name: name.into(),
            created_at: now,
            last_modified_at: now,
            description: None,
            display_name: None,
            encryption_key: None,
            customer_managed: false,
            recommended: Some(number),
        };
        let mut version = TemplateVersion {
            kind,
            template: name.into(),
            version: number,
            status: TemplateVersionStatus::Published,
            status_message: String::new(),
            created_at: now,
            last_modified_at: now,
            published_at: None,
            description: None,
            source_bucket: "templates".into(),
            source_key: format!("{name}.tar.gz"),
            schema: Some(schema.into()),
            bundle: Some(BundleRef {
                uri: format!("s3://hadron/bundles/sha256/{name}-{number}"),
                digest: format!("{name}-{number}"),
            }),
            has_pipeline: false,
            compatible: Vec::new(),
            component_sources: vec![ServiceTemplateSupportedComponentSourceType::DirectlyDefined],
        };
        change(&mut template, &mut version);
        self.write(move |tx| {
            if let Some(mut known) = tx.get::<Template>(&scope, &template.key())? {
                known.value = template.clone();
                tx.save(&scope, &mut known)?;
            } else {
                tx.add(&scope, &template)?;
            }
            Ok(tx.add(&scope, &version)?)
        })
        .await
        .unwrap();
    }

    /// Begins a deployment of a target whose document is there, and publishes it.
    pub(crate) async fn deploy(&self, target: Target, action: Action, spec: &str) -> Result<Deployment, ProtonError> {
        let begun = self.begin(target, action, spec).await?;
        self.publish().await;
        Ok(self.deployment(&begun.id).await)
    }

    /// Begins a deployment of a target whose document is there. The spec is free text: nothing but the operations looks
    /// into it.
    pub(crate) async fn begin(&self, target: Target, action: Action, spec: &str) -> Result<Deployment, ProtonError> {
        let engine = self.engine();
        let spec = spec.to_owned();
        self.write(move |tx| {
            let template = engine.load(tx, &target)?.state().template;
            let state = TargetState { template, spec: Some(spec.clone()), ..TargetState::default() };
            let begin = Begin {
                target: target.clone(),
                action,
                target_state: state,
                bundle: BundleRef { uri: "s3://hadron/bundles/sha256/d".into(), digest: "d".into() },
                inputs: Inputs { document: json!({ "spec": spec }), sealed: Vec::new() },
                uploads: Vec::new(),
            };
            engine.begin(tx, begin).map(|begun| begun.value)
        })
        .await
    }

    /// A new environment, whose first deployment waits for an agent.
    pub(crate) async fn environment(&self, name: &str) -> Deployment {
        self.environment_with(name, Executor::Agent).await
    }

    /// As [`Self::environment`], deployed by whomever the executor says.
    pub(crate) async fn environment_with(&self, name: &str, executor: Executor) -> Deployment {
        let now = self.plane.clock.now();
        self.add(Environment {
            name: name.into(),
            created_at: now,
            description: None,
            template: VersionRef { template: "net".into(), version: FIRST },
            spec: "first".into(),
            progress: Progress::starting(now),
            proton_service_role_arn: None,
            codebuild_role_arn: None,
            component_role_arn: None,
            environment_account_connection_id: None,
            environment_account_id: None,
            provisioning_repository: None,
            executor,
            requests: None,
        })
        .await;
        self.deploy(environment(name), Action::Create, "first").await.unwrap()
    }

    /// An environment that is up, with these outputs.
    pub(crate) async fn settled_environment(&self, name: &str, outputs: &[(&str, &str)]) -> Deployment {
        let begun = self.environment(name).await;
        self.settle(&begun, outputs).await
    }

    /// An environment that is up, deployed once more with these outputs.
    pub(crate) async fn redeployed(&self, name: &str, outputs: &[(&str, &str)]) -> Deployment {
        let begun = self.deploy(environment(name), Action::Update, "next").await.unwrap();
        self.settle(&begun, outputs).await
    }

    /// A new instance, whose first deployment waits for an agent; its service comes with it.
    pub(crate) async fn instance(&self, service: &str, name: &str, environment: &str) -> Deployment {
        let (now, template) = (self.plane.clock.now(), VersionRef { template: "web".into(), version: FIRST });
        let spec = service_spec(name, environment);
        if self.get::<Service>(service).await.is_none() {
            self.add(service_of(service, &template, &spec, now)).await;
        }
        self.add(ServiceInstance {
            name: name.into(),
            service: service.into(),
            environment: environment.into(),
            created_at: now,
            template,
            spec: spec.clone(),
            progress: Progress::starting(now),
            last_client_request_token: None,
            component: None,
        })
        .await;
        self.deploy(instance(service, name), Action::Create, &spec).await.unwrap()
    }

    /// An instance that is up, with these outputs.
    pub(crate) async fn settled_instance(&self, service: &str, name: &str, environment: &str) -> Deployment {
        let begun = self.instance(service, name, environment).await;
        self.settle(&begun, &[]).await
    }

    /// An agent of this name, with a key of its own.
    pub(crate) fn agent(&self, id: &str) -> Agent<'_> {
        Agent { test: self, id: id.into(), access_key: format!("AKIA{}", id.to_uppercase()) }
    }

    /// Lets an agent claim a deployment and succeed with these outputs.
    pub(crate) async fn settle(&self, deployment: &Deployment, outputs: &[(&str, &str)]) -> Deployment {
        self.publish().await;
        let agent = self.agent("settler");
        let epoch = agent.claim(deployment).await.unwrap();
        agent.succeed(deployment, epoch, outputs).await.unwrap();
        self.deployment(&deployment.id).await
    }

    /// A report of a client that knows no headers.
    pub(crate) async fn stock(
        &self,
        deployment: &Deployment,
        status: Option<ResourceDeploymentStatus>,
        outputs: &[(&str, &str)],
    ) -> Result<Answer, ProtonError> {
        let input = report(&deployment.target_arn, Some(&deployment.id), status, outputs);
        self.notify("AKIACI", &[], input).await.0
    }

    /// A report, and the answer's headers even if it is refused.
    pub(crate) async fn notify(
        &self,
        access_key: &str,
        headers: &[(&str, &str)],
        input: NotifyResourceDeploymentStatusChangeInput,
    ) -> (Result<Answer, ProtonError>, Answer) {
        let mut call = self.call_of(access_key, headers);
        let result = self.plane.notify_resource_deployment_status_change(&mut call, input).await;
        let answer = Answer(call.answer_headers);
        (result.map(|_| answer.clone()), answer)
    }

    /// What an environment shows: its status and its spec.
    pub(crate) async fn shown(&self, name: &str) -> Option<(DeploymentStatus, String)> {
        self.get::<Environment>(name).await.map(|it| (it.progress.status, it.spec.clone()))
    }
}

/// The input of a notify.
pub(crate) fn report(
    arn: &str,
    deployment_id: Option<&str>,
    status: Option<ResourceDeploymentStatus>,
    outputs: &[(&str, &str)],
) -> NotifyResourceDeploymentStatusChangeInput {
    let output = |(key, value): &(&str, &str)| Output { key: Some((*key).into()), value_string: Some((*value).into()) };
    NotifyResourceDeploymentStatusChangeInput {
        deployment_id: deployment_id.map(str::to_owned),
        outputs: (!outputs.is_empty()).then(|| outputs.iter().map(output).collect()),
        resource_arn: arn.into(),
        status,
        status_message: None,
    }
}

/// A service's spec with one instance that takes no inputs.
pub(crate) fn service_spec(name: &str, environment: &str) -> String {
    format!("proton: ServiceSpec\ninstances:\n  - name: {name}\n    environment: {environment}\n    spec: {{}}\n")
}

pub(crate) fn service_of(name: &str, template: &VersionRef, spec: &str, now: i64) -> Service {
    Service {
        name: name.into(),
        created_at: now,
        last_modified_at: now,
        description: None,
        template: template.template.clone(),
        template_version: template.clone(),
        spec: spec.into(),
        status: ServiceStatus::Active,
        status_message: None,
        branch_name: None,
        repository_id: None,
        repository_connection_arn: None,
        pending_spec: None,
        pending_added: Vec::new(),
        pending_removed: Vec::new(),
        pipeline_due: false,
        pipeline_before: None,
        removals_begun: Vec::new(),
    }
}

/// The environment of a name.
pub(crate) fn environment(name: &str) -> Target {
    Target::Environment { name: name.into() }
}

/// The instance of a service.
pub(crate) fn instance(service: &str, name: &str) -> Target {
    Target::ServiceInstance { service: service.into(), name: name.into() }
}
