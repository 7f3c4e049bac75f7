//! Service sync configurations. What blocks syncing is tested with the services.

use hadron_model::Operation as O;
use serde_json::{Value, json};

use crate::control_plane::operations::tests::ask;
use crate::control_plane::test_plane::TestPlane;

/// A plane with the instance `pay/api`, and two linked repositories.
async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.settled_instance("pay", "api", "dev").await;
    for name in ["acme/ops", "acme/other"] {
        let arn = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc";
        let input = json!({"name": name, "provider": "GITHUB", "connectionArn": arn});
        ask(&test, O::CreateRepository, input).await.unwrap();
    }
    test
}

fn with(changes: &Value) -> Value {
    let mut input = json!({
        "serviceName": "pay", "branch": "main", "filePath": "config/proton-ops.yaml",
        "repositoryName": "acme/ops", "repositoryProvider": "GITHUB",
    });
    for (key, value) in changes.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

fn pay() -> Value {
    json!({"serviceName": "pay"})
}

#[tokio::test]
async fn a_service_is_synced_from_one_place() {
    let test = plane().await;
    assert_eq!(ask(&test, O::GetServiceSyncConfig, pay()).await, Err("NotFound"));
    let made = ask(&test, O::CreateServiceSyncConfig, with(&json!({}))).await.unwrap();
    assert_eq!(made["serviceSyncConfig"], with(&json!({})));
    assert_eq!(ask(&test, O::GetServiceSyncConfig, pay()).await.unwrap(), made);
    assert_eq!(ask(&test, O::CreateServiceSyncConfig, with(&json!({}))).await, Err("Conflict"));
    assert_eq!(ask(&test, O::DeleteServiceSyncConfig, pay()).await.unwrap(), made);
    assert_eq!(ask(&test, O::DeleteServiceSyncConfig, pay()).await, Err("NotFound"));
}

#[tokio::test]
async fn what_a_new_configuration_names_must_be_there() {
    let test = plane().await;
    for wrong in [json!({"serviceName": "nothing"}), json!({"repositoryName": "acme/nothing"})] {
        let refused = ask(&test, O::CreateServiceSyncConfig, with(&wrong)).await;
        assert_eq!(refused, Err("Validation"), "no ResourceNotFoundException is declared: {wrong}");
    }
}

#[tokio::test]
async fn an_update_replaces_everything() {
    let test = plane().await;
    assert_eq!(ask(&test, O::UpdateServiceSyncConfig, with(&json!({}))).await, Err("NotFound"));
    ask(&test, O::CreateServiceSyncConfig, with(&json!({}))).await.unwrap();
    let unlinked = with(&json!({"repositoryName": "acme/nothing"}));
    assert_eq!(ask(&test, O::UpdateServiceSyncConfig, unlinked).await, Err("NotFound"));
    let input = with(&json!({"repositoryName": "acme/other", "branch": "next", "filePath": "ops.yaml"}));
    let updated = ask(&test, O::UpdateServiceSyncConfig, input.clone()).await.unwrap();
    assert_eq!(updated["serviceSyncConfig"], input);
}

#[tokio::test]
async fn there_is_no_status_before_a_first_sync() {
    let test = plane().await;
    let of = |instance: &str| json!({"serviceName": "pay", "serviceInstanceName": instance});
    assert_eq!(ask(&test, O::GetServiceInstanceSyncStatus, of("api")).await, Err("NotFound"));
    ask(&test, O::CreateServiceSyncConfig, with(&json!({}))).await.unwrap();
    assert_eq!(ask(&test, O::GetServiceInstanceSyncStatus, of("api")).await.unwrap(), json!({}));
    assert_eq!(ask(&test, O::GetServiceInstanceSyncStatus, of("nothing")).await, Err("NotFound"));
}
