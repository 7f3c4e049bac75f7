//! Environments through their operations, from the spec to what an agent would be given.

use hadron_model::hadron::{Executor, Hadron, SetExecutorInput};
use hadron_model::{
    CreateEnvironmentInput, CreateEnvironmentOutput, DeleteEnvironmentInput, DeploymentStatus as S,
    DeploymentUpdateType as T, Environment, GetEnvironmentInput, ListEnvironmentOutputsInput,
    ListEnvironmentProvisionedResourcesInput, ListEnvironmentsInput, Proton, Provisioning, RepositoryBranchInput,
    RepositoryProvider, Tag, UpdateEnvironmentInput,
};

use crate::control_plane::records::{Deployment, ExecutorAhead, StateKey, TagSet, TemplateKind};
use crate::control_plane::test_plane::TestPlane;
use crate::control_plane::wire::ProtonError;

const SCHEMA: &str = r#"
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In:
      type: object
      required: [cidr]
      properties:
        cidr: {type: string}
        zones: {type: integer, default: 2, minimum: 1}
"#;

const SPEC: &str = "proton: EnvironmentSpec\nspec: {cidr: 10.0.0.0/16}\n";
const OTHER: &str = "proton: EnvironmentSpec\nspec: {cidr: 10.1.0.0/16, zones: 3}\n";

/// A plane with version 1.0 of the template `net`.
async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 0), SCHEMA).await;
    test
}

fn dev() -> CreateEnvironmentInput {
    CreateEnvironmentInput {
        codebuild_role_arn: None,
        component_role_arn: None,
        description: Some("development".into()),
        environment_account_connection_id: None,
        name: "dev".into(),
        proton_service_role_arn: None,
        provisioning_repository: None,
        spec: SPEC.into(),
        tags: Some(vec![Tag { key: "team".into(), value: "a".into() }]),
        template_major_version: "1".into(),
        template_minor_version: None,
        template_name: "net".into(),
    }
}

async fn create(test: &TestPlane, input: CreateEnvironmentInput) -> Result<Environment, ProtonError> {
    let CreateEnvironmentOutput { environment } = test.plane.create_environment(&mut test.call(), input).await?;
    test.publish().await;
    Ok(environment)
}

fn to(deployment_type: T) -> UpdateEnvironmentInput {
    UpdateEnvironmentInput {
        codebuild_role_arn: None,
        component_role_arn: None,
        deployment_type,
        description: None,
        environment_account_connection_id: None,
        name: "dev".into(),
        proton_service_role_arn: None,
        provisioning_repository: None,
        spec: None,
        template_major_version: None,
        template_minor_version: None,
    }
}

async fn update(test: &TestPlane, input: UpdateEnvironmentInput) -> Result<Environment, ProtonError> {
    let updated = test.plane.update_environment(&mut test.call(), input).await?;
    test.publish().await;
    Ok(updated.environment)
}

async fn get(test: &TestPlane) -> Environment {
    let input = GetEnvironmentInput { name: "dev".into() };
    test.plane.get_environment(&mut test.call(), input).await.unwrap().environment
}

/// The environment's last deployment.
async fn last(test: &TestPlane) -> Deployment {
    test.deployment(&get(test).await.last_attempted_deployment_id.unwrap()).await
}

/// The environment `dev`, up.
async fn up() -> TestPlane {
    let test = plane().await;
    create(&test, dev()).await.unwrap();
    test.settle(&last(&test).await, &[("vpc", "vpc-1")]).await;
    test
}

fn is_validation<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Validation(_)))
}

#[tokio::test]
async fn a_new_environment_is_in_progress_with_resolved_inputs() {
    let test = plane().await;
    let created = test.plane.create_environment(&mut test.call(), dev()).await.unwrap().environment;
    assert_eq!(created.deployment_status, S::InProgress);
    assert_eq!((created.template_major_version.as_str(), created.template_minor_version.as_str()), ("1", "0"));
    assert_eq!((created.spec.as_deref(), created.last_deployment_succeeded_at), (Some(SPEC), None));
    let deployment = last(&test).await;
    assert_eq!(deployment.bundle.uri, "s3://hadron/bundles/sha256/net-1.0");
    let (scope, address) = (test.scope.clone(), deployment.inputs_uri.clone());
    let read = test.plane.store.read(move |tx| tx.blob(&scope, "unpublished", &address));
    let inputs: serde_json::Value = serde_json::from_slice(&read.await.unwrap().unwrap()).unwrap();
    assert_eq!(
        inputs["environment"],
        serde_json::json!({"name": "dev", "inputs": {"cidr": "10.0.0.0/16", "zones": 2}})
    );
    let tags = test.get::<TagSet>(&created.arn).await.unwrap();
    assert_eq!(tags.tags["team"], "a");
    assert_eq!(tags.managed["aws:proton:environment"], created.arn);
}

#[tokio::test]
async fn a_spec_is_refused_with_all_its_problems() {
    let test = plane().await;
    let spec = "proton: EnvironmentSpec\nspec: {zones: 0, zonse: 2}\n".into();
    let refused = create(&test, CreateEnvironmentInput { spec, ..dev() }).await;
    assert!(is_validation(&refused));
    let message = refused.unwrap_err().to_string();
    for part in ["cidr", "zones", "zonse"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(test.shown("dev").await, None);
}

#[tokio::test]
async fn the_repeat_of_a_create_finds_the_first_result_and_a_different_one_is_refused() {
    let test = plane().await;
    let first = create(&test, dev()).await.unwrap();
    test.settle(&last(&test).await, &[]).await;
    let repeat = create(&test, dev()).await.unwrap();
    assert_eq!(repeat.last_attempted_deployment_id, first.last_attempted_deployment_id);
    assert_eq!(repeat.deployment_status, S::Succeeded);
    let different = create(&test, CreateEnvironmentInput { description: None, ..dev() }).await;
    assert_eq!(different.unwrap_err().to_string(), "Idempotent parameter mismatch");
    test.advance(2 * 24 * 60 * 60 * 1000);
    assert!(matches!(create(&test, dev()).await, Err(ProtonError::Conflict(_))), "a day later it is no repeat");
}

#[tokio::test]
async fn the_repeat_of_a_create_is_refused_while_the_environment_is_being_deleted() {
    let test = up().await;
    test.advance(10);
    let input = DeleteEnvironmentInput { name: "dev".into() };
    test.plane.delete_environment(&mut test.call(), input).await.unwrap();
    let deletion = last(&test).await;
    let refused = create(&test, dev()).await.unwrap_err();
    assert!(matches!(refused, ProtonError::Conflict(_)), "{refused}");
    let told = format!("environment dev is DELETE_IN_PROGRESS: deployment {} is still under way", deletion.id);
    assert_eq!(refused.to_string(), told);
    test.settle(&deletion, &[]).await;
    assert_eq!(create(&test, dev()).await.unwrap().deployment_status, S::InProgress, "it is a new one then");
}

#[tokio::test]
async fn an_environment_is_provisioned_in_one_way_or_by_the_agent() {
    let test = plane().await;
    let role = Some("arn:aws:iam::123456789012:role/r".to_owned());
    let branch = RepositoryBranchInput {
        branch: "main".into(),
        name: "owner/repo".into(),
        provider: RepositoryProvider::Github,
    };
    let both = CreateEnvironmentInput {
        proton_service_role_arn: role.clone(),
        provisioning_repository: Some(branch.clone()),
        ..dev()
    };
    let refused = create(&test, both).await;
    assert!(is_validation(&refused));
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("protonServiceRoleArn and provisioningRepository"), "{message}");
    let repository = CreateEnvironmentInput { provisioning_repository: Some(branch.clone()), ..dev() };
    let created = create(&test, repository).await.unwrap();
    let arn = created.provisioning_repository.unwrap().arn;
    assert_eq!(arn, "arn:aws:proton:us-east-1:123456789012:repository/github:owner/repo");
    test.settle(&last(&test).await, &[]).await;
    let other = RepositoryBranchInput { branch: "other".into(), ..branch };
    let moved = update(&test, UpdateEnvironmentInput { provisioning_repository: Some(other), ..to(T::None) }).await;
    assert!(is_validation(&moved));
    let with_role = update(&test, UpdateEnvironmentInput { proton_service_role_arn: role, ..to(T::None) }).await;
    assert!(is_validation(&with_role));
}

#[tokio::test]
async fn deployment_type_none_changes_words_only() {
    let test = up().await;
    let before = last(&test).await.id;
    let renamed = UpdateEnvironmentInput { description: Some("new".into()), ..to(T::None) };
    assert_eq!(update(&test, renamed).await.unwrap().description.as_deref(), Some("new"));
    assert_eq!(last(&test).await.id, before);
    let spec = UpdateEnvironmentInput { spec: Some(OTHER.into()), ..to(T::None) };
    assert!(is_validation(&update(&test, spec).await));
    let version = UpdateEnvironmentInput { template_minor_version: Some("1".into()), ..to(T::None) };
    assert!(is_validation(&update(&test, version).await));
}

#[tokio::test]
async fn the_current_version_is_deployed_again_with_a_new_spec_or_the_same() {
    let test = up().await;
    let forbidden = UpdateEnvironmentInput { template_minor_version: Some("0".into()), ..to(T::CurrentVersion) };
    assert!(is_validation(&update(&test, forbidden).await));
    test.advance(10);
    let again = update(&test, to(T::CurrentVersion)).await.unwrap();
    assert_eq!((again.deployment_status, again.spec.as_deref()), (S::InProgress, Some(SPEC)));
    let busy = update(&test, to(T::CurrentVersion)).await;
    assert!(matches!(busy, Err(ProtonError::Conflict(_))));
    test.settle(&last(&test).await, &[]).await;
    test.advance(10);
    let changed = UpdateEnvironmentInput { spec: Some(OTHER.into()), ..to(T::CurrentVersion) };
    assert_eq!(update(&test, changed).await.unwrap().spec.as_deref(), Some(SPEC), "the old one until it succeeds");
    test.settle(&last(&test).await, &[]).await;
    assert_eq!(get(&test).await.spec.as_deref(), Some(OTHER));
}

#[tokio::test]
async fn minor_and_major_updates_lead_to_the_recommended_or_the_named_version() {
    let test = up().await;
    for version in [(1, 1), (1, 2), (2, 0), (2, 1)] {
        test.version(TemplateKind::Environment, "net", version, SCHEMA).await;
    }
    let version = async |input: UpdateEnvironmentInput| {
        test.advance(10);
        let before = get(&test).await;
        let running = update(&test, input).await?;
        assert_eq!(running.template_minor_version, before.template_minor_version, "the old one until it succeeds");
        test.settle(&last(&test).await, &[]).await;
        let shown = get(&test).await;
        Ok::<_, ProtonError>(format!("{}.{}", shown.template_major_version, shown.template_minor_version))
    };
    let named = |input: UpdateEnvironmentInput, major: Option<&str>, minor: Option<&str>| UpdateEnvironmentInput {
        template_major_version: major.map(str::to_owned),
        template_minor_version: minor.map(str::to_owned),
        ..input
    };
    assert_eq!(version(named(to(T::MinorVersion), None, Some("1"))).await.unwrap(), "1.1");
    assert_eq!(version(to(T::MinorVersion)).await.unwrap(), "1.2");
    assert!(is_validation(&version(named(to(T::MinorVersion), Some("2"), None)).await));
    assert_eq!(version(named(to(T::MajorVersion), Some("2"), Some("0"))).await.unwrap(), "2.0");
    assert!(is_validation(&version(named(to(T::MajorVersion), Some("1"), None)).await), "never back to a lower major");
    assert_eq!(version(to(T::MajorVersion)).await.unwrap(), "2.1");
    let unknown = version(named(to(T::MajorVersion), Some("9"), None)).await;
    assert!(matches!(unknown, Err(ProtonError::ResourceNotFound(_))));
}

#[tokio::test]
async fn what_lies_in_an_environment_keeps_it() {
    let test = up().await;
    let api = test.instance("pay", "api", "dev").await;
    let delete = async || {
        let input = DeleteEnvironmentInput { name: "dev".into() };
        test.plane.delete_environment(&mut test.call(), input).await.map(|it| it.environment.unwrap())
    };
    let refused = delete().await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Conflict(told) if told.contains("pay/api")), "{refused}");
    test.settle(&api, &[]).await;
    let engine = test.engine();
    let inside = api.target.clone();
    let removed = test.write(move |tx| engine.delete(tx, &inside).map(|it| it.value)).await.unwrap();
    test.settle(&removed, &[]).await;
    assert_eq!(delete().await.unwrap().deployment_status, S::DeleteInProgress);
    let deletion = last(&test).await;
    test.settle(&deletion, &[]).await;
    assert!(matches!(delete().await, Err(ProtonError::ResourceNotFound(_))), "gone means not found");
    assert!(test.get::<TagSet>(&deletion.target_arn).await.is_none());
}

#[tokio::test]
async fn a_customer_managed_environment_is_up_at_once_and_its_spec_is_its_outputs() {
    let test = TestPlane::new().await;
    let schema = SCHEMA.replace("type: integer, default: 2, minimum: 1", "type: string");
    test.version_with(TemplateKind::Environment, "net", (1, 0), &schema, |template, _| {
        template.customer_managed = true;
    })
    .await;
    let created = create(&test, dev()).await.unwrap();
    assert_eq!((created.deployment_status, created.provisioning), (S::Succeeded, Some(Provisioning::CustomerManaged)));
    let input = ListEnvironmentOutputsInput { deployment_id: None, environment_name: "dev".into(), next_token: None };
    let outputs = test.plane.list_environment_outputs(&mut test.call(), input).await.unwrap().outputs;
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].value_string.as_deref(), Some("10.0.0.0/16"));
    assert!(test.agent("a").poll(10).await.is_empty());
    let input = DeleteEnvironmentInput { name: "dev".into() };
    let deleted = test.plane.delete_environment(&mut test.call(), input).await.unwrap().environment.unwrap();
    assert_eq!(deleted.deployment_status, S::DeleteComplete, "there is nothing to destroy");
}

#[tokio::test]
async fn a_state_is_listed_once_something_ran() {
    let test = plane().await;
    create(&test, dev()).await.unwrap();
    let listed = async || {
        let input = ListEnvironmentProvisionedResourcesInput { environment_name: "dev".into(), next_token: None };
        let listed = test.plane.list_environment_provisioned_resources(&mut test.call(), input).await.unwrap();
        listed
            .provisioned_resources
            .into_iter()
            .map(|it| (it.name.unwrap(), it.identifier.unwrap()))
            .collect::<Vec<_>>()
    };
    assert!(listed().await.is_empty());
    test.settle(&last(&test).await, &[]).await;
    assert_eq!(listed().await, [("environment/dev".to_owned(), "dev/terraform.tfstate".to_owned())]);
    assert!(test.get::<StateKey>("dev/terraform.tfstate").await.is_some());
}

#[tokio::test]
async fn environments_are_listed_by_name_in_pages() {
    let test = plane().await;
    for name in ["c", "a", "b"] {
        create(&test, CreateEnvironmentInput { name: name.into(), ..dev() }).await.unwrap();
    }
    let mut names = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListEnvironmentsInput { environment_templates: None, max_results: Some(2), next_token };
        let page = test.plane.list_environments(&mut test.call(), input).await.unwrap();
        names.extend(page.environments.into_iter().map(|it| it.name));
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    let unfiltered = ListEnvironmentsInput { environment_templates: Some(Vec::new()), max_results: None, next_token };
    let listed = test.plane.list_environments(&mut test.call(), unfiltered).await.unwrap();
    assert_eq!(listed.environments.len(), 3, "an empty list is no filter");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_deployment_is_whose_it_was_said_to_be_ahead() {
    let test = plane().await;
    let set = async |executor, ahead| {
        let input =
            SetExecutorInput { environment_name: "dev".into(), executor, repository: None, branch: None, ahead };
        test.plane.set_executor(&mut test.call(), input).await
    };
    assert!(matches!(set(Executor::Ci, None).await, Err(ProtonError::ResourceNotFound(_))), "a name may be misspelt");
    set(Executor::Agent, Some(true)).await.unwrap();
    set(Executor::Ci, Some(true)).await.unwrap();
    create(&test, dev()).await.unwrap();
    assert!(test.agent("one").poll(10).await.is_empty(), "it is a pipeline's");
    let kept = test.get::<ExecutorAhead>("dev").await;
    assert!(kept.is_none(), "another environment of that name begins anew");
}
