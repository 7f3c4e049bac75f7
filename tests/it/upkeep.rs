//! New deployments and the bucket: nothing is offered before it is published, nothing is lost while the bucket is away.

use std::time::Duration;

use hadron::control_plane::deployments::{tidy, upkeep};
use hadron::control_plane::records::{BundleRef, Template, TemplateKind, TemplateVersion, Version};
use hadron::control_plane::seal::Sealer;
use hadron::control_plane::store::{Sqlite, Store, StoreError, Transaction, Typed};
use hadron::control_plane::wire::paging::PageKey;
use hadron::control_plane::wire::{Call, Caller};
use hadron::control_plane::{Plane, PlaneSettings};
use hadron::domain::Scope;
use hadron::objects::{Objects, ObjectsConfig};
use hadron::support::{Clock, Secret};
use hadron_model::hadron::Role;
use hadron_model::{CreateEnvironmentInput, ListDeploymentsInput, Proton, TemplateVersionStatus};
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::far_end::s3;

const SCHEMA: &str = "\
schema:
  format: {openapi: 3.0.0}
  environment_input_type: In
  types:
    In: {type: object, properties: {zones: {type: integer, default: 2}}}
";

fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

/// A plane whose bucket is a store at `url`, with a published template.
async fn plane(url: &str) -> Plane {
    let bucket = ObjectsConfig {
        endpoint: Some(url.to_owned()),
        region: "us-east-1".into(),
        credentials: Some(("AKIDHADRON".into(), Secret::new("secret"))),
        path_style: true,
        trust: None,
    };
    let settings = PlaneSettings {
        bucket: "hadron".into(),
        base_url: "http://127.0.0.1:9440".into(),
        lease: Duration::from_mins(1),
        serves_state: true,
        serves_objects: false,
        limits: hadron::control_plane::DeploymentLimits::default(),
    };
    let plane = Plane::new(
        Store::new(Sqlite::temporary().unwrap()),
        Objects::new(bucket).await,
        Sealer::ephemeral(),
        Clock::fixed(1_000_000),
        settings,
    );
    let add = |tx: &mut dyn Transaction| {
        tx.add(&scope(), &template())?;
        tx.add(&scope(), &version())
    };
    plane.store.write::<_, StoreError, _>(add).await.unwrap();
    plane
}

fn template() -> Template {
    Template {
        kind: TemplateKind::Environment,
        name: "net".into(),
        created_at: 0,
        last_modified_at: 0,
        description: None,
        display_name: None,
        encryption_key: None,
        customer_managed: false,
        recommended: Some(Version { major: 1, minor: 0 }),
    }
}

fn version() -> TemplateVersion {
    TemplateVersion {
        kind: TemplateKind::Environment,
        template: "net".into(),
        version: Version { major: 1, minor: 0 },
        status: TemplateVersionStatus::Published,
        status_message: String::new(),
        created_at: 0,
        last_modified_at: 0,
        published_at: None,
        description: None,
        source_bucket: "b".into(),
        source_key: "k".into(),
        schema: Some(SCHEMA.into()),
        bundle: Some(BundleRef { uri: "s3://hadron/bundles/sha256/d".into(), digest: "d".into() }),
        has_pipeline: false,
        compatible: Vec::new(),
        component_sources: Vec::new(),
    }
}

fn call(headers: &[(&'static str, &'static str)]) -> Call {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    Call {
        caller: Caller {
            access_key: "AKIA1".into(),
            principal: "arn".into(),
            role: Role::Admin,
            groups: Vec::new(),
            environments: Vec::new(),
        },
        peer: None,
        scope: scope(),
        request_id: "r".into(),
        now: 1_000_000,
        page_key: PageKey::derive(&Secret::new("s")),
        headers: map,
        answer_headers: HeaderMap::new(),
    }
}

async fn create(plane: &Plane) {
    let input = CreateEnvironmentInput {
        codebuild_role_arn: None,
        component_role_arn: None,
        description: None,
        environment_account_connection_id: None,
        name: "dev".into(),
        proton_service_role_arn: None,
        provisioning_repository: None,
        spec: "proton: EnvironmentSpec\nspec: {}\n".into(),
        tags: None,
        template_major_version: "1".into(),
        template_minor_version: None,
        template_name: "net".into(),
    };
    plane.create_environment(&mut call(&[]), input).await.unwrap();
}

/// How many deployments an agent is offered within so many seconds.
async fn offered(plane: &Plane, seconds: &'static str) -> usize {
    let mut call = call(&[("x-hadron-agent", "a"), ("x-hadron-wait", seconds)]);
    plane.list_deployments(&mut call, ListDeploymentsInput::default()).await.unwrap().deployments.len()
}

#[tokio::test]
async fn a_waiting_agent_is_offered_new_work_once_its_inputs_are_in_the_bucket() {
    let far = s3::start().await;
    let plane = plane(&far.url).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(upkeep(plane.clone(), stop.clone()));
    let waiting = tokio::spawn({
        let plane = plane.clone();
        async move { offered(&plane, "50").await }
    });
    create(&plane).await;
    assert_eq!(waiting.await.unwrap(), 1);
    let keys = far.keys("hadron/inputs/sha256/");
    let [key] = &keys[..] else { panic!("one object is published, not {keys:?}") };
    let bytes = far.get(key).unwrap();
    assert_eq!(*key, format!("hadron/inputs/sha256/{}.json", hex::encode(Sha256::digest(&bytes))));
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(document["environment"]["inputs"]["zones"], 2);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_a_bucket_that_is_away_misses_is_published_when_it_is_back() {
    let far = s3::start().await;
    let plane = plane(&far.url).await;
    *far.store.down.lock().unwrap() = true;
    create(&plane).await;
    let error = tidy(&plane).await.unwrap_err();
    assert!(error.to_string().contains("s3://hadron/inputs/sha256/"), "{error}");
    assert_eq!(offered(&plane, "0").await, 0);
    *far.store.down.lock().unwrap() = false;
    tidy(&plane).await.unwrap();
    assert_eq!(offered(&plane, "0").await, 1);
    assert_eq!(far.keys("hadron/inputs/").len(), 1);
    tidy(&plane).await.unwrap();
}
