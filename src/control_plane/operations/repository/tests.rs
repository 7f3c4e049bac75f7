//! Repositories and what keeps them linked.

use hadron_model::Operation as O;
use serde_json::{Value, json};

use crate::control_plane::operations::tests::{ask, ask_as};
use crate::control_plane::records::TemplateKind;
use crate::control_plane::test_plane::TestPlane;

const CONNECTION: &str = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc";
const ARN: &str = "arn:aws:proton:us-east-1:123456789012:repository/github:acme/shop";

async fn link(test: &TestPlane, name: &str) -> Result<Value, &'static str> {
    let input = json!({
        "name": name, "provider": "GITHUB", "connectionArn": CONNECTION,
        "tags": [{"key": "team", "value": "a"}],
    });
    ask(test, O::CreateRepository, input).await.map(|made| made["repository"].clone())
}

fn shop() -> Value {
    json!({"name": "acme/shop", "provider": "GITHUB"})
}

#[tokio::test]
async fn a_repository_is_linked_once() {
    let test = TestPlane::new().await;
    let made = link(&test, "acme/shop").await.unwrap();
    assert_eq!((&made["arn"], &made["connectionArn"]), (&json!(ARN), &json!(CONNECTION)));
    assert_eq!(link(&test, "acme/shop").await, Err("Conflict"));
    assert_eq!(ask(&test, O::GetRepository, shop()).await.unwrap()["repository"], made);
    let other = json!({"name": "acme/shop", "provider": "BITBUCKET"});
    assert_eq!(ask(&test, O::GetRepository, other).await, Err("NotFound"), "the provider is part of the name");
    assert_eq!(ask_as(&test, "210987654321", O::GetRepository, shop()).await, Err("NotFound"));
}

#[tokio::test]
async fn repositories_are_listed_page_by_page() {
    let test = TestPlane::new().await;
    for name in ["acme/c", "acme/a", "acme/b"] {
        link(&test, name).await.unwrap();
    }
    let first = ask(&test, O::ListRepositories, json!({"maxResults": 2})).await.unwrap();
    let names =
        |page: &Value| page["repositories"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["acme/a", "acme/b"]);
    let rest = json!({"maxResults": 2, "nextToken": first["nextToken"]});
    assert_eq!(names(&ask(&test, O::ListRepositories, rest).await.unwrap()), ["acme/c"]);
}

#[tokio::test]
async fn tags_go_with_the_link() {
    let test = TestPlane::new().await;
    link(&test, "acme/shop").await.unwrap();
    let arn = json!({"resourceArn": ARN});
    let tags = ask(&test, O::ListTagsForResource, arn.clone()).await.unwrap();
    assert_eq!(tags["tags"].as_array().unwrap().len(), 2, "its own and aws:proton:account");
    assert_eq!(ask(&test, O::DeleteRepository, shop()).await.unwrap()["repository"]["arn"], ARN);
    assert_eq!(ask(&test, O::ListTagsForResource, arn).await, Err("NotFound"));
    assert_eq!(ask(&test, O::DeleteRepository, shop()).await, Err("NotFound"));
}

#[tokio::test]
async fn a_repository_with_too_long_an_arn_is_refused() {
    let test = TestPlane::new().await;
    let long = TestPlane { scope: crate::domain::Scope::new("123456789012", "r".repeat(80)), ..test };
    assert_eq!(link(&long, &format!("acme/{}", "x".repeat(95))).await, Err("Validation"));
}

#[tokio::test]
async fn template_syncing_keeps_a_repository_linked() {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Service, "web", (1, 0), "").await;
    link(&test, "acme/shop").await.unwrap();
    let config = json!({
        "templateName": "web", "templateType": "SERVICE", "branch": "main",
        "repositoryName": "acme/shop", "repositoryProvider": "GITHUB",
    });
    ask(&test, O::CreateTemplateSyncConfig, config).await.unwrap();
    assert_eq!(ask(&test, O::DeleteRepository, shop()).await, Err("Conflict"));
    let named = json!({"templateName": "web", "templateType": "SERVICE"});
    ask(&test, O::DeleteTemplateSyncConfig, named).await.unwrap();
    ask(&test, O::DeleteRepository, shop()).await.unwrap();
}

#[tokio::test]
async fn service_syncing_keeps_a_repository_linked() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.settled_instance("pay", "api", "dev").await;
    link(&test, "acme/shop").await.unwrap();
    let config = json!({
        "serviceName": "pay", "branch": "main", "filePath": "ops.yaml",
        "repositoryName": "acme/shop", "repositoryProvider": "GITHUB",
    });
    ask(&test, O::CreateServiceSyncConfig, config).await.unwrap();
    assert_eq!(ask(&test, O::DeleteRepository, shop()).await, Err("Conflict"));
    ask(&test, O::DeleteServiceSyncConfig, json!({"serviceName": "pay"})).await.unwrap();
    ask(&test, O::DeleteRepository, shop()).await.unwrap();
}

#[tokio::test]
async fn account_settings_keep_a_repository_linked_though_they_need_no_link() {
    let test = TestPlane::new().await;
    let branch = json!({"name": "acme/shop", "provider": "GITHUB", "branch": "main"});
    ask(&test, O::UpdateAccountSettings, json!({"pipelineProvisioningRepository": branch})).await.unwrap();
    link(&test, "acme/shop").await.unwrap();
    assert_eq!(ask(&test, O::DeleteRepository, shop()).await, Err("Conflict"));
    ask(&test, O::UpdateAccountSettings, json!({"deletePipelineProvisioningRepository": true})).await.unwrap();
    ask(&test, O::DeleteRepository, shop()).await.unwrap();
}

#[tokio::test]
async fn an_environment_keeps_its_repository_linked_though_it_needs_no_link() {
    const SCHEMA: &str = "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: In\n  types:\n    In: {type: object, properties: {cidr: {type: string, default: none}}}\n";
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 0), SCHEMA).await;
    let input = json!({
        "name": "dev", "templateName": "net", "templateMajorVersion": "1",
        "spec": "proton: EnvironmentSpec\nspec: {}\n",
        "provisioningRepository": {"name": "acme/shop", "provider": "GITHUB", "branch": "main"},
    });
    ask(&test, O::CreateEnvironment, input).await.unwrap();
    link(&test, "acme/shop").await.unwrap();
    assert_eq!(ask(&test, O::DeleteRepository, shop()).await, Err("Conflict"));
}
