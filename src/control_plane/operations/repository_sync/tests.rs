//! What is configured to be synced from a repository.

use hadron_model::Operation as O;
use serde_json::{Value, json};

use crate::control_plane::operations::tests::ask;
use crate::control_plane::test_plane::TestPlane;

/// A plane where the template `net` and the service `pay` are synced from branches of their own.
async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.settled_instance("pay", "api", "dev").await;
    ask(&test, O::CreateEnvironmentTemplate, json!({"name": "net"})).await.unwrap();
    let arn = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc";
    let input = json!({"name": "acme/ops", "provider": "GITHUB", "connectionArn": arn});
    ask(&test, O::CreateRepository, input).await.unwrap();
    let template = json!({
        "templateName": "net", "templateType": "ENVIRONMENT", "branch": "templates",
        "repositoryName": "acme/ops", "repositoryProvider": "GITHUB",
    });
    ask(&test, O::CreateTemplateSyncConfig, template).await.unwrap();
    let service = json!({
        "serviceName": "pay", "branch": "services", "filePath": "ops.yaml",
        "repositoryName": "acme/ops", "repositoryProvider": "GITHUB",
    });
    ask(&test, O::CreateServiceSyncConfig, service).await.unwrap();
    test
}

fn of(kind: &str, changes: &Value) -> Value {
    let mut input = json!({"repositoryName": "acme/ops", "repositoryProvider": "GITHUB", "syncType": kind});
    for (key, value) in changes.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

#[tokio::test]
async fn definitions_tell_what_is_synced_from_where_to_where() {
    let test = plane().await;
    let list = async |kind: &str| ask(&test, O::ListRepositorySyncDefinitions, of(kind, &json!({}))).await.unwrap();
    let arn = "arn:aws:proton:us-east-1:123456789012";
    let template = json!({
        "branch": "templates", "directory": "/", "parent": "acme/ops",
        "target": format!("{arn}:environment-template/net"),
    });
    assert_eq!(list("TEMPLATE_SYNC").await, json!({ "syncDefinitions": [template] }));
    let service = json!({
        "branch": "services", "directory": "ops.yaml", "parent": "acme/ops", "target": format!("{arn}:service/pay"),
    });
    assert_eq!(list("SERVICE_SYNC").await, json!({ "syncDefinitions": [service] }));
    let unlinked = of("TEMPLATE_SYNC", &json!({"repositoryName": "acme/nothing"}));
    assert_eq!(ask(&test, O::ListRepositorySyncDefinitions, unlinked).await, Err("Validation"));
}

#[tokio::test]
async fn only_what_is_configured_can_have_a_status() {
    let test = plane().await;
    let status = async |kind: &str, changes: Value| ask(&test, O::GetRepositorySyncStatus, of(kind, &changes)).await;
    assert_eq!(status("TEMPLATE_SYNC", json!({"branch": "templates"})).await, Ok(json!({})));
    assert_eq!(status("SERVICE_SYNC", json!({"branch": "services"})).await, Ok(json!({})));
    assert_eq!(status("TEMPLATE_SYNC", json!({"branch": "services"})).await, Err("NotFound"));
    assert_eq!(status("SERVICE_SYNC", json!({"branch": "templates"})).await, Err("NotFound"));
    let unlinked = json!({"branch": "templates", "repositoryName": "acme/nothing"});
    assert_eq!(status("TEMPLATE_SYNC", unlinked).await, Err("NotFound"));
}
