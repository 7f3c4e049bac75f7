//! A running Hadron as the Rust SDK sees it, and templates of one file.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::time::{Duration, Instant};

use hadron::objects::{ObjectUri, Objects, ObjectsConfig};
use hadron::proton::Proton;
use hadron::proton::sdk::Client;
use hadron::proton::sdk::types::{
    CompatibleEnvironmentTemplateInput, DeploymentStatus, S3ObjectSource, ServiceTemplateSupportedComponentSourceType,
    TemplateVersionSourceInput, TemplateVersionStatus,
};
use hadron::support::{AwsAccess, Secret};

use crate::support::bundle::tar_gz;
use crate::support::plane::Plane;

const BUCKET: &str = "bundles";

/// Longer than any deployment here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The input type of every template here: whether its Terraform shall fail.
const TYPES: &str = "  types:\n    Input:\n      type: object\n      properties:\n        broken:\n          \
                     type: boolean\n          default: false\n";

pub(crate) const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      \
                                   template_language: terraform\n";

/// Proton and the object store of one control plane.
pub(crate) struct Site {
    pub(crate) proton: Client,
    objects: Objects,
}

impl Site {
    /// With the key that the plane printed.
    pub(crate) async fn of(plane: &Plane) -> Self {
        let exported = plane.exported();
        let key = (exported["AWS_ACCESS_KEY_ID"].clone(), Secret::new(exported["AWS_SECRET_ACCESS_KEY"].clone()));
        let (endpoint, region) = (Some(plane.endpoint().to_owned()), exported["AWS_REGION"].clone());
        let access = AwsAccess {
            endpoint: endpoint.clone(),
            region: Some(region.clone()),
            credentials: Some(key.clone()),
            trust: None,
        };
        let proton = Proton::new(&access).await.client().clone();
        let objects =
            Objects::new(ObjectsConfig { endpoint, region, credentials: Some(key), path_style: true, trust: None })
                .await;
        objects.create_bucket(BUCKET).await.unwrap();
        Self { proton, objects }
    }

    /// Registers and publishes the next minor version of an environment template, making the template if need be.
    pub(crate) async fn environment_template(&self, name: &str, main_tf: &str) {
        let files = [
            (
                "schema/schema.yaml",
                format!("{}{TYPES}", "schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: Input\n"),
            ),
            ("infrastructure/manifest.yaml", MANIFEST.to_owned()),
            ("infrastructure/main.tf", main_tf.to_owned()),
        ];
        let source = self.upload(name, &files).await;
        let mut create = self.proton.create_environment_template_version().template_name(name).source(source);
        if self.proton.create_environment_template().name(name).send().await.is_err() {
            // It is there; without a number this would be a new major version.
            create = create.major_version("1");
        }
        let made = create.send().await.unwrap().environment_template_version.unwrap();
        let minor = made.minor_version;
        let began = Instant::now();
        loop {
            let get = self.proton.get_environment_template_version().template_name(name).major_version("1");
            let it = get.minor_version(&minor).send().await.unwrap().environment_template_version.unwrap();
            match it.status {
                TemplateVersionStatus::RegistrationInProgress => pause(began).await,
                TemplateVersionStatus::Draft => break,
                other => panic!("{name} is {other}: {:?}", it.status_message),
            }
        }
        let publish = self.proton.update_environment_template_version().template_name(name).major_version("1");
        publish.minor_version(minor).status(TemplateVersionStatus::Published).send().await.unwrap();
    }

    /// Registers and publishes version 1.0 of a service template with a pipeline, for environments of `environment`.
    pub(crate) async fn service_template(&self, name: &str, environment: &str, instance: &str, pipeline: &str) {
        let types =
            "schema:\n  format:\n    openapi: \"3.0.0\"\n  service_input_type: Input\n  pipeline_input_type: Input\n";
        let manifest = MANIFEST.to_owned();
        let files = [
            ("schema/schema.yaml", format!("{types}{TYPES}")),
            ("instance_infrastructure/manifest.yaml", manifest.clone()),
            ("instance_infrastructure/main.tf", instance.to_owned()),
            ("pipeline_infrastructure/manifest.yaml", manifest),
            ("pipeline_infrastructure/main.tf", pipeline.to_owned()),
        ];
        let source = self.upload(name, &files).await;
        self.proton.create_service_template().name(name).send().await.unwrap();
        let compatible = CompatibleEnvironmentTemplateInput::builder().template_name(environment).major_version("1");
        let create = self.proton.create_service_template_version().template_name(name).source(source);
        let create = create.compatible_environment_templates(compatible.build().unwrap());
        let directly = ServiceTemplateSupportedComponentSourceType::DirectlyDefined;
        create.supported_component_sources(directly).send().await.unwrap();
        let began = Instant::now();
        loop {
            let get = self.proton.get_service_template_version().template_name(name).major_version("1");
            let it = get.minor_version("0").send().await.unwrap().service_template_version.unwrap();
            match it.status {
                TemplateVersionStatus::RegistrationInProgress => pause(began).await,
                TemplateVersionStatus::Draft => break,
                other => panic!("{name} is {other}: {:?}", it.status_message),
            }
        }
        let publish = self.proton.update_service_template_version().template_name(name).major_version("1");
        publish.minor_version("0").status(TemplateVersionStatus::Published).send().await.unwrap();
    }

    async fn upload(&self, name: &str, files: &[(&str, String)]) -> TemplateVersionSourceInput {
        let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), text.clone().into_bytes())).collect();
        self.objects.put(&ObjectUri::new(BUCKET, name), tar_gz(&files).into(), "application/gzip").await.unwrap();
        let source = S3ObjectSource::builder().bucket(BUCKET).key(name).build().unwrap();
        TemplateVersionSourceInput::S3(source)
    }

    /// Creates an environment and waits for its end.
    pub(crate) async fn environment(&self, name: &str, template: &str, broken: bool) -> (DeploymentStatus, String) {
        self.begin_environment(name, template, broken).await;
        self.environment_settled(name).await.expect("it isn't being deleted")
    }

    /// Creates an environment.
    pub(crate) async fn begin_environment(&self, name: &str, template: &str, broken: bool) {
        let create = self.proton.create_environment().name(name).template_name(template).template_major_version("1");
        create.spec(environment_spec(broken)).send().await.unwrap();
    }

    /// How an environment's deployment ended; None if the environment is gone.
    pub(crate) async fn environment_settled(&self, name: &str) -> Option<(DeploymentStatus, String)> {
        settled(|| async {
            let got = self.proton.get_environment().name(name).send().await;
            let it = got.ok()?.environment?;
            Some((it.deployment_status, it.deployment_status_message))
        })
        .await
    }

    /// The same for a service's instance.
    pub(crate) async fn instance_settled(&self, service: &str, name: &str) -> Option<(DeploymentStatus, String)> {
        settled(|| async {
            let got = self.proton.get_service_instance().service_name(service).name(name).send().await;
            let it = got.ok()?.service_instance?;
            Some((it.deployment_status, it.deployment_status_message))
        })
        .await
    }

    /// The same for a service's pipeline.
    pub(crate) async fn pipeline_settled(&self, service: &str) -> Option<(DeploymentStatus, String)> {
        settled(|| async {
            let it = self.proton.get_service().name(service).send().await.ok()?.service?.pipeline?;
            Some((it.deployment_status, it.deployment_status_message))
        })
        .await
    }

    /// The same for a component.
    pub(crate) async fn component_settled(&self, name: &str) -> Option<(DeploymentStatus, String)> {
        settled(|| async {
            let it = self.proton.get_component().name(name).send().await.ok()?.component?;
            Some((it.deployment_status, it.deployment_status_message))
        })
        .await
    }

    /// Waits while a service is being changed; its status at the end, None if it is gone.
    pub(crate) async fn service_settled(&self, name: &str) -> Option<String> {
        let began = Instant::now();
        loop {
            let it = self.proton.get_service().name(name).send().await.ok()?.service?;
            if !it.status.as_str().ends_with("IN_PROGRESS") {
                return Some(it.status.as_str().to_owned());
            }
            pause(began).await;
        }
    }

    /// An environment's outputs by their names.
    pub(crate) async fn outputs(&self, environment: &str) -> Vec<(String, String)> {
        let listed = self.proton.list_environment_outputs().environment_name(environment).send().await.unwrap();
        let text = |text: Option<String>| text.unwrap_or_default();
        listed.outputs.into_iter().map(|output| (text(output.key), text(output.value_string))).collect()
    }
}

/// A spec for [`Site::environment_template`].
pub(crate) fn environment_spec(broken: bool) -> String {
    format!("proton: EnvironmentSpec\nspec:\n  broken: {broken}\n")
}

async fn settled<F>(ask: impl Fn() -> F) -> Option<(DeploymentStatus, String)>
where
    F: Future<Output = Option<(DeploymentStatus, Option<String>)>>,
{
    let began = Instant::now();
    loop {
        let (status, message) = ask().await?;
        if !matches!(
            status,
            DeploymentStatus::InProgress | DeploymentStatus::DeleteInProgress | DeploymentStatus::Cancelling
        ) {
            return Some((status, message.unwrap_or_default()));
        }
        pause(began).await;
    }
}

/// The stock waiters look every five seconds.
async fn pause(began: Instant) {
    assert!(began.elapsed() < PATIENCE, "it doesn't end");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
