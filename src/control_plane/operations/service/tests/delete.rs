//! DeleteService.

use hadron_model::{
    ComponentDeploymentUpdateType, CreateComponentInput, DeleteEnvironmentInput, Proton, UpdateComponentInput,
};

use super::{End, SERVICE_ARN, Shop, arn, is_conflict, spec};
use crate::control_plane::records::{Component, StateKey};
use crate::control_plane::store::Typed;
use crate::control_plane::wire::ProtonError;

#[tokio::test]
async fn the_pipeline_goes_first_then_the_instances_then_the_service() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    let deleting = shop.delete().await.unwrap().unwrap();
    assert_eq!(deleting.status.as_str(), "DELETE_IN_PROGRESS");
    assert_eq!(shop.shows().await, "DELETE_IN_PROGRESS pipeline=DELETE_IN_PROGRESS a=SUCCEEDED b=SUCCEEDED");
    assert!(is_conflict(&shop.delete().await) && is_conflict(&shop.update_instance("a", None).await));
    assert!(is_conflict(&attach(&shop, "a").await), "an instance that goes is no place for a component");
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "DELETE_IN_PROGRESS a=DELETE_IN_PROGRESS b=DELETE_IN_PROGRESS");
    assert!(is_conflict(&shop.cancel("a").await), "a deletion isn't called off");
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.shows().await, "DELETE_IN_PROGRESS a=DELETE_IN_PROGRESS");
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "gone");
    assert!(matches!(shop.delete().await, Err(ProtonError::ResourceNotFound(_))));
    for arn in [SERVICE_ARN, &arn("a"), &arn("b"), &arn("pipeline")] {
        assert!(shop.tags(arn).await.is_none(), "{arn}");
        assert_eq!(shop.history(arn).await.last().unwrap(), "DELETED");
        let (scope, arn) = (shop.test.scope.clone(), arn.to_owned());
        let keys = shop.test.plane.store.read(move |tx| tx.by_term::<StateKey>(&scope, "target", &arn)).await.unwrap();
        assert!(keys.is_empty(), "its state key is free again");
    }
    shop.create(&spec(&[("a", 80)])).await.unwrap();
    shop.history(SERVICE_ARN).await;
}

#[tokio::test]
async fn where_nothing_ever_ran_the_service_is_gone_at_once() {
    let shop = Shop::new().await;
    let names: Vec<String> = (0..20).map(|number| format!("i{number}")).collect();
    let most: Vec<(&str, u16)> = names.iter().map(|name| (name.as_str(), 80)).collect();
    shop.create(&spec(&most)).await.unwrap();
    assert!(is_conflict(&shop.delete().await));
    for name in &names {
        shop.cancel(name).await.unwrap();
    }
    let shown = shop.shows().await;
    assert!(shown.starts_with("CREATE_FAILED pipeline=CANCELLED i0=CANCELLED"), "{shown}");
    assert_eq!(shop.delete().await.unwrap().unwrap().status.as_str(), "DELETE_IN_PROGRESS");
    assert_eq!(shop.shows().await, "gone");
    shop.create(&spec(&[("a", 80)])).await.unwrap();
    shop.history(&arn("pipeline")).await;
}

#[tokio::test]
async fn a_pipeline_that_fails_to_delete_stops_the_deletion_until_it_is_tried_again() {
    let shop = Shop::with(&[("a", 80)]).await;
    for _ in 0..2 {
        shop.delete().await.unwrap();
        assert_eq!(shop.shows().await, "DELETE_IN_PROGRESS pipeline=DELETE_IN_PROGRESS a=SUCCEEDED");
        shop.end("pipeline", End::Failed).await;
        assert_eq!(shop.shows().await, "DELETE_FAILED pipeline=DELETE_FAILED a=SUCCEEDED");
    }
    shop.delete().await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "gone");
}

#[tokio::test]
async fn instances_that_fail_to_delete_are_named_and_tried_again() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    shop.delete().await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    shop.end("a", End::Failed).await;
    assert_eq!(shop.shows().await, "DELETE_IN_PROGRESS a=DELETE_FAILED b=DELETE_IN_PROGRESS");
    shop.end("b", End::Succeeded).await;
    let failed = shop.get().await.unwrap();
    let message = format!("Service Instance(s): [{}] failed to delete", arn("a"));
    assert_eq!((failed.status.as_str(), failed.status_message), ("DELETE_FAILED", Some(message)));
    assert!(is_conflict(&shop.create_instance("c", &spec(&[("c", 82)])).await));
    shop.delete().await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "gone");
}

#[tokio::test]
async fn a_service_that_is_half_deleted_comes_back_by_an_update_with_its_pipeline() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    shop.delete().await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    shop.end("a", End::Succeeded).await;
    shop.end("b", End::Failed).await;
    assert_eq!(shop.shows().await, "DELETE_FAILED b=DELETE_FAILED");
    shop.update(&spec(&[("a", 80)])).await.unwrap();
    assert_eq!(shop.shows().await, "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=IN_PROGRESS b=DELETE_FAILED");
    shop.end("a", End::Succeeded).await;
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED");
    shop.history(&arn("pipeline")).await;
}

#[tokio::test]
async fn an_attached_component_keeps_the_service_and_the_instance_from_being_removed() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    attach(&shop, "a").await.unwrap();
    assert!(is_conflict(&shop.update_instance("a", None).await), "its component is under way");
    end_component(&shop).await;
    let refused = shop.delete().await.unwrap_err();
    insta::assert_snapshot!(refused, @r#"component queue is attached to service instance shop/a. Detach it first: update-component --name queue --deployment-type CURRENT_VERSION --service-name "" --service-instance-name """#);
    assert!(is_conflict(&shop.update(&spec(&[("b", 81)])).await));
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    shop.update_instance("a", None).await.unwrap();
    let inputs = shop.inputs("a").await;
    assert_eq!(inputs["service_instance"]["components"]["default"]["outputs"]["queue"], "q-1");
    assert_eq!(shop.last("a").await.target_state.component_deployment_ids.len(), 1);
    shop.end("a", End::Succeeded).await;
    let detach = UpdateComponentInput {
        client_token: None,
        deployment_type: ComponentDeploymentUpdateType::CurrentVersion,
        description: None,
        name: "queue".into(),
        service_instance_name: Some(String::new()),
        service_name: Some(String::new()),
        service_spec: None,
        template_file: None,
    };
    shop.test.plane.update_component(&mut shop.test.call(), detach).await.unwrap();
    end_component(&shop).await;
    shop.delete().await.unwrap();
    let input = DeleteEnvironmentInput { name: "dev".into() };
    assert!(is_conflict(&shop.test.plane.delete_environment(&mut shop.test.call(), input).await));
}

async fn attach(shop: &Shop, instance: &str) -> Result<(), ProtonError> {
    let input = CreateComponentInput {
        client_token: None,
        description: None,
        environment_name: None,
        manifest:
            "infrastructure:\n  templates:\n    - {file: q.tf, rendering_engine: hcl, template_language: terraform}\n"
                .into(),
        name: "queue".into(),
        service_instance_name: Some(instance.into()),
        service_name: Some("shop".into()),
        service_spec: None,
        tags: None,
        template_file: "resource \"terraform_data\" \"queue\" {}\n".into(),
    };
    shop.test.advance(10);
    shop.test.plane.create_component(&mut shop.test.call(), input).await.map(drop)
}

async fn end_component(shop: &Shop) {
    let id = shop.test.get::<Component>("queue").await.unwrap().progress.last_attempted_deployment_id.clone().unwrap();
    shop.test.settle(&shop.test.deployment(&id).await, &[("queue", "q-1")]).await;
}
