//! A user of Proton by its SDK: registers templates, creates things, waits, reads outputs.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_proton::types::{
    CompatibleEnvironmentTemplateInput, DeploymentStatus, DeploymentUpdateType, Output, S3ObjectSource, ServiceStatus,
    ServiceTemplateSupportedComponentSourceType, TemplateVersionSourceInput, TemplateVersionStatus,
};
use hadron::support::{AwsAccess, Secret};

use crate::support::bundle::tar_gz;
use crate::support::plane::Plane;

const BUCKET: &str = "templates";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Outputs by name.
pub(crate) type Outputs = BTreeMap<String, String>;

/// Both SDKs with one key.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) proton: aws_sdk_proton::Client,
    pub(crate) s3: aws_sdk_s3::Client,
}

/// Asks, and fails the test with the service's own words.
macro_rules! ask {
    ($request:expr) => {
        match $request.send().await {
            Ok(answer) => answer,
            Err(error) => panic!("{}", aws_smithy_types::error::display::DisplayErrorContext(error)),
        }
    };
}
pub(crate) use ask;

impl Client {
    /// Asks a plane, with the key that it printed.
    pub(crate) async fn of(plane: &Plane) -> Self {
        let exported = plane.exported();
        let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
        Self::at(plane.endpoint(), &key, (plane.endpoint(), &key)).await
    }

    /// Asks Proton as one and S3 as another.
    pub(crate) async fn at(endpoint: &str, key: &(String, String), s3: (&str, &(String, String))) -> Self {
        let proton = access(endpoint, key).sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&access(s3.0, s3.1).sdk_config().await).force_path_style(true);
        Self { proton: aws_sdk_proton::Client::new(&proton), s3: aws_sdk_s3::Client::from_conf(s3.build()) }
    }

    /// Puts a bundle where templates are registered from.
    pub(crate) async fn upload(&self, name: &str, bundle: Vec<u8>) -> TemplateVersionSourceInput {
        // It may be there already.
        drop(self.s3.create_bucket().bucket(BUCKET).send().await);
        ask!(self.s3.put_object().bucket(BUCKET).key(name).body(bundle.into()));
        TemplateVersionSourceInput::S3(S3ObjectSource::builder().bucket(BUCKET).key(name).build().unwrap())
    }

    /// Registers and publishes version 1.0 of a new environment template.
    pub(crate) async fn environment_template(&self, name: &str, bundle: Vec<u8>) {
        let source = self.upload(name, bundle).await;
        ask!(self.proton.create_environment_template().name(name));
        ask!(self.proton.create_environment_template_version().template_name(name).source(source));
        eventually(async || {
            let get = self.proton.get_environment_template_version().template_name(name);
            let version = ask!(get.major_version("1").minor_version("0")).environment_template_version.unwrap();
            registered(&version.status, version.status_message.as_deref())
        })
        .await;
        let publish = self.proton.update_environment_template_version().template_name(name);
        ask!(publish.major_version("1").minor_version("0").status(TemplateVersionStatus::Published));
    }

    /// Registers and publishes version 1.0 of a new service template.
    pub(crate) async fn service_template(&self, name: &str, environment_template: &str, bundle: Vec<u8>) {
        let source = self.upload(name, bundle).await;
        ask!(self.proton.create_service_template().name(name));
        let compatible = CompatibleEnvironmentTemplateInput::builder().template_name(environment_template);
        let create = self.proton.create_service_template_version().template_name(name).source(source);
        let create = create.compatible_environment_templates(compatible.major_version("1").build().unwrap());
        ask!(create.supported_component_sources(ServiceTemplateSupportedComponentSourceType::DirectlyDefined));
        eventually(async || {
            let get = self.proton.get_service_template_version().template_name(name);
            let version = ask!(get.major_version("1").minor_version("0")).service_template_version.unwrap();
            registered(&version.status, version.status_message.as_deref())
        })
        .await;
        let publish = self.proton.update_service_template_version().template_name(name);
        ask!(publish.major_version("1").minor_version("0").status(TemplateVersionStatus::Published));
    }

    /// Creates an environment and doesn't wait.
    pub(crate) async fn create_environment(&self, name: &str, template: &str, inputs: &str) {
        let create = self.proton.create_environment().name(name).template_name(template).template_major_version("1");
        ask!(create.spec(spec(inputs)));
    }

    /// Gives an environment other inputs and doesn't wait.
    pub(crate) async fn update_environment(&self, name: &str, inputs: &str) {
        let update = self.proton.update_environment().name(name).deployment_type(DeploymentUpdateType::CurrentVersion);
        ask!(update.spec(spec(inputs)));
    }

    /// How an environment stands.
    pub(crate) async fn environment(&self, name: &str) -> (DeploymentStatus, String) {
        let found = ask!(self.proton.get_environment().name(name)).environment.unwrap();
        (found.deployment_status, found.deployment_status_message.unwrap_or_default())
    }

    /// Waits until an environment's deployment has ended, and says how.
    pub(crate) async fn settled(&self, name: &str) -> (DeploymentStatus, String) {
        let mut last = None;
        eventually(async || {
            let (status, message) = self.environment(name).await;
            let done = !matches!(status, DeploymentStatus::InProgress | DeploymentStatus::Cancelling);
            last = Some((status, message));
            done
        })
        .await;
        last.expect("it was asked at least once")
    }

    /// Waits until an environment's deployment has succeeded.
    pub(crate) async fn deployed(&self, name: &str) {
        let (status, message) = self.settled(name).await;
        assert_eq!(status, DeploymentStatus::Succeeded, "environment {name}: {message}");
    }

    /// Waits until an environment is no more.
    pub(crate) async fn gone(&self, name: &str) {
        eventually(async || self.proton.get_environment().name(name).send().await.is_err()).await;
    }

    /// Waits until a service and all that belongs to it is deployed.
    pub(crate) async fn service_active(&self, name: &str) {
        eventually(async || {
            let service = ask!(self.proton.get_service().name(name)).service.unwrap();
            let message = service.status_message.unwrap_or_default();
            assert!(!service.status.as_str().contains("FAILED"), "service {name} is {}: {message}", service.status);
            service.status == ServiceStatus::Active
        })
        .await;
    }

    /// Waits until a component is deployed.
    pub(crate) async fn component_deployed(&self, name: &str) {
        eventually(async || {
            let component = ask!(self.proton.get_component().name(name)).component.unwrap();
            let message = component.deployment_status_message.unwrap_or_default();
            assert_ne!(component.deployment_status, DeploymentStatus::Failed, "component {name}: {message}");
            component.deployment_status == DeploymentStatus::Succeeded
        })
        .await;
    }

    /// An environment's outputs.
    pub(crate) async fn outputs(&self, environment: &str) -> Outputs {
        as_map(ask!(self.proton.list_environment_outputs().environment_name(environment)).outputs)
    }
}

/// A key's holder at an endpoint.
pub(crate) fn access(endpoint: &str, (id, secret): &(String, String)) -> AwsAccess {
    AwsAccess {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".into()),
        credentials: Some((id.clone(), Secret::new(secret))),
        trust: None,
    }
}

/// Outputs by name.
pub(crate) fn as_map(outputs: Vec<Output>) -> Outputs {
    outputs.into_iter().map(|it| (it.key.unwrap_or_default(), it.value_string.unwrap_or_default())).collect()
}

/// Asks again and again until it is so.
///
/// # Panics
/// When it never is.
pub(crate) async fn eventually(mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < PATIENCE, "it doesn't happen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn registered(status: &TemplateVersionStatus, message: Option<&str>) -> bool {
    assert_ne!(*status, TemplateVersionStatus::RegistrationFailed, "{}", message.unwrap_or_default());
    *status != TemplateVersionStatus::RegistrationInProgress
}

/// An environment's spec with these inputs, as lines of `name: value`.
pub(crate) fn spec(inputs: &str) -> String {
    let lines: Vec<String> = inputs.lines().map(|line| format!("  {}\n", line.trim())).collect();
    let lines = if lines.is_empty() { "  {}\n".to_owned() } else { lines.concat() };
    format!("proton: EnvironmentSpec\nspec:\n{lines}")
}

/// An environment template of one file, with a text input for each name.
pub(crate) fn environment_bundle(inputs: &[&str], main: &str) -> Vec<u8> {
    let schema = format!(
        "schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: Input\n  types:\n    Input:\n      \
         type: object\n      properties:\n{}",
        properties(inputs)
    );
    archive(&[
        ("schema/schema.yaml", &schema),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", main),
    ])
}

/// A service template without inputs, with a pipeline.
pub(crate) fn service_bundle(instance: &str, pipeline: &str) -> Vec<u8> {
    let schema = format!(
        "schema:\n  format:\n    openapi: \"3.0.0\"\n  service_input_type: Input\n  pipeline_input_type: Pipe\n  types:\n    \
         Input:\n      type: object\n      properties:\n{0}    Pipe:\n      type: object\n      properties:\n{0}",
        properties(&["word"])
    );
    archive(&[
        ("schema/schema.yaml", &schema),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/main.tf", instance),
        ("pipeline_infrastructure/manifest.yaml", MANIFEST),
        ("pipeline_infrastructure/main.tf", pipeline),
    ])
}

pub(crate) const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      \
    template_language: terraform\n";

fn properties(names: &[&str]) -> String {
    let property = |name: &&str| format!("        {name}:\n          type: string\n          default: \"\"\n");
    names.iter().map(property).collect::<Vec<_>>().concat()
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    tar_gz(&files)
}
