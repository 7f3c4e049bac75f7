//! The story: the same calls that a user's AWS CLI would make, in the order of the tour.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;

use super::bundles;
use super::screen::{Screen, TargetOutputs};
use crate::objects::{ObjectUri, Objects};
use crate::proton::Proton;
use crate::proton::sdk::error::ProvideErrorMetadata;
use crate::proton::sdk::types::{
    CompatibleEnvironmentTemplateInput, ComponentDeploymentUpdateType, DeploymentStatus, DeploymentUpdateType, Output,
    S3ObjectSource, ServiceStatus, ServiceTemplateSupportedComponentSourceType, TemplateVersionSourceInput,
    TemplateVersionStatus,
};

const BUCKET: &str = "templates";
const ENVIRONMENT_TEMPLATE: &str = "landing-zone";
const SERVICE_TEMPLATE: &str = "web-service";
const ENVIRONMENT: &str = "dev";
const SERVICE: &str = "shop";
const INSTANCE: &str = "api";
const COMPONENT: &str = "jobs";

/// The stock waiters look every five seconds; a demo is over by then.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Story {
    proton: Proton,
    objects: Objects,
    pub(super) screen: Screen,
}

/// Puts AWS's error into words: the SDK's own text hides the message.
fn told<T, E>(doing: &str, result: Result<T, E>) -> anyhow::Result<T>
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    result.map_err(|error| {
        let code = error.code().unwrap_or("no answer");
        anyhow!("{doing}: {code}: {}", error.message().unwrap_or("the server can't be reached"))
    })
}

macro_rules! ask {
    ($doing:expr, $request:expr) => {
        told($doing, $request.send().await.map_err(|error| error.into_service_error()))
    };
}

impl Story {
    pub(super) fn new(proton: Proton, objects: Objects, screen: Screen) -> Self {
        Self { proton, objects, screen }
    }

    /// Everything from the first template to the last output.
    pub(super) async fn tell(&self) -> anyhow::Result<Vec<TargetOutputs>> {
        self.environment_template().await?;
        self.environment().await?;
        self.service_template().await?;
        self.service().await?;
        self.component().await?;
        self.outputs().await
    }

    async fn environment_template(&self) -> anyhow::Result<()> {
        self.screen.say(&format!("environment template {ENVIRONMENT_TEMPLATE}: register and publish version 1.0"));
        self.objects.create_bucket(BUCKET).await.context("making the bucket")?;
        let source = self.upload("landing-zone/1.0.zip", bundles::environment()?).await?;
        let proton = self.proton.client();
        ask!("creating the template", proton.create_environment_template().name(ENVIRONMENT_TEMPLATE))?;
        let version = proton.create_environment_template_version().template_name(ENVIRONMENT_TEMPLATE).source(source);
        ask!("creating its version", version)?;
        loop {
            let get = proton.get_environment_template_version().template_name(ENVIRONMENT_TEMPLATE);
            let got = ask!("reading its version", get.major_version("1").minor_version("0"))?;
            let Some(version) = got.environment_template_version else { bail!("the version is gone") };
            if registered(&version.status, version.status_message.as_deref())? {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let publish = proton.update_environment_template_version().template_name(ENVIRONMENT_TEMPLATE);
        let publish = publish.major_version("1").minor_version("0").status(TemplateVersionStatus::Published);
        ask!("publishing it", publish).map(drop)
    }

    async fn environment(&self) -> anyhow::Result<()> {
        self.screen.say(&format!("environment {ENVIRONMENT}"));
        let create = self.proton.client().create_environment().name(ENVIRONMENT);
        let create = create.template_name(ENVIRONMENT_TEMPLATE).template_major_version("1");
        ask!("creating the environment", create.spec(bundles::ENVIRONMENT_SPEC))?;
        loop {
            let got = ask!("reading the environment", self.proton.client().get_environment().name(ENVIRONMENT))?;
            let Some(it) = got.environment else { bail!("the environment is gone") };
            if deployed(&it.deployment_status, it.deployment_status_message.as_deref())? {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn service_template(&self) -> anyhow::Result<()> {
        self.screen.say(&format!("service template {SERVICE_TEMPLATE}: register and publish version 1.0"));
        let source = self.upload("web-service/1.0.zip", bundles::service()?).await?;
        let proton = self.proton.client();
        ask!("creating the template", proton.create_service_template().name(SERVICE_TEMPLATE))?;
        let compatible = CompatibleEnvironmentTemplateInput::builder()
            .template_name(ENVIRONMENT_TEMPLATE)
            .major_version("1")
            .build()
            .context("naming the environment template")?;
        let version = proton.create_service_template_version().template_name(SERVICE_TEMPLATE).source(source);
        let version = version.compatible_environment_templates(compatible);
        let directly = ServiceTemplateSupportedComponentSourceType::DirectlyDefined;
        ask!("creating its version", version.supported_component_sources(directly))?;
        loop {
            let get = proton.get_service_template_version().template_name(SERVICE_TEMPLATE);
            let got = ask!("reading its version", get.major_version("1").minor_version("0"))?;
            let Some(version) = got.service_template_version else { bail!("the version is gone") };
            if registered(&version.status, version.status_message.as_deref())? {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let publish = proton.update_service_template_version().template_name(SERVICE_TEMPLATE);
        let publish = publish.major_version("1").minor_version("0").status(TemplateVersionStatus::Published);
        ask!("publishing it", publish).map(drop)
    }

    async fn service(&self) -> anyhow::Result<()> {
        self.screen.say(&format!("service {SERVICE}: two instances, then the pipeline"));
        let create = self.proton.client().create_service().name(SERVICE).template_name(SERVICE_TEMPLATE);
        let create = create.template_major_version("1").spec(bundles::SERVICE_SPEC).branch_name("main");
        let create = create.repository_id("acme/shop").repository_connection_arn(
            "arn:aws:codestar-connections:us-east-1:123456789012:connection/00000000-0000-0000-0000-000000000000",
        );
        ask!("creating the service", create)?;
        self.service_settled().await
    }

    async fn service_settled(&self) -> anyhow::Result<()> {
        loop {
            let got = ask!("reading the service", self.proton.client().get_service().name(SERVICE))?;
            let Some(it) = got.service else { bail!("the service is gone") };
            match it.status {
                ServiceStatus::Active => return Ok(()),
                ServiceStatus::CreateInProgress | ServiceStatus::UpdateInProgress => tokio::time::sleep(LOOK).await,
                other => bail!("service {SERVICE} is {other}: {}", it.status_message.unwrap_or_default()),
            }
        }
    }

    async fn component(&self) -> anyhow::Result<()> {
        self.screen.say(&format!("component {COMPONENT}, attached to {SERVICE}/{INSTANCE}"));
        let proton = self.proton.client();
        let create = proton.create_component().name(COMPONENT).service_name(SERVICE).service_instance_name(INSTANCE);
        let create = create.template_file(bundles::COMPONENT).manifest(bundles::COMPONENT_MANIFEST);
        ask!("creating the component", create.service_spec(bundles::SERVICE_SPEC))?;
        loop {
            let got = ask!("reading the component", proton.get_component().name(COMPONENT))?;
            let Some(it) = got.component else { bail!("the component is gone") };
            if deployed(&it.deployment_status, it.deployment_status_message.as_deref())? {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.screen.say(&format!("service instance {SERVICE}/{INSTANCE} once more, to see the component's outputs"));
        let update = proton.update_service_instance().service_name(SERVICE).name(INSTANCE);
        ask!("updating the instance", update.deployment_type(DeploymentUpdateType::CurrentVersion))?;
        loop {
            let get = proton.get_service_instance().service_name(SERVICE).name(INSTANCE);
            let Some(it) = ask!("reading the instance", get)?.service_instance else { bail!("the instance is gone") };
            if deployed(&it.deployment_status, it.deployment_status_message.as_deref())? {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn outputs(&self) -> anyhow::Result<Vec<TargetOutputs>> {
        let proton = self.proton.client();
        let environment = ask!("listing outputs", proton.list_environment_outputs().environment_name(ENVIRONMENT))?;
        let mut all = vec![(format!("environment {ENVIRONMENT}"), pairs(environment.outputs))];
        let instances = ask!("listing instances", proton.list_service_instances().service_name(SERVICE))?;
        for instance in instances.service_instances {
            let list = proton.list_service_instance_outputs().service_name(SERVICE);
            let outputs = ask!("listing outputs", list.service_instance_name(&instance.name))?.outputs;
            all.push((format!("service instance {SERVICE}/{}", instance.name), pairs(outputs)));
        }
        let pipeline = ask!("listing outputs", proton.list_service_pipeline_outputs().service_name(SERVICE))?;
        all.push((format!("pipeline of service {SERVICE}"), pairs(pipeline.outputs)));
        let component = ask!("listing outputs", proton.list_component_outputs().component_name(COMPONENT))?;
        all.push((format!("component {COMPONENT}"), pairs(component.outputs)));
        Ok(all)
    }

    /// Tears everything down in the order that Proton demands.
    pub(super) async fn destroy(&self) -> anyhow::Result<()> {
        self.screen.say("tearing everything down");
        let proton = self.proton.client();
        let detach = proton.update_component().name(COMPONENT).service_name("").service_instance_name("");
        ask!("detaching the component", detach.deployment_type(ComponentDeploymentUpdateType::CurrentVersion))?;
        self.gone_or_settled(|| async {
            let got = proton.get_component().name(COMPONENT).send().await;
            got.ok().and_then(|got| got.component).is_none_or(|it| it.deployment_status == DeploymentStatus::Succeeded)
        })
        .await;
        ask!("deleting the component", proton.delete_component().name(COMPONENT))?;
        self.gone_or_settled(|| async { proton.get_component().name(COMPONENT).send().await.is_err() }).await;
        ask!("deleting the service", proton.delete_service().name(SERVICE))?;
        self.gone_or_settled(|| async { proton.get_service().name(SERVICE).send().await.is_err() }).await;
        ask!("deleting the environment", proton.delete_environment().name(ENVIRONMENT))?;
        self.gone_or_settled(|| async { proton.get_environment().name(ENVIRONMENT).send().await.is_err() }).await;
        Ok(())
    }

    async fn gone_or_settled<F: Future<Output = bool>>(&self, ended: impl Fn() -> F) {
        while !ended().await {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn upload(&self, key: &str, bundle: Vec<u8>) -> anyhow::Result<TemplateVersionSourceInput> {
        let uri = ObjectUri::new(BUCKET, key);
        self.objects
            .put(&uri, Bytes::from(bundle), "application/zip")
            .await
            .with_context(|| format!("uploading {uri}"))?;
        let source = S3ObjectSource::builder().bucket(BUCKET).key(key).build().context("naming the bundle")?;
        Ok(TemplateVersionSourceInput::S3(source))
    }
}

fn registered(status: &TemplateVersionStatus, message: Option<&str>) -> anyhow::Result<bool> {
    match status {
        TemplateVersionStatus::RegistrationFailed => bail!("registration failed: {}", message.unwrap_or_default()),
        status => Ok(*status != TemplateVersionStatus::RegistrationInProgress),
    }
}

fn deployed(status: &DeploymentStatus, message: Option<&str>) -> anyhow::Result<bool> {
    match status {
        DeploymentStatus::Succeeded => Ok(true),
        DeploymentStatus::InProgress => Ok(false),
        other => bail!("the deployment is {other}: {}", message.unwrap_or_default()),
    }
}

fn pairs(outputs: Vec<Output>) -> Vec<(String, String)> {
    outputs.into_iter().map(|it| (it.key.unwrap_or_default(), it.value_string.unwrap_or_default())).collect()
}
