//! UpdateServicePipeline and its cancelling.

use hadron_model::DeploymentUpdateType as T;

use super::{End, Shop, is_conflict, is_validation, spec};
use crate::control_plane::wire::ProtonError;
use crate::domain::ServiceSpec;

#[tokio::test]
async fn a_pipeline_takes_new_inputs_and_the_service_knows_them() {
    let shop = Shop::with(&[("a", 80)]).await;
    let old = spec(&[("a", 80)]);
    let new = "proton: ServiceSpec\npipeline: {command: cargo}\n";
    let updating = shop.update_pipeline(new).await.unwrap();
    assert_eq!((updating.deployment_status.as_str(), updating.spec.as_ref()), ("IN_PROGRESS", Some(&old)));
    assert_eq!(shop.shows().await, "ACTIVE pipeline=IN_PROGRESS a=SUCCEEDED");
    assert_eq!(shop.inputs("pipeline").await["pipeline"]["inputs"]["command"], "cargo");
    assert_eq!(shop.stages().await, ["a"]);
    assert!(is_conflict(&shop.update_pipeline(new).await) && is_conflict(&shop.update(&old).await));
    assert!(is_conflict(&shop.delete().await));
    shop.end("pipeline", End::Succeeded).await;
    let service = ServiceSpec::parse(&shop.get().await.unwrap().spec).unwrap();
    assert_eq!((&service.pipeline.unwrap()["command"], service.instances.len()), (&"cargo".into(), 1));
    let keeping = "proton: ServiceSpec\npipeline: {command: \"${Proton::CURRENT_VAL}\"}\n";
    shop.update_pipeline(keeping).await.unwrap();
    assert_eq!(shop.inputs("pipeline").await["pipeline"]["inputs"]["command"], "cargo");
}

#[tokio::test]
async fn a_pipeline_that_fails_or_is_cancelled_leaves_the_service_active() {
    let shop = Shop::with(&[("a", 80)]).await;
    let old = shop.get().await.unwrap().spec;
    let new = old.replace("make", "cargo");
    shop.update_pipeline(&new).await.unwrap();
    shop.end("pipeline", End::Failed).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=FAILED a=SUCCEEDED");
    shop.update_pipeline(&new).await.unwrap();
    assert_eq!(shop.cancel("pipeline").await.unwrap().as_str(), "CANCELLED");
    let shown = shop.get().await.unwrap();
    assert_eq!((&shown.spec, shown.pipeline.unwrap().spec), (&old, Some(old.clone())));
    assert!(is_conflict(&shop.cancel("pipeline").await), "it has ended");
}

#[tokio::test]
async fn a_pipeline_follows_the_deployment_type() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.version((1, 1)).await;
    let spec = spec(&[("a", 80)]);
    let before = shop.last("pipeline").await.id;
    shop.update_pipeline_to(T::None, &spec).await.unwrap();
    assert_eq!(shop.last("pipeline").await.id, before);
    let updating = shop.update_pipeline_to(T::MinorVersion, &spec).await.unwrap();
    assert_eq!(updating.template_minor_version, "0");
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.get().await.unwrap().pipeline.unwrap().template_minor_version, "1");
    assert_eq!(shop.instance("a").await.unwrap().template_minor_version, "0", "instances have their own version");
    assert!(is_validation(&shop.update_pipeline("proton: ServiceSpec\npipeline: {comand: x}\n").await));
}

#[tokio::test]
async fn a_service_without_pipeline_has_none_to_update() {
    let shop = Shop::new().await;
    let bare = hadron_model::CreateServiceInput {
        branch_name: None,
        repository_id: None,
        template_name: "bare".into(),
        ..super::given("proton: ServiceSpec\ninstances: []\n")
    };
    shop.create_from(bare).await.unwrap();
    let refused = shop.update_pipeline("proton: ServiceSpec\n").await;
    assert!(matches!(refused, Err(ProtonError::ResourceNotFound(_))));
    assert!(matches!(shop.cancel("pipeline").await, Err(ProtonError::ResourceNotFound(_))));
}
