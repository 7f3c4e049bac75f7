//! The offline story by AWS's own SDK against `hadron up`: everything that a user does with the examples, in one life
//! from the first template to the last deletion.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_proton::client::Waiters;
use aws_sdk_proton::error::ProvideErrorMetadata;
use aws_sdk_proton::types::{
    CompatibleEnvironmentTemplateInput, ComponentDeploymentUpdateType, DeploymentStatus, DeploymentUpdateType as Type,
    ServiceInstance, ServiceTemplateSupportedComponentSourceType as Source, TemplateVersionStatus,
};
use sha2::{Digest, Sha256};

use crate::client::{Client, Outputs, as_map, ask, eventually};
use crate::support::plane::{Plane, Start};
use crate::support::{bundle, examples};

const ENVIRONMENT: &str = "landing-zone";
const SERVICE: &str = "web-service";

/// What version 1.1 of the service template adds to its instances: an output of the newer environment, and a rule that
/// only shows when it is applied.
const RELEASE: &str = r#"
resource "terraform_data" "guard" {
  input = var.service_instance.inputs.port

  lifecycle {
    precondition {
      condition     = var.service_instance.inputs.port != 6666
      error_message = "Port 6666 is taken by the landlord."
    }
  }
}

output "Release" {
  value = "1.1 on ${var.environment.outputs.Release}"
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_offline_examples_live_from_the_first_template_to_the_last_deletion() {
    let plane = Plane::up(Start::default());
    let user = Story(Client::of(&plane).await);
    user.environment_comes_up_and_keeps_its_secret().await;
    user.service_comes_up_with_two_instances_and_a_pipeline().await;
    user.component_reaches_its_instance_at_the_next_deployment().await;
    user.one_input_is_changed_in_the_text_of_the_service().await;
    user.minor_versions_reach_environment_and_instances().await;
    user.an_added_instance_gives_the_pipeline_a_stage().await;
    user.a_failed_apply_is_told_and_mended().await;
    user.everything_goes().await;
}

struct Story(Client);

fn text(path: &str) -> String {
    fs::read_to_string(examples().join("offline").join(path)).unwrap()
}

fn folder(name: &str) -> PathBuf {
    examples().join("offline").join(name)
}

impl Story {
    async fn environment_comes_up_and_keeps_its_secret(&self) {
        let user = &self.0;
        user.environment_template(ENVIRONMENT, bundle::zipped(&folder("environment"))).await;
        let create = user.proton.create_environment().name("dev").template_name(ENVIRONMENT);
        let created = ask!(create.template_major_version("1").spec(text("environment/spec.yaml")));
        assert_eq!(created.environment.unwrap().deployment_status, DeploymentStatus::InProgress);
        user.deployed("dev").await;
        let outputs = user.outputs("dev").await;
        assert_eq!(outputs["BaseUrl"], "https://dev.acme.example");
        assert_eq!(outputs["Zones"], r#"["dev-north","dev-south"]"#);
        assert_eq!(outputs["SharedSecret"], "***");
    }

    async fn service_comes_up_with_two_instances_and_a_pipeline(&self) {
        let user = &self.0;
        user.service_template(SERVICE, ENVIRONMENT, bundle::tarred(&folder("service"))).await;
        let create = user.proton.create_service().name("shop").template_name(SERVICE).template_major_version("1");
        let create = create.repository_id("acme/shop").branch_name("main").spec(text("service/spec.yaml"));
        ask!(create);
        user.service_active("shop").await;
        let (api, web) = (self.outputs_of("api").await, self.outputs_of("web").await);
        assert_eq!(api["Url"], "https://dev.acme.example:8080/shop-api");
        assert_eq!(web["Replicas"], r#"["shop-web-0 in dev-north","shop-web-1 in dev-south"]"#);
        // The template refuses a secret that isn't whole, so the true one has arrived.
        assert_eq!(api["SecretFingerprint"], web["SecretFingerprint"]);
        assert_ne!(api["SecretFingerprint"], hex::encode(Sha256::digest("***"))[..12]);
        let pipeline = self.outputs_of_pipeline().await;
        assert_eq!(pipeline["Summary"], "acme/shop@main: source → build → deploy-api → approve-web → deploy-web");
        assert!(pipeline["Targets"].contains(&web["Url"]));
    }

    async fn component_reaches_its_instance_at_the_next_deployment(&self) {
        let proton = &self.0.proton;
        let create = proton.create_component().name("jobs").service_name("shop").service_instance_name("web");
        let create = create.template_file(text("component/component.tf"));
        ask!(create.manifest(text("component/manifest.yaml")));
        self.0.component_deployed("jobs").await;
        let component = as_map(ask!(proton.list_component_outputs().component_name("jobs")).outputs);
        assert_eq!(component["Receivers"], "2", "the instance's replicas");
        assert_eq!(self.outputs_of("web").await["QueueUrl"], "none");
        ask!(proton.update_service_instance().service_name("shop").name("web").deployment_type(Type::CurrentVersion));
        self.instance_deployed("web").await;
        assert_eq!(self.outputs_of("web").await["QueueUrl"], component["QueueUrl"]);
    }

    async fn one_input_is_changed_in_the_text_of_the_service(&self) {
        let proton = &self.0.proton;
        let known = self.spec().await;
        assert_eq!(known, text("service/spec.yaml"));
        let edited = known.replace("port: 8080", "port: 9090");
        let update = proton.update_service_instance().service_name("shop").name("api");
        let updating = ask!(update.deployment_type(Type::CurrentVersion).spec(&edited)).service_instance.unwrap();
        assert_eq!(updating.spec.as_ref(), Some(&known), "the old spec until it has succeeded");
        self.instance_deployed("api").await;
        assert_eq!(self.spec().await, edited, "comments and all");
        assert_eq!(self.outputs_of("api").await["Url"], "https://dev.acme.example:9090/shop-api");
        assert_eq!(self.outputs_of("web").await["Url"], "https://dev.acme.example:8443/shop-web");
    }

    async fn minor_versions_reach_environment_and_instances(&self) {
        let user = &self.0;
        let mut newer = bundle::files(&folder("environment"));
        newer.push(("infrastructure/release.tf".into(), b"output \"Release\" {\n  value = \"1.1\"\n}\n".to_vec()));
        self.environment_minor(newer).await;
        ask!(user.proton.update_environment().name("dev").deployment_type(Type::MinorVersion));
        user.deployed("dev").await;
        assert_eq!(user.outputs("dev").await["Release"], "1.1");
        assert_eq!(user.outputs("dev").await["SharedSecret"], "***");

        let mut newer = bundle::files(&folder("service"));
        newer.push(("instance_infrastructure/release.tf".into(), RELEASE.as_bytes().to_vec()));
        self.service_minor(newer).await;
        for name in ["api", "web"] {
            let before = self.outputs_of(name).await;
            let update = user.proton.update_service_instance().service_name("shop").name(name);
            let updating = ask!(update.deployment_type(Type::MinorVersion)).service_instance.unwrap();
            assert_eq!(updating.template_minor_version, "0", "the old version until it has succeeded");
            assert_eq!(self.instance_deployed(name).await.template_minor_version, "1");
            let after = self.outputs_of(name).await;
            assert_eq!(after["Release"], "1.1 on 1.1");
            assert_eq!((&after["Url"], &after["QueueUrl"]), (&before["Url"], &before["QueueUrl"]));
        }
    }

    async fn an_added_instance_gives_the_pipeline_a_stage(&self) {
        let worker = "\n  - name: worker\n    environment: dev\n    spec:\n      port: 7070\n";
        let spec = self.spec().await + worker;
        ask!(self.0.proton.update_service().name("shop").spec(&spec));
        self.0.service_active("shop").await;
        let stages = r#"["source","build","deploy-api","deploy-web","approve-worker","deploy-worker"]"#;
        assert_eq!(self.outputs_of_pipeline().await["Stages"], stages);
        assert_eq!(self.outputs_of("worker").await["Url"], "https://dev.acme.example:7070/shop-worker");
        assert_eq!(self.spec().await, spec);
    }

    async fn a_failed_apply_is_told_and_mended(&self) {
        let update = |spec: &str| {
            let update = self.0.proton.update_service_instance().service_name("shop").name("worker");
            update.deployment_type(Type::CurrentVersion).spec(spec)
        };
        let good = self.spec().await;
        ask!(update(&good.replace("port: 7070", "port: 6666")));
        let failed = self.instance_settled("worker").await;
        assert_eq!(failed.deployment_status, DeploymentStatus::Failed);
        let message = failed.deployment_status_message.unwrap();
        assert!(message.contains("Port 6666 is taken by the landlord."), "{message}");
        assert_eq!((failed.spec.as_ref(), &self.spec().await), (Some(&good), &good), "what failed isn't shown");
        assert_eq!(self.outputs_of("worker").await["Url"], "https://dev.acme.example:7070/shop-worker");
        ask!(update(&good.replace("port: 7070", "port: 7171")));
        self.instance_deployed("worker").await;
        assert_eq!(self.outputs_of("worker").await["Url"], "https://dev.acme.example:7171/shop-worker");
    }

    async fn everything_goes(&self) {
        let (user, long) = (&self.0, Duration::from_mins(3));
        let proton = &user.proton;
        let refused = proton.delete_service().name("shop").send().await.unwrap_err().into_service_error();
        assert!(refused.is_conflict_exception() && refused.message().unwrap().contains("Detach it first"));
        let detach = proton.update_component().name("jobs").service_name("").service_instance_name("");
        ask!(detach.deployment_type(ComponentDeploymentUpdateType::CurrentVersion));
        user.component_deployed("jobs").await;
        ask!(proton.delete_component().name("jobs"));
        proton.wait_until_component_deleted().name("jobs").wait(long).await.unwrap();

        ask!(proton.delete_service().name("shop"));
        proton.wait_until_service_deleted().name("shop").wait(long).await.unwrap();
        let left = ask!(proton.list_service_instances()).service_instances;
        assert!(left.is_empty(), "{left:?}");
        ask!(proton.delete_environment().name("dev"));
        user.gone("dev").await;

        for minor in ["0", "1"] {
            let service = proton.delete_service_template_version().template_name(SERVICE);
            ask!(service.major_version("1").minor_version(minor));
            let environment = proton.delete_environment_template_version().template_name(ENVIRONMENT);
            ask!(environment.major_version("1").minor_version(minor));
        }
        ask!(proton.delete_service_template().name(SERVICE));
        ask!(proton.delete_environment_template().name(ENVIRONMENT));
        let counts = ask!(proton.get_resources_summary()).counts.unwrap();
        assert!(counts.environments.is_none_or(|it| it.total == 0) && counts.services.is_none_or(|it| it.total == 0));
    }

    async fn environment_minor(&self, files: Vec<(String, Vec<u8>)>) {
        let proton = &self.0.proton;
        let source = self.0.upload("environment-1.1", bundle::tar_gz(&files)).await;
        let create = proton.create_environment_template_version().template_name(ENVIRONMENT).source(source);
        ask!(create.major_version("1"));
        eventually(async || {
            let get = proton.get_environment_template_version().template_name(ENVIRONMENT).major_version("1");
            let status = ask!(get.minor_version("1")).environment_template_version.unwrap().status;
            status == TemplateVersionStatus::Draft
        })
        .await;
        let publish = proton.update_environment_template_version().template_name(ENVIRONMENT);
        ask!(publish.major_version("1").minor_version("1").status(TemplateVersionStatus::Published));
    }

    async fn service_minor(&self, files: Vec<(String, Vec<u8>)>) {
        let proton = &self.0.proton;
        let source = self.0.upload("service-1.1", bundle::tar_gz(&files)).await;
        let compatible = CompatibleEnvironmentTemplateInput::builder().template_name(ENVIRONMENT);
        let create = proton.create_service_template_version().template_name(SERVICE).source(source).major_version("1");
        let create = create.compatible_environment_templates(compatible.major_version("1").build().unwrap());
        ask!(create.supported_component_sources(Source::DirectlyDefined));
        eventually(async || {
            let get = proton.get_service_template_version().template_name(SERVICE).major_version("1");
            let status = ask!(get.minor_version("1")).service_template_version.unwrap().status;
            status == TemplateVersionStatus::Draft
        })
        .await;
        let publish = proton.update_service_template_version().template_name(SERVICE);
        ask!(publish.major_version("1").minor_version("1").status(TemplateVersionStatus::Published));
    }

    async fn spec(&self) -> String {
        ask!(self.0.proton.get_service().name("shop")).service.unwrap().spec
    }

    async fn instance_settled(&self, name: &str) -> ServiceInstance {
        let mut last = None;
        eventually(async || {
            let get = self.0.proton.get_service_instance().service_name("shop").name(name);
            let instance = ask!(get).service_instance.unwrap();
            last.insert(instance).deployment_status != DeploymentStatus::InProgress
        })
        .await;
        last.unwrap()
    }

    async fn instance_deployed(&self, name: &str) -> ServiceInstance {
        let settled = self.instance_settled(name).await;
        assert_eq!(settled.deployment_status, DeploymentStatus::Succeeded, "{:?}", settled.deployment_status_message);
        settled
    }

    async fn outputs_of(&self, instance: &str) -> Outputs {
        let list = self.0.proton.list_service_instance_outputs().service_name("shop").service_instance_name(instance);
        as_map(ask!(list).outputs)
    }

    async fn outputs_of_pipeline(&self) -> Outputs {
        as_map(ask!(self.0.proton.list_service_pipeline_outputs().service_name("shop")).outputs)
    }
}
