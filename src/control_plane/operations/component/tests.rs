//! Components through their operations: where they are attached, and when they may go.

use hadron_model::{
    Component, ComponentDeploymentUpdateType as T, CreateComponentInput, DeleteComponentInput, DeleteEnvironmentInput,
    DeploymentStatus as S, GetComponentInput, ListComponentsInput, Proton, UpdateComponentInput,
};
use serde_json::{Value, json};

use crate::control_plane::records::{Action, Deployment, Output, ServiceInstance, TemplateKind};
use crate::control_plane::test_plane::{TestPlane, instance, service_spec};
use crate::control_plane::wire::ProtonError;

const MANIFEST: &str = "\
infrastructure:
  templates:
    - file: queue.tf
      rendering_engine: hcl
      template_language: terraform
";

const FILE: &str = "resource \"terraform_data\" \"queue\" {}\n";

const SCHEMA: &str = r#"
schema:
  format: {openapi: "3.0.0"}
  service_input_type: In
  types:
    In:
      type: object
      properties:
        port: {type: integer, default: 80}
"#;

/// A plane with the environment `dev`, and the instances `pay/api` and `pay/web` in it, all up.
async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Service, "web", (1, 0), SCHEMA).await;
    test.settled_environment("dev", &[("vpc", "vpc-1")]).await;
    test.settled_instance("pay", "api", "dev").await;
    test.settled_instance("pay", "web", "dev").await;
    test
}

fn detached() -> CreateComponentInput {
    CreateComponentInput {
        client_token: None,
        description: None,
        environment_name: Some("dev".into()),
        manifest: MANIFEST.into(),
        name: "queue".into(),
        service_instance_name: None,
        service_name: None,
        service_spec: None,
        tags: None,
        template_file: FILE.into(),
    }
}

fn at(name: &str) -> CreateComponentInput {
    let (service_name, service_instance_name) = (Some("pay".into()), Some(name.into()));
    CreateComponentInput { environment_name: None, service_name, service_instance_name, ..detached() }
}

fn redeploy() -> UpdateComponentInput {
    UpdateComponentInput {
        client_token: None,
        deployment_type: T::CurrentVersion,
        description: None,
        name: "queue".into(),
        service_instance_name: None,
        service_name: None,
        service_spec: None,
        template_file: None,
    }
}

fn moved(service: &str, name: &str) -> UpdateComponentInput {
    UpdateComponentInput { service_name: Some(service.into()), service_instance_name: Some(name.into()), ..redeploy() }
}

async fn create(test: &TestPlane, input: CreateComponentInput) -> Result<Component, ProtonError> {
    test.plane.create_component(&mut test.call(), input).await.map(|it| it.component)
}

async fn update(test: &TestPlane, input: UpdateComponentInput) -> Result<Component, ProtonError> {
    test.advance(10);
    test.plane.update_component(&mut test.call(), input).await.map(|it| it.component)
}

async fn delete(test: &TestPlane) -> Result<Component, ProtonError> {
    test.advance(10);
    let input = DeleteComponentInput { name: "queue".into() };
    test.plane.delete_component(&mut test.call(), input).await.map(|it| it.component.unwrap())
}

async fn get(test: &TestPlane) -> Result<Component, ProtonError> {
    let input = GetComponentInput { name: "queue".into() };
    test.plane.get_component(&mut test.call(), input).await.map(|it| it.component.unwrap())
}

/// The component's last deployment.
async fn last(test: &TestPlane) -> Deployment {
    test.deployment(&get(test).await.unwrap().last_attempted_deployment_id.unwrap()).await
}

/// Lets the component's deployment succeed.
async fn succeed(test: &TestPlane) {
    test.settle(&last(test).await, &[("url", "https://q")]).await;
}

/// Lets the component's deployment fail.
async fn fail(test: &TestPlane) {
    test.publish().await;
    let (agent, deployment) = (test.agent("a"), last(test).await);
    let epoch = agent.claim(&deployment).await.unwrap();
    agent.fail(&deployment, epoch).await.unwrap();
}

/// Which component has the place at an instance.
async fn place(test: &TestPlane, name: &str) -> Option<String> {
    test.get::<ServiceInstance>(&format!("pay/{name}")).await.unwrap().component.clone()
}

/// An object that waits to be published, as JSON.
async fn inputs(test: &TestPlane, deployment: &Deployment) -> Value {
    let (scope, address) = (test.scope.clone(), deployment.inputs_uri.clone());
    let read = test.plane.store.read(move |tx| tx.blob(&scope, "unpublished", &address)).await;
    serde_json::from_slice(&read.unwrap().unwrap()).unwrap()
}

fn is_validation<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Validation(_)))
}

fn is_conflict<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Conflict(_)))
}

#[tokio::test]
async fn a_detached_component_sees_its_environment_and_brings_its_own_bundle() {
    let test = plane().await;
    let created = create(&test, detached()).await.unwrap();
    assert_eq!((created.deployment_status, created.environment_name.as_str()), (S::InProgress, "dev"));
    let deployment = last(&test).await;
    assert_eq!(deployment.unpublished, [deployment.bundle.uri.clone(), deployment.inputs_uri.clone()]);
    assert!(deployment.bundle.uri.ends_with(&deployment.bundle.digest));
    let inputs = inputs(&test, &deployment).await;
    assert_eq!(inputs["environment"]["outputs"], json!({"vpc": "vpc-1"}));
    assert_eq!(inputs.get("service"), None);
    assert!(is_conflict(&create(&test, detached()).await), "the name is taken");
}

#[tokio::test]
async fn an_attached_component_sees_its_instances_inputs() {
    let test = plane().await;
    create(&test, at("api")).await.unwrap();
    let seen = inputs(&test, &last(&test).await).await;
    assert_eq!(seen["service_instance"], json!({"name": "api", "inputs": {"port": 80}}));
    succeed(&test).await;
    let own = service_spec("api", "dev").replace("spec: {}", "spec: {port: 8080}");
    let changed = UpdateComponentInput { service_spec: Some(own.clone()), ..redeploy() };
    update(&test, changed).await.unwrap();
    let seen = inputs(&test, &last(&test).await).await;
    assert_eq!(seen["service_instance"]["inputs"], json!({"port": 8080}));
    succeed(&test).await;
    assert_eq!(get(&test).await.unwrap().service_spec, Some(own));
}

#[tokio::test]
async fn sealed_outputs_reach_a_component_as_ciphertext_only() {
    let test = plane().await;
    let scope = test.scope.clone();
    test.write(move |tx| {
        use crate::control_plane::{records::Environment, store::Typed};
        let mut dev = tx.get::<Environment>(&scope, "dev")?.unwrap();
        dev.progress.outputs.push(Output::Sealed { key: "password".into(), ciphertext: "v1.secret".into() });
        Ok(tx.save(&scope, &mut dev)?)
    })
    .await
    .unwrap();
    create(&test, detached()).await.unwrap();
    let deployment = last(&test).await;
    assert_eq!(inputs(&test, &deployment).await["environment"]["outputs"]["password"], "***");
    assert_eq!(deployment.sealed_inputs, [("/environment/outputs/password".to_owned(), "v1.secret".to_owned())]);
    test.publish().await;
    let answer = test.agent("a").claimed(&deployment).await.unwrap();
    let address = format!("http://127.0.0.1:9440/_hadron/sealed/{}", deployment.id);
    assert_eq!(answer.get("x-hadron-sealed"), Some(address.as_str()));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_leaves_no_trace() {
    let test = plane().await;
    let nowhere = CreateComponentInput { environment_name: None, ..detached() };
    assert!(is_validation(&create(&test, nowhere).await));
    let half = CreateComponentInput { service_name: Some("pay".into()), ..detached() };
    assert!(is_validation(&create(&test, half).await));
    let spec = CreateComponentInput { service_spec: Some(service_spec("api", "dev")), ..detached() };
    assert!(is_validation(&create(&test, spec).await), "a service spec needs an attachment");
    let elsewhere = CreateComponentInput { environment_name: Some("prod".into()), ..at("api") };
    assert!(is_validation(&create(&test, elsewhere).await));
    let broken = CreateComponentInput { template_file: "resource {".into(), ..at("api") };
    let refused = create(&test, broken).await;
    assert!(refused.as_ref().unwrap_err().to_string().contains("templateFile:1"), "{refused:?}");
    assert!(is_validation(&refused));
    assert_eq!(place(&test, "api").await, None, "a refused component keeps no place");
    let unknown = CreateComponentInput { environment_name: Some("nowhere".into()), ..detached() };
    assert!(matches!(create(&test, unknown).await, Err(ProtonError::ResourceNotFound(_))));
    assert!(matches!(create(&test, at("ghost")).await, Err(ProtonError::ResourceNotFound(_))));
    assert!(get(&test).await.is_err());
}

#[tokio::test]
async fn an_instance_has_one_component_if_its_template_allows_any() {
    let test = plane().await;
    create(&test, at("api")).await.unwrap();
    assert_eq!(place(&test, "api").await.as_deref(), Some("queue"));
    let second = create(&test, CreateComponentInput { name: "cache".into(), ..at("api") }).await;
    assert!(is_conflict(&second), "the place is kept from before the first deployment has ended");

    let bare = TestPlane::new().await;
    bare.version_with(TemplateKind::Service, "web", (1, 0), SCHEMA, |_, version| version.component_sources.clear())
        .await;
    bare.settled_environment("dev", &[]).await;
    bare.settled_instance("pay", "api", "dev").await;
    let refused = create(&bare, at("api")).await;
    assert!(is_validation(&refused));
    assert!(refused.unwrap_err().to_string().contains("DIRECTLY_DEFINED"));
}

#[tokio::test]
async fn an_attached_component_is_detached_before_it_moves_or_goes() {
    let test = plane().await;
    create(&test, at("api")).await.unwrap();
    succeed(&test).await;
    assert!(is_conflict(&update(&test, moved("pay", "web")).await));
    assert!(is_conflict(&delete(&test).await));
    assert!(is_validation(&update(&test, moved("pay", "")).await));
    let leaving = update(&test, moved("", "")).await.unwrap();
    assert_eq!(leaving.service_instance_name.as_deref(), Some("api"), "attached until it succeeds");
    assert_eq!(place(&test, "api").await.as_deref(), Some("queue"));
    succeed(&test).await;
    assert_eq!((get(&test).await.unwrap().service_name, place(&test, "api").await), (None, None));
    update(&test, moved("pay", "web")).await.unwrap();
    fail(&test).await;
    assert_eq!(get(&test).await.unwrap().service_name, None);
    assert_eq!(place(&test, "web").await, None, "what isn't attached after all gives its place back");
    delete(&test).await.unwrap();
    succeed(&test).await;
    assert!(matches!(get(&test).await, Err(ProtonError::ResourceNotFound(_))));
}

#[tokio::test]
async fn an_attached_component_that_never_succeeded_can_be_deleted() {
    let test = plane().await;
    create(&test, at("api")).await.unwrap();
    fail(&test).await;
    assert_eq!(get(&test).await.unwrap().deployment_status, S::Failed);
    assert_eq!(place(&test, "api").await.as_deref(), Some("queue"));
    assert_eq!(delete(&test).await.unwrap().deployment_status, S::DeleteInProgress);
    succeed(&test).await;
    assert_eq!(place(&test, "api").await, None);
}

#[tokio::test]
async fn a_component_waits_for_its_instance_and_itself() {
    let test = plane().await;
    create(&test, at("api")).await.unwrap();
    assert!(is_conflict(&update(&test, redeploy()).await));
    succeed(&test).await;
    test.advance(10);
    test.deploy(instance("pay", "api"), Action::Update, &service_spec("api", "dev")).await.unwrap();
    assert!(is_conflict(&update(&test, redeploy()).await), "its instance is under way");
    assert!(is_conflict(&update(&test, moved("", "")).await));
}

#[tokio::test]
async fn deployment_type_none_changes_the_description_only() {
    let test = plane().await;
    create(&test, detached()).await.unwrap();
    succeed(&test).await;
    let before = last(&test).await.id;
    let words = UpdateComponentInput { deployment_type: T::None, description: Some("new".into()), ..redeploy() };
    assert_eq!(update(&test, words).await.unwrap().description.as_deref(), Some("new"));
    assert_eq!(last(&test).await.id, before);
    let file = UpdateComponentInput { deployment_type: T::None, template_file: Some(FILE.into()), ..redeploy() };
    assert!(is_validation(&update(&test, file).await));
}

#[tokio::test]
async fn a_client_token_makes_a_repeat_harmless() {
    let test = plane().await;
    let token = |input: CreateComponentInput| CreateComponentInput { client_token: Some("t1".into()), ..input };
    let first = create(&test, token(detached())).await.unwrap();
    succeed(&test).await;
    let repeat = create(&test, token(detached())).await.unwrap();
    assert_eq!(repeat.last_attempted_deployment_id, first.last_attempted_deployment_id);
    assert_eq!(repeat.last_client_request_token.as_deref(), Some("t1"));
    let different = CreateComponentInput { description: Some("other".into()), ..token(detached()) };
    assert_eq!(create(&test, different).await.unwrap_err().to_string(), "Idempotent parameter mismatch");
}

#[tokio::test]
async fn a_repeat_is_refused_while_the_component_is_being_deleted() {
    let test = plane().await;
    let again = || CreateComponentInput { client_token: Some("t1".into()), ..detached() };
    create(&test, again()).await.unwrap();
    succeed(&test).await;
    delete(&test).await.unwrap();
    let refused = create(&test, again()).await;
    assert!(is_conflict(&refused));
    let told = refused.unwrap_err().to_string();
    assert!(told.starts_with("component queue is DELETE_IN_PROGRESS: deployment "), "{told}");
    succeed(&test).await;
    assert_eq!(create(&test, again()).await.unwrap().deployment_status, S::InProgress, "it is a new one then");
}

#[tokio::test]
async fn components_are_listed_by_where_they_are() {
    let test = plane().await;
    create(&test, at("api")).await.unwrap();
    create(&test, CreateComponentInput { name: "cache".into(), ..detached() }).await.unwrap();
    let list = async |input: ListComponentsInput| {
        let listed = test.plane.list_components(&mut test.call(), input).await.unwrap();
        listed.components.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    let all = ListComponentsInput::default();
    assert_eq!(list(all.clone()).await, ["cache", "queue"]);
    let environment = ListComponentsInput { environment_name: Some("dev".into()), ..all.clone() };
    assert_eq!(list(environment).await, ["cache", "queue"]);
    let service = ListComponentsInput { service_name: Some("pay".into()), ..all.clone() };
    assert_eq!(list(service.clone()).await, ["queue"]);
    let other = ListComponentsInput { service_instance_name: Some("web".into()), ..service };
    assert!(list(other).await.is_empty());
    let input = DeleteEnvironmentInput { name: "dev".into() };
    assert!(is_conflict(&test.plane.delete_environment(&mut test.call(), input).await), "components keep it");
}
