//! CreateService.

use hadron_model::{CreateServiceInput, DeploymentUpdateType, Tag};
use serde_json::json;

use super::{End, SERVICE_ARN, Shop, arn, given, is_conflict, is_validation, spec, to};
use crate::control_plane::records::Deployment;
use crate::control_plane::wire::ProtonError;

#[tokio::test]
async fn instances_are_deployed_side_by_side_and_the_pipeline_waits_for_them() {
    let shop = Shop::new().await;
    let created = shop.create(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    assert_eq!((created.status.as_str(), created.template_name.as_str()), ("CREATE_IN_PROGRESS", "web"));
    let pipeline = created.pipeline.unwrap();
    assert_eq!((pipeline.last_attempted_deployment_id, pipeline.last_deployment_succeeded_at), (None, None));
    assert_eq!(shop.shows().await, "CREATE_IN_PROGRESS pipeline=IN_PROGRESS a=IN_PROGRESS b=IN_PROGRESS");
    let inputs = shop.inputs("b").await;
    assert_eq!(inputs["service_instance"]["inputs"], json!({"port": 81, "image": "none"}));
    assert_eq!(inputs["environment"]["outputs"], json!({"vpc": "vpc-dev"}));
    assert_eq!(inputs["service"]["repository_id"], "acme/shop");
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.shows().await, "CREATE_IN_PROGRESS pipeline=IN_PROGRESS a=IN_PROGRESS b=SUCCEEDED");
    assert!(is_conflict(&shop.cancel("pipeline").await), "a pipeline that waits has no deployment to cancel");
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["a", "b"], "in the order of the spec");
    let inputs = shop.inputs("pipeline").await;
    assert_eq!(inputs["service_instances"][1]["outputs"], json!({"url": "https://x"}));
    assert_eq!(inputs["pipeline"]["inputs"], json!({"command": "make"}));
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    assert_eq!(shop.history(SERVICE_ARN).await, ["CREATE_IN_PROGRESS", "ACTIVE"]);
    assert_eq!(shop.history(&arn("a")).await, ["IN_PROGRESS", "SUCCEEDED"]);
    assert_eq!(shop.history(&arn("pipeline")).await, ["IN_PROGRESS", "SUCCEEDED"]);
}

#[tokio::test]
async fn a_service_without_instances_is_its_pipeline_or_active_at_once() {
    let shop = Shop::new().await;
    shop.create(&spec(&[])).await.unwrap();
    assert_eq!(shop.shows().await, "CREATE_IN_PROGRESS pipeline=IN_PROGRESS");
    assert!(shop.stages().await.is_empty());
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED");

    let shop = Shop::new().await;
    let bare = CreateServiceInput { spec: "proton: ServiceSpec\ninstances: []\n".into(), ..bare() };
    let created = shop.create_from(bare).await.unwrap();
    assert_eq!((created.status.as_str(), created.pipeline), ("ACTIVE", None));
}

#[tokio::test]
async fn a_service_without_pipeline_is_active_when_its_instances_are_up() {
    let shop = Shop::new().await;
    shop.create_from(bare()).await.unwrap();
    assert_eq!(shop.shows().await, "CREATE_IN_PROGRESS a=IN_PROGRESS");
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE a=SUCCEEDED");
}

#[tokio::test]
async fn a_failed_instance_calls_the_pipeline_off_and_mending_it_brings_the_pipeline_about() {
    let shop = Shop::new().await;
    shop.create(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    shop.end("a", End::Failed).await;
    assert_eq!(shop.shows().await, "CREATE_IN_PROGRESS pipeline=IN_PROGRESS a=FAILED b=IN_PROGRESS");
    assert!(is_conflict(&shop.update_instance("a", None).await), "the change of the service has it");
    shop.end("b", End::Succeeded).await;
    let failed = shop.get().await.unwrap();
    let message = format!("Service Instance(s): [{}] failed to deploy - canceling pipeline deployment", arn("a"));
    assert_eq!((failed.status.as_str(), failed.status_message.as_deref()), ("CREATE_FAILED", Some(message.as_str())));
    let pipeline = failed.pipeline.unwrap();
    assert_eq!(pipeline.deployment_status.as_str(), "CANCELLED");
    assert_eq!(pipeline.deployment_status_message.as_deref(), Some(message.as_str()));

    let mended = spec(&[("a", 8080), ("b", 81)]);
    shop.update_instance("a", Some(&mended)).await.unwrap();
    assert_eq!(shop.shows().await, "CREATE_FAILED pipeline=CANCELLED a=IN_PROGRESS b=SUCCEEDED");
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "CREATE_FAILED pipeline=IN_PROGRESS a=SUCCEEDED b=SUCCEEDED");
    assert_eq!(shop.stages().await, ["a", "b"]);
    shop.end("pipeline", End::Succeeded).await;
    let active = shop.get().await.unwrap();
    assert_eq!((active.status.as_str(), active.status_message, active.spec), ("ACTIVE", None, mended));
    let history = shop.history(&arn("pipeline")).await;
    assert_eq!(history, ["IN_PROGRESS", "CANCELLED", "IN_PROGRESS", "SUCCEEDED"]);
}

#[tokio::test]
async fn a_failed_pipeline_fails_the_creation_and_updating_it_mends_the_service() {
    let shop = Shop::new().await;
    shop.create(&spec(&[("a", 80)])).await.unwrap();
    shop.end("a", End::Succeeded).await;
    shop.end("pipeline", End::Failed).await;
    assert_eq!(shop.shows().await, "CREATE_FAILED pipeline=FAILED a=SUCCEEDED");
    shop.update_instance("a", None).await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "CREATE_FAILED pipeline=FAILED a=SUCCEEDED", "nobody asked for the pipeline");
    shop.update_pipeline(&spec(&[("a", 80)])).await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED");
}

#[tokio::test]
async fn a_cancelled_creation_isnt_stuck() {
    let shop = Shop::new().await;
    shop.create(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    assert_eq!(shop.cancel("a").await.unwrap().as_str(), "CANCELLED", "nobody had begun");
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.shows().await, "CREATE_FAILED pipeline=CANCELLED a=CANCELLED b=SUCCEEDED");
    shop.update_instance("a", None).await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.cancel("pipeline").await.unwrap().as_str(), "CANCELLED");
    assert_eq!(shop.shows().await, "CREATE_FAILED pipeline=CANCELLED a=SUCCEEDED b=SUCCEEDED");
    shop.update(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
}

#[tokio::test]
async fn what_doesnt_fit_the_template_is_refused_whole() {
    let shop = Shop::new().await;
    let repository = CreateServiceInput { repository_id: Some("acme/shop".into()), ..bare() };
    let refused = shop.create_from(repository).await;
    assert!(is_validation(&refused));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Service template bare version 1.0 has no pipeline, so repositoryId can't be given"
    );
    let piped = CreateServiceInput { spec: spec(&[("a", 80)]), ..bare() };
    let refused = shop.create_from(piped).await.unwrap_err();
    assert!(refused.to_string().contains("Remove `pipeline` from the spec"), "{refused}");
    let three = spec(&[("a", 80), ("b", 81)]).replace("port: 80", "prot: 80").replace("port: 81", "port: many");
    let refused = shop.create(&three.replace("command: make", "comand: make")).await.unwrap_err().to_string();
    for part in ["`prot`", "must be an integer", "`command` is missing"] {
        assert!(refused.contains(part), "{refused}");
    }
    let elsewhere = spec(&[("a", 80)]).replace("environment: dev", "environment: mars");
    assert!(matches!(shop.create(&elsewhere).await, Err(ProtonError::ResourceNotFound(_))));
    let many: Vec<String> = (0..21).map(|number| format!("i{number}")).collect();
    let many: Vec<(&str, u16)> = many.iter().map(|name| (name.as_str(), 80)).collect();
    assert!(matches!(shop.create(&spec(&many)).await, Err(ProtonError::ServiceQuotaExceeded(_))));
    assert_eq!(
        (shop.shows().await.as_str(), shop.tags(SERVICE_ARN).await.is_none()),
        ("gone", true),
        "nothing is left behind"
    );
    shop.create(&spec(&[("a", 80)])).await.unwrap();
    assert!(is_conflict(&shop.create(&spec(&[("a", 80)])).await), "the name is taken");
}

#[tokio::test]
async fn an_environment_must_be_up_and_compatible() {
    let shop = Shop::new().await;
    shop.test.environment("new").await;
    let unready = spec(&[("a", 80)]).replace("environment: dev", "environment: new");
    assert!(is_conflict(&shop.create(&unready).await));
    shop.test
        .version_with(crate::control_plane::records::TemplateKind::Service, "odd", (1, 0), super::BARE, |_, version| {
            version.compatible =
                vec![crate::control_plane::records::CompatibleTemplate { template: "mesh".into(), major: 2 }];
        })
        .await;
    let odd = CreateServiceInput { template_name: "odd".into(), ..bare() };
    let refused = shop.create_from(odd).await;
    assert!(is_validation(&refused));
    assert!(refused.unwrap_err().to_string().ends_with("is compatible with mesh:2 only"));
}

#[tokio::test]
async fn tags_are_inherited_at_creation_and_the_managed_ones_tell_the_kin() {
    let shop = Shop::with(&[("a", 80)]).await;
    let service = shop.tags(SERVICE_ARN).await.unwrap();
    let managed: Vec<String> = service.managed.iter().map(|(key, value)| format!("{key}={value}")).collect();
    insta::assert_snapshot!(managed.join("\n"), @r"
    aws:proton:account=123456789012
    aws:proton:service=arn:aws:proton:us-east-1:123456789012:service/shop
    aws:proton:template=arn:aws:proton:us-east-1:123456789012:service-template/web
    ");
    let instance = shop.tags(&arn("a")).await.unwrap();
    assert_eq!(instance.tags.get("team").map(String::as_str), Some("a"));
    let managed: Vec<String> = instance.managed.iter().map(|(key, value)| format!("{key}={value}")).collect();
    insta::assert_snapshot!(managed.join("\n"), @r"
    aws:proton:account=123456789012
    aws:proton:environment=arn:aws:proton:us-east-1:123456789012:environment/dev
    aws:proton:service=arn:aws:proton:us-east-1:123456789012:service/shop
    aws:proton:service-instance=arn:aws:proton:us-east-1:123456789012:service/shop/service-instance/a
    aws:proton:template=arn:aws:proton:us-east-1:123456789012:service-template/web
    ");
    let pipeline = shop.tags(&arn("pipeline")).await.unwrap();
    assert_eq!((pipeline.tags, pipeline.managed), (service.tags, service.managed));
    let mut own = super::another("b", &spec(&[("b", 81)]));
    own.tags = Some(vec![Tag { key: "team".into(), value: "b".into() }, Tag { key: "tier".into(), value: "1".into() }]);
    shop.create_instance_from(own).await.unwrap();
    let instance = shop.tags(&arn("b")).await.unwrap();
    let tags: Vec<_> = instance.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(tags, ["team=b", "tier=1"], "its own before the service's");
}

#[tokio::test]
async fn a_deployment_pins_what_it_was_given_and_tells_its_action() {
    let shop = Shop::with(&[("a", 80)]).await;
    let first = shop.last("a").await;
    let environment = shop.test.get::<crate::control_plane::records::Environment>("dev").await.unwrap();
    assert_eq!(first.target_state.environment_deployment_id, environment.progress.last_succeeded_deployment_id.clone());
    assert_eq!(first.target_state.pipeline_deployment_id, None);
    shop.update_instance("a", None).await.unwrap();
    let second = shop.last("a").await;
    assert_eq!(second.target_state.pipeline_deployment_id, Some(shop.last("pipeline").await.id));
    let action = async |deployment: &Deployment| {
        let arn = shop.test.engine().arn_of(&deployment.id);
        shop.tags(&arn).await.unwrap().managed["hadron:action"].clone()
    };
    assert_eq!((action(&first).await.as_str(), action(&second).await.as_str()), ("create", "update"));
    assert_eq!(second.bundle.uri, "s3://hadron/bundles/sha256/web-1.0");
    let refused = shop.update_instance_from(to("a", Some("proton: ServiceSpec"))).await;
    assert!(is_validation(&refused), "{:?}: nothing is deployed", DeploymentUpdateType::None);
}

/// A service of the template that has no pipeline.
fn bare() -> CreateServiceInput {
    CreateServiceInput {
        branch_name: None,
        repository_id: None,
        template_name: "bare".into(),
        ..given("proton: ServiceSpec\ninstances:\n  - {name: a, environment: dev, spec: {port: 80}}\n")
    }
}
