//! The agent at a stock Proton, which names neither bundle nor inputs: what it assembles is what the control plane has
//! made, byte for byte. The plane is the real one; only what is Hadron's own doesn't get through to the agent.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

mod bundles;
mod stock;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_proton::Client;
use aws_sdk_proton::client::Waiters;
use aws_sdk_proton::types::{
    CompatibleEnvironmentTemplateInput, ComponentDeploymentUpdateType, DeploymentTargetResourceType as Kind,
    DeploymentUpdateType, S3ObjectSource, ServiceTemplateSupportedComponentSourceType, TemplateVersionSourceInput,
    TemplateVersionStatus,
};
use hadron::agent::{Agent, Config, EnvironmentConfig, HostConfig, S3State};
use hadron::control_plane::deployments::upkeep;
use hadron::domain::Verdict;
use hadron::objects::ObjectsConfig;
use hadron::support::{AwsAccess, Clock, Secret};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::wire::bench::{Bench, Time};

const ENVIRONMENT_SPEC: &str = "proton: EnvironmentSpec\nspec: {domain: acme.example, open: true}\n";

const SERVICE_SPEC: &str = "\
proton: ServiceSpec
pipeline: {approve: false}
instances:
  - {name: web, environment: dev, spec: {port: 8443, features: [search], size: large}}
  - {name: api, environment: dev, spec: {port: 8080}}
";

/// The plane, its door, and an agent in front of it.
struct Scene {
    bench: Arc<Bench>,
    client: Client,
    agent: Agent,
    data: tempfile::TempDir,
    /// The inputs object of every deployment seen so far, by the deployment's id.
    made: BTreeMap<String, (Kind, String)>,
    _stop: DropGuard,
}

impl Scene {
    async fn start(bundles: Option<&str>) -> Self {
        let bench = Arc::new(Bench::start(Time::Real).await);
        let stop = CancellationToken::new();
        tokio::spawn(upkeep(bench.plane.clone(), stop.clone()));
        let data = tempfile::tempdir().unwrap();
        let bundles = bundles.map(|location| location.parse().unwrap());
        let config = Config { bundles, ..config(&bench, &stock::door(&bench).await, &data) };
        let agent = Agent::new(config).await.unwrap();
        let client = bench.client().await;
        Self { bench, client, agent, data, made: BTreeMap::new(), _stop: stop.drop_guard() }
    }

    /// Lets the agent do all there is, and notes which inputs the plane has made for it.
    async fn drain(&mut self) {
        let verdict = self.agent.drain(CancellationToken::new()).await.unwrap();
        let deployments = self.client.list_deployments().send().await.unwrap().deployments;
        let told: Vec<_> = deployments.iter().map(|it| (it.target_arn(), it.deployment_status())).collect();
        assert_eq!(verdict, Verdict::Done, "{told:?}");
        for deployment in deployments {
            let tags = self.client.list_tags_for_resource().resource_arn(&deployment.arn).send().await.unwrap().tags;
            let inputs = tags.into_iter().find(|tag| tag.key == "hadron:inputs").unwrap().value;
            self.made.insert(deployment.id, (deployment.target_resource_type, inputs));
        }
    }

    /// The inputs that the plane has made for a deployment, and those that the agent gave to Terraform, in the same form.
    fn both(&self, id: &str) -> (String, String) {
        let object = self.made[id].1.strip_prefix("s3://").unwrap();
        let plane = self.bench.s3.get(object).unwrap_or_else(|| panic!("{object} isn't there"));
        let path = self.data.path().join("runs").join(id).join("1").join("work").join("proton.auto.tfvars.json");
        let agent: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        (String::from_utf8(plane.to_vec()).unwrap(), serde_json::to_string_pretty(&agent).unwrap())
    }

    /// The deployment that destroyed the instance to which the component was attached.
    async fn last_of_web(&self) -> String {
        let list = self.client.list_deployments().service_name("shop").service_instance_name("web");
        list.send().await.unwrap().deployments.remove(0).id
    }

    async fn environment_outputs(&self) -> BTreeMap<String, String> {
        let outputs = self.client.list_environment_outputs().environment_name("dev").send().await.unwrap().outputs;
        outputs.into_iter().filter_map(|output| output.key.zip(output.value_string)).collect()
    }
}

/// The outputs of a component that was deleted are in no answer of Proton's; what used them is destroyed without.
fn without_component(inputs: &str) -> String {
    let mut document: Value = serde_json::from_str(inputs).unwrap();
    let components = document["service_instance"]["components"].as_object_mut().unwrap();
    assert_eq!(components.remove("default").unwrap()["name"], "jobs");
    serde_json::to_string_pretty(&document).unwrap()
}

fn config(bench: &Bench, door: &str, data: &tempfile::TempDir) -> Config {
    let state = S3State {
        bucket: "state".into(),
        region: "us-east-1".into(),
        endpoint: Some(bench.s3.url.clone()),
        use_path_style: true,
        dynamodb_table: None,
    };
    let choices = EnvironmentConfig { state: Some(state), ..EnvironmentConfig::default() };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Config {
        name: "stock".into(),
        data: data.path().to_owned(),
        concurrency: 2,
        proton: AwsAccess {
            endpoint: Some(door.to_owned()),
            region: Some("us-east-1".into()),
            credentials: Some(("AKIDAGENT".into(), Secret::new("agent"))),
            trust: None,
        },
        objects: ObjectsConfig {
            endpoint: Some(bench.s3.url.clone()),
            region: "us-east-1".into(),
            credentials: Some(("AKIDSITE".into(), Secret::new("site"))),
            path_style: true,
            trust: None,
        },
        bundles: None,
        terraform: None,
        search_path: std::env::var_os("PATH").unwrap_or_default(),
        provider_store: None,
        supervisor: PathBuf::from(env!("CARGO_BIN_EXE_hadron")),
        child_env: [pair("AWS_ACCESS_KEY_ID", "AKIDTERRAFORM"), pair("AWS_SECRET_ACCESS_KEY", "x")].into(),
        environments: [("*".to_owned(), choices)].into(),
        bound_to: Vec::new(),
        poll_wait: Duration::from_secs(1),
        lock_timeout: Duration::from_secs(5),
        approval_wait: None,
        forge: None,
        watch_every: std::time::Duration::from_secs(30),
        settle_patience: Duration::from_mins(30),
        host: HostConfig::default(),
        clock: Clock::system(),
    }
}

fn source(key: &str) -> TemplateVersionSourceInput {
    TemplateVersionSourceInput::S3(S3ObjectSource::builder().bucket("site").key(key).build().unwrap())
}

/// Registers an environment template and two versions of a service template, whose bundles stay where they are.
async fn register(scene: &Scene) {
    let (client, s3) = (&scene.client, &scene.bench.s3);
    s3.put("site/bundles/net/1.0.tar.gz", bundles::environment());
    s3.put("site/bundles/web/1.0.tar.gz", bundles::service(""));
    s3.put("site/bundles/web/1.1.tar.gz", bundles::service("tier: { type: integer, default: 3 }"));
    client.create_environment_template().name("net").send().await.unwrap();
    let create = client.create_environment_template_version().template_name("net");
    create.source(source("bundles/net/1.0.tar.gz")).send().await.unwrap();
    let wait = client.wait_until_environment_template_version_registered().template_name("net");
    wait.major_version("1").minor_version("0").wait(Duration::from_secs(30)).await.unwrap();
    let publish = client.update_environment_template_version().template_name("net").major_version("1");
    publish.minor_version("0").status(TemplateVersionStatus::Published).send().await.unwrap();

    client.create_service_template().name("web").send().await.unwrap();
    for (major, minor) in [(None, "0"), (Some("1"), "1")] {
        let fits = CompatibleEnvironmentTemplateInput::builder().template_name("net").major_version("1").build();
        let create =
            client.create_service_template_version().template_name("web").set_major_version(major.map(Into::into));
        let create = create.compatible_environment_templates(fits.unwrap());
        let create = create.supported_component_sources(ServiceTemplateSupportedComponentSourceType::DirectlyDefined);
        create.source(source(&format!("bundles/web/1.{minor}.tar.gz"))).send().await.unwrap();
        let wait = client.wait_until_service_template_version_registered().template_name("web");
        wait.major_version("1").minor_version(minor).wait(Duration::from_secs(30)).await.unwrap();
        let publish = client.update_service_template_version().template_name("web").major_version("1");
        publish.minor_version(minor).status(TemplateVersionStatus::Published).send().await.unwrap();
    }
}

/// A life of everything: each kind created, updated and deleted.
async fn live(scene: &mut Scene) {
    let client = scene.client.clone();
    let create = client.create_environment().name("dev").template_name("net").template_major_version("1");
    create.spec(ENVIRONMENT_SPEC).send().await.unwrap();
    scene.drain().await;

    let create = client.create_service().name("shop").template_name("web").template_major_version("1");
    let create = create.template_minor_version("0").repository_id("acme/shop").branch_name("main");
    let connection = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc123";
    create.repository_connection_arn(connection).spec(SERVICE_SPEC).send().await.unwrap();
    scene.drain().await;

    let create = client.create_component().name("jobs").service_name("shop").service_instance_name("web");
    let create = create.manifest(bundles::COMPONENT_MANIFEST).template_file(bundles::COMPONENT);
    create.service_spec(SERVICE_SPEC.replace("8443", "9443")).send().await.unwrap();
    scene.drain().await;

    // The instance is given the outputs that were there when its deployment began, whatever comes first.
    let update = client.update_service_instance().service_name("shop").name("web");
    let update = update.deployment_type(DeploymentUpdateType::MinorVersion).template_major_version("1");
    let kept = SERVICE_SPEC.replace("port: 8443", "port: \"${Proton::CURRENT_VAL}\"");
    update.template_minor_version("1").spec(kept).send().await.unwrap();
    let before = scene.environment_outputs().await;
    let update = client.update_environment().name("dev").deployment_type(DeploymentUpdateType::CurrentVersion);
    let update = update.spec(ENVIRONMENT_SPEC.replace("acme", "moved")).send().await.unwrap();
    let id = update.environment.unwrap().last_attempted_deployment_id.unwrap();
    assert_eq!(scene.agent.deploy(&id, CancellationToken::new()).await.unwrap().verdict, Verdict::Done);
    assert_ne!(scene.environment_outputs().await, before);
    scene.drain().await;

    // The pipeline's instances run different versions of the template, one of them goes and one comes, in another order.
    let api = "  - {name: api, environment: dev, spec: {port: 8080}}\n";
    let batch = "instances:\n  - {name: batch, environment: dev, spec: {port: 25}}\n";
    let spec = SERVICE_SPEC.replace(api, "").replace("instances:\n", batch);
    client.update_service().name("shop").spec(&spec).send().await.unwrap();
    scene.drain().await;

    let update = client.update_component().name("jobs").service_name("").service_instance_name("");
    update.deployment_type(ComponentDeploymentUpdateType::CurrentVersion).send().await.unwrap();
    scene.drain().await;
    client.delete_component().name("jobs").send().await.unwrap();
    scene.drain().await;
    client.delete_service().name("shop").send().await.unwrap();
    scene.drain().await;
    client.delete_environment().name("dev").send().await.unwrap();
    scene.drain().await;
}

#[tokio::test]
async fn what_is_assembled_at_a_stock_endpoint_is_what_the_control_plane_has_made() {
    let mut scene = Scene::start(Some("s3://site/bundles/{template}/{version}.tar.gz")).await;
    register(&scene).await;
    live(&mut scene).await;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let destroyed = scene.last_of_web().await;
    for (id, (kind, _)) in &scene.made {
        let (plane, agent) = scene.both(id);
        let plane = if *id == destroyed { without_component(&plane) } else { plane };
        assert_eq!(agent, plane, "{kind:?} {id}");
        *kinds.entry(kind.as_str()).or_default() += 1;
    }
    let expected = [("COMPONENT", 3), ("ENVIRONMENT", 3), ("SERVICE_INSTANCE", 7), ("SERVICE_PIPELINE", 3)];
    assert_eq!(kinds, expected.into());
    for key in scene.bench.s3.keys("state/") {
        let state: Value = serde_json::from_slice(&scene.bench.s3.get(&key).unwrap()).unwrap();
        assert_eq!(state["resources"], serde_json::json!([]), "{key} is destroyed");
    }
    let services = scene.client.list_services().send().await.unwrap().services;
    let environments = scene.client.list_environments().send().await.unwrap().environments;
    assert!(services.is_empty() && environments.is_empty());
}

#[tokio::test]
async fn without_a_location_of_bundles_the_way_out_is_named() {
    let scene = Scene::start(None).await;
    register(&scene).await;
    let create = scene.client.create_environment().name("dev").template_name("net").template_major_version("1");
    create.spec(ENVIRONMENT_SPEC).send().await.unwrap();
    assert_eq!(scene.agent.drain(CancellationToken::new()).await.unwrap().exit_code(), 3);
    let environment = scene.client.get_environment().name("dev").send().await.unwrap().environment.unwrap();
    let message = environment.deployment_status_message.unwrap();
    assert!(
        message.contains("HADRON_BUNDLES") && message.contains("s3://BUCKET/{template}/{version}.tar.gz"),
        "{message}"
    );
}
