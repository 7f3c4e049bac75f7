//! Template sync configurations.

use hadron_model::Operation as O;
use serde_json::{Value, json};

use crate::control_plane::operations::tests::ask;
use crate::control_plane::test_plane::TestPlane;

/// A plane with the template `net` without versions, and two linked repositories.
async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    ask(&test, O::CreateEnvironmentTemplate, json!({"name": "net"})).await.unwrap();
    for name in ["acme/templates", "acme/other"] {
        let arn = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc";
        let input = json!({"name": name, "provider": "GITHUB", "connectionArn": arn});
        ask(&test, O::CreateRepository, input).await.unwrap();
    }
    test
}

fn named() -> Value {
    json!({"templateName": "net", "templateType": "ENVIRONMENT"})
}

fn with(changes: &Value) -> Value {
    let mut input = json!({
        "templateName": "net", "templateType": "ENVIRONMENT", "branch": "main",
        "repositoryName": "acme/templates", "repositoryProvider": "GITHUB", "subdirectory": "env",
    });
    for (key, value) in changes.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

#[tokio::test]
async fn a_template_is_synced_from_one_place() {
    let test = plane().await;
    assert_eq!(ask(&test, O::GetTemplateSyncConfig, named()).await, Err("NotFound"));
    let made = ask(&test, O::CreateTemplateSyncConfig, with(&json!({}))).await.unwrap();
    assert_eq!(made["templateSyncConfig"], with(&json!({})));
    assert_eq!(ask(&test, O::GetTemplateSyncConfig, named()).await.unwrap(), made);
    assert_eq!(ask(&test, O::CreateTemplateSyncConfig, with(&json!({}))).await, Err("Conflict"));
    let other = json!({"templateName": "net", "templateType": "SERVICE"});
    assert_eq!(ask(&test, O::GetTemplateSyncConfig, other).await, Err("NotFound"), "of the other type");
}

#[tokio::test]
async fn what_a_new_configuration_names_must_be_there() {
    let test = plane().await;
    for wrong in [
        json!({"templateName": "nothing"}),
        json!({"templateType": "SERVICE"}),
        json!({"repositoryName": "acme/nothing"}),
        json!({"repositoryProvider": "BITBUCKET"}),
    ] {
        let refused = ask(&test, O::CreateTemplateSyncConfig, with(&wrong)).await;
        assert_eq!(refused, Err("Validation"), "no ResourceNotFoundException is declared: {wrong}");
    }
}

#[tokio::test]
async fn an_update_replaces_everything() {
    let test = plane().await;
    assert_eq!(ask(&test, O::UpdateTemplateSyncConfig, with(&json!({}))).await, Err("NotFound"));
    ask(&test, O::CreateTemplateSyncConfig, with(&json!({}))).await.unwrap();
    let unlinked = with(&json!({"repositoryName": "acme/nothing"}));
    assert_eq!(ask(&test, O::UpdateTemplateSyncConfig, unlinked).await, Err("NotFound"));
    let input = with(&json!({"repositoryName": "acme/other", "branch": "next", "subdirectory": null}));
    let updated = ask(&test, O::UpdateTemplateSyncConfig, input).await.unwrap();
    let updated = &updated["templateSyncConfig"];
    assert_eq!((&updated["repositoryName"], &updated["branch"]), (&json!("acme/other"), &json!("next")));
    assert_eq!(updated.get("subdirectory"), None, "left out is taken away");
}

#[tokio::test]
async fn there_is_no_status_before_a_first_sync() {
    let test = plane().await;
    let of = json!({"templateName": "net", "templateType": "ENVIRONMENT", "templateVersion": "1"});
    assert_eq!(ask(&test, O::GetTemplateSyncStatus, of.clone()).await, Err("NotFound"));
    ask(&test, O::CreateTemplateSyncConfig, with(&json!({}))).await.unwrap();
    assert_eq!(ask(&test, O::GetTemplateSyncStatus, of).await.unwrap(), json!({}));
}

#[tokio::test]
async fn a_configuration_goes_by_itself_or_with_its_template() {
    let test = plane().await;
    let made = ask(&test, O::CreateTemplateSyncConfig, with(&json!({}))).await.unwrap();
    assert_eq!(ask(&test, O::DeleteTemplateSyncConfig, named()).await.unwrap(), made);
    assert_eq!(ask(&test, O::DeleteTemplateSyncConfig, named()).await, Err("NotFound"));
    ask(&test, O::CreateTemplateSyncConfig, with(&json!({}))).await.unwrap();
    ask(&test, O::DeleteEnvironmentTemplate, json!({"name": "net"})).await.unwrap();
    ask(&test, O::CreateEnvironmentTemplate, json!({"name": "net"})).await.unwrap();
    assert_eq!(ask(&test, O::GetTemplateSyncConfig, named()).await, Err("NotFound"));
}
