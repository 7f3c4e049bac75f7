//! Connections from both sides, and what environments make of them.

use hadron_model::Operation as O;
use serde_json::{Value, json};

use crate::control_plane::operations::tests::{ask, ask_as};
use crate::control_plane::records::TemplateKind;
use crate::control_plane::store::StatusChange;
use crate::control_plane::test_plane::TestPlane;
use crate::domain::Scope;

/// The account that the environment lies in; the test plane's own manages.
const OTHER: &str = "210987654321";
const THIRD: &str = "333333333333";
const OWN: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::210987654321:role/proton";

const SCHEMA: &str = "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: In\n  types:\n    In: {type: object, properties: {cidr: {type: string, default: none}}}\n";

async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 0), SCHEMA).await;
    test
}

/// The other account asks for an environment; the connection's id.
async fn request(test: &TestPlane, environment: &str) -> Result<String, &'static str> {
    request_as(test, OTHER, environment).await
}

async fn request_as(test: &TestPlane, account: &str, environment: &str) -> Result<String, &'static str> {
    test.advance(10);
    let input = json!({"environmentName": environment, "managementAccountId": OWN, "roleArn": ROLE});
    let made = ask_as(test, account, O::CreateEnvironmentAccountConnection, input).await?;
    Ok(made["environmentAccountConnection"]["id"].as_str().unwrap().to_owned())
}

/// What an account does to a connection; the status that it shows then.
async fn act(test: &TestPlane, account: &str, operation: O, id: &str) -> Result<String, &'static str> {
    test.advance(10);
    let shown = ask_as(test, account, operation, json!({"id": id})).await?;
    Ok(shown["environmentAccountConnection"]["status"].as_str().unwrap().to_owned())
}

async fn accept(test: &TestPlane, id: &str) -> Result<String, &'static str> {
    act(test, OWN, O::AcceptEnvironmentAccountConnection, id).await
}

async fn reject(test: &TestPlane, id: &str) -> Result<String, &'static str> {
    act(test, OWN, O::RejectEnvironmentAccountConnection, id).await
}

/// Creates the environment `dev` with a connection.
async fn environment(test: &TestPlane, id: &str) -> Result<Value, &'static str> {
    let input = json!({
        "name": "dev", "templateName": "net", "templateMajorVersion": "1",
        "spec": "proton: EnvironmentSpec\nspec: {}\n", "environmentAccountConnectionId": id,
    });
    ask(test, O::CreateEnvironment, input).await.map(|made| made["environment"].clone())
}

async fn history(test: &TestPlane, id: &str) -> Vec<StatusChange> {
    let scope = Scope::new(OTHER, &test.scope.region);
    let arn = scope.arn(format_args!("environment-account-connection/{id}"));
    test.plane.store.read(move |tx| tx.changes(&scope, &arn, 0, 100)).await.unwrap()
}

#[tokio::test]
async fn both_accounts_see_a_connection_and_nobody_else_does() {
    let test = plane().await;
    let id = request(&test, "dev").await.unwrap();
    for account in [OWN, OTHER] {
        let shown = ask_as(&test, account, O::GetEnvironmentAccountConnection, json!({"id": id})).await.unwrap();
        let shown = &shown["environmentAccountConnection"];
        assert_eq!(shown["arn"], format!("arn:aws:proton:us-east-1:{OTHER}:environment-account-connection/{id}"));
        assert_eq!((&shown["environmentAccountId"], &shown["managementAccountId"]), (&json!(OTHER), &json!(OWN)));
        assert_eq!((&shown["status"], &shown["roleArn"]), (&json!("PENDING"), &json!(ROLE)));
    }
    for operation in [
        O::GetEnvironmentAccountConnection,
        O::AcceptEnvironmentAccountConnection,
        O::RejectEnvironmentAccountConnection,
        O::DeleteEnvironmentAccountConnection,
        O::UpdateEnvironmentAccountConnection,
    ] {
        assert_eq!(act(&test, THIRD, operation, &id).await, Err("NotFound"), "{}", operation.name());
    }
}

#[tokio::test]
async fn another_region_has_other_connections() {
    let test = plane().await;
    let id = request(&test, "dev").await.unwrap();
    let elsewhere = TestPlane { scope: Scope::new(OWN, "eu-west-1"), ..test.clone() };
    assert_eq!(accept(&elsewhere, &id).await, Err("NotFound"));
    request(&elsewhere, "dev").await.unwrap();
}

#[tokio::test]
async fn each_side_does_its_own_part_only() {
    let test = plane().await;
    let id = request(&test, "dev").await.unwrap();
    assert_eq!(act(&test, OTHER, O::AcceptEnvironmentAccountConnection, &id).await, Err("Denied"));
    assert_eq!(act(&test, OTHER, O::RejectEnvironmentAccountConnection, &id).await, Err("Denied"));
    assert_eq!(act(&test, OWN, O::UpdateEnvironmentAccountConnection, &id).await, Err("Denied"));
    assert_eq!(act(&test, OWN, O::DeleteEnvironmentAccountConnection, &id).await, Err("Denied"));
    assert_eq!(act(&test, OWN, O::GetEnvironmentAccountConnection, &id).await.unwrap(), "PENDING");
}

#[tokio::test]
async fn a_connection_is_accepted_and_rejection_is_final() {
    let test = plane().await;
    let id = request(&test, "dev").await.unwrap();
    assert_eq!(accept(&test, &id).await.unwrap(), "CONNECTED");
    assert_eq!(accept(&test, &id).await.unwrap(), "CONNECTED", "a repeat is harmless");
    assert_eq!(reject(&test, &id).await.unwrap(), "REJECTED");
    assert_eq!(reject(&test, &id).await.unwrap(), "REJECTED");
    assert_eq!(accept(&test, &id).await, Err("Conflict"));
    assert_eq!(act(&test, OTHER, O::UpdateEnvironmentAccountConnection, &id).await, Err("Conflict"));
    assert_eq!(act(&test, OTHER, O::DeleteEnvironmentAccountConnection, &id).await.unwrap(), "REJECTED");
    let changes = history(&test, &id).await;
    let statuses: Vec<_> = changes.iter().map(|it| (it.previous.as_deref(), it.status.as_str())).collect();
    let connected = (Some("PENDING"), "CONNECTED");
    let (rejected, deleted) = ((Some("CONNECTED"), "REJECTED"), (Some("REJECTED"), "DELETED"));
    assert_eq!(statuses, [(None, "PENDING"), connected, rejected, deleted]);
    assert_eq!(changes[0].detail, json!({ "id": id }).to_string());
}

#[tokio::test]
async fn an_account_asks_once_and_an_environment_is_connected_once() {
    let test = plane().await;
    let first = request(&test, "dev").await.unwrap();
    assert_eq!(request(&test, "dev").await, Err("Conflict"), "PENDING");
    let second = request_as(&test, THIRD, "dev").await.unwrap();
    accept(&test, &first).await.unwrap();
    assert_eq!(accept(&test, &second).await, Err("Conflict"));
    assert_eq!(request(&test, "dev").await, Err("Conflict"), "CONNECTED");
    reject(&test, &first).await.unwrap();
    accept(&test, &second).await.unwrap();
    request(&test, "dev").await.unwrap();
}

#[tokio::test]
async fn a_client_token_makes_one_connection() {
    let test = plane().await;
    let input = |name: &str| json!({"environmentName": name, "managementAccountId": OWN, "clientToken": "t"});
    let create = O::CreateEnvironmentAccountConnection;
    let first = ask_as(&test, OTHER, create, input("dev")).await.unwrap();
    assert_eq!(ask_as(&test, OTHER, create, input("dev")).await.unwrap(), first);
    assert_eq!(first["environmentAccountConnection"]["roleArn"], "", "required in answers, not in requests");
    assert_eq!(ask_as(&test, OTHER, create, input("prod")).await, Err("Validation"), "other parameters");
    ask_as(&test, THIRD, create, input("prod")).await.unwrap();
}

#[tokio::test]
async fn a_list_shows_one_side_filtered_and_in_order() {
    let test = plane().await;
    let mut ids = Vec::new();
    for name in ["dev", "prod", "test"] {
        ids.push(request(&test, name).await.unwrap());
    }
    accept(&test, &ids[1]).await.unwrap();
    let list = async |account: &str, filter: Value| {
        let listed = ask_as(&test, account, O::ListEnvironmentAccountConnections, filter).await.unwrap();
        let names = listed["environmentAccountConnections"].as_array().unwrap();
        names.iter().map(|it| it["environmentName"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let (management, environment) = ("MANAGEMENT_ACCOUNT", "ENVIRONMENT_ACCOUNT");
    assert_eq!(list(OWN, json!({"requestedBy": management})).await, "dev prod test");
    assert_eq!(list(OWN, json!({"requestedBy": environment})).await, "");
    assert_eq!(list(OTHER, json!({"requestedBy": environment})).await, "dev prod test");
    assert_eq!(list(OTHER, json!({"requestedBy": management})).await, "");
    assert_eq!(list(OWN, json!({"requestedBy": management, "statuses": ["CONNECTED"]})).await, "prod");
    assert_eq!(list(OWN, json!({"requestedBy": management, "environmentName": "test"})).await, "test");
    let page = json!({"requestedBy": management, "maxResults": 2});
    let page = ask(&test, O::ListEnvironmentAccountConnections, page).await.unwrap();
    assert_eq!(page["environmentAccountConnections"].as_array().unwrap().len(), 2);
    let rest = json!({"requestedBy": management, "maxResults": 2, "nextToken": page["nextToken"]});
    assert_eq!(list(OWN, rest).await, "test");
}

#[tokio::test]
async fn roles_are_replaced_and_the_status_stays() {
    let test = plane().await;
    let id = request(&test, "dev").await.unwrap();
    accept(&test, &id).await.unwrap();
    let role = "arn:aws:iam::210987654321:role/other";
    let input = json!({"id": id, "componentRoleArn": role, "codebuildRoleArn": role});
    let updated = ask_as(&test, OTHER, O::UpdateEnvironmentAccountConnection, input).await.unwrap();
    let updated = &updated["environmentAccountConnection"];
    assert_eq!((&updated["roleArn"], &updated["componentRoleArn"]), (&json!(ROLE), &json!(role)));
    assert_eq!((&updated["codebuildRoleArn"], &updated["status"]), (&json!(role), &json!("CONNECTED")));
}

#[tokio::test]
async fn tags_are_the_environment_accounts() {
    let test = plane().await;
    let tags = json!([{"key": "team", "value": "a"}]);
    let input = json!({"environmentName": "dev", "managementAccountId": OWN, "tags": tags});
    let made = ask_as(&test, OTHER, O::CreateEnvironmentAccountConnection, input).await.unwrap();
    let arn = json!({"resourceArn": made["environmentAccountConnection"]["arn"]});
    assert_eq!(ask_as(&test, OTHER, O::ListTagsForResource, arn.clone()).await.unwrap()["tags"], tags);
    assert_eq!(ask(&test, O::ListTagsForResource, arn.clone()).await, Err("NotFound"));
    let id = made["environmentAccountConnection"]["id"].as_str().unwrap();
    act(&test, OTHER, O::DeleteEnvironmentAccountConnection, id).await.unwrap();
    assert_eq!(ask_as(&test, OTHER, O::ListTagsForResource, arn).await, Err("NotFound"));
}

#[tokio::test]
async fn an_environment_needs_a_connected_connection_of_its_own_name() {
    let test = plane().await;
    let unknown = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
    assert_eq!(environment(&test, unknown).await, Err("NotFound"));
    let (dev, prod) = (request(&test, "dev").await.unwrap(), request(&test, "prod").await.unwrap());
    accept(&test, &prod).await.unwrap();
    assert_eq!(environment(&test, &dev).await, Err("Conflict"), "PENDING");
    assert_eq!(environment(&test, &prod).await, Err("Validation"), "another environment's");
    accept(&test, &dev).await.unwrap();
    let made = environment(&test, &dev).await.unwrap();
    assert_eq!((&made["environmentAccountId"], &made["environmentAccountConnectionId"]), (&json!(OTHER), &json!(dev)));
    let listed = ask(&test, O::ListEnvironments, json!({})).await.unwrap();
    assert_eq!(listed["environments"][0]["environmentAccountId"], OTHER);
}

#[tokio::test]
async fn an_account_cant_use_the_connections_it_asked_for() {
    let test = plane().await;
    let input = json!({"environmentName": "dev", "managementAccountId": OTHER, "roleArn": ROLE});
    let made = ask(&test, O::CreateEnvironmentAccountConnection, input).await.unwrap();
    let id = made["environmentAccountConnection"]["id"].as_str().unwrap();
    act(&test, OTHER, O::AcceptEnvironmentAccountConnection, id).await.unwrap();
    assert_eq!(environment(&test, id).await, Err("NotFound"));
}

#[tokio::test]
async fn what_an_environment_uses_isnt_rejected_but_can_be_withdrawn_and_replaced() {
    let test = plane().await;
    let first = request(&test, "dev").await.unwrap();
    accept(&test, &first).await.unwrap();
    let made = environment(&test, &first).await.unwrap();
    assert_eq!(reject(&test, &first).await, Err("Conflict"));
    let deployment = test.deployment(made["lastAttemptedDeploymentId"].as_str().unwrap()).await;
    test.settle(&deployment, &[]).await;
    act(&test, OTHER, O::DeleteEnvironmentAccountConnection, &first).await.unwrap();
    let shown = ask(&test, O::GetEnvironment, json!({"name": "dev"})).await.unwrap();
    assert_eq!(shown["environment"]["environmentAccountConnectionId"], json!(first), "orphaned");

    let update = async |id: &str| {
        let input = json!({"name": "dev", "deploymentType": "NONE", "environmentAccountConnectionId": id});
        ask(&test, O::UpdateEnvironment, input).await
    };
    let foreign = request_as(&test, THIRD, "dev").await.unwrap();
    accept(&test, &foreign).await.unwrap();
    assert_eq!(update(&foreign).await, Err("Validation"), "the infrastructure lies in another account");
    assert_eq!(reject(&test, &foreign).await.unwrap(), "REJECTED");
    let second = request(&test, "dev").await.unwrap();
    assert_eq!(update(&second).await, Err("Conflict"), "PENDING");
    accept(&test, &second).await.unwrap();
    let updated = update(&second).await.unwrap();
    assert_eq!(updated["environment"]["environmentAccountConnectionId"], json!(second));
    assert_eq!(updated["environment"]["environmentAccountId"], OTHER);
    assert_eq!(reject(&test, &second).await, Err("Conflict"));
}
