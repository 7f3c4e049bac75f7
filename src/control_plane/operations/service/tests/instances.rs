//! CreateServiceInstance, UpdateServiceInstance and their cancelling.

use hadron_model::{DeploymentUpdateType as T, UpdateServiceInstanceInput};

use super::{End, SERVICE_ARN, Shop, another, arn, is_conflict, is_validation, spec, to};
use crate::control_plane::wire::ProtonError;
use crate::domain::ServiceSpec;

#[tokio::test]
async fn a_created_instance_gives_the_pipeline_a_stage_once_it_is_up() {
    let shop = Shop::with(&[("a", 80)]).await;
    let own = "proton: ServiceSpec\ninstances:\n  - {name: b, environment: prod, spec: {port: 81}}\n";
    let created = shop.create_instance("b", own).await.unwrap();
    assert_eq!((created.environment_name.as_str(), created.spec.as_deref()), ("prod", Some(own)));
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=IN_PROGRESS");
    assert!(is_conflict(&shop.create_instance("b", own).await));
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=IN_PROGRESS a=SUCCEEDED b=SUCCEEDED");
    assert_eq!(shop.stages().await, ["a", "b"]);
    shop.end("pipeline", End::Succeeded).await;
    let service = ServiceSpec::parse(&shop.get().await.unwrap().spec).unwrap();
    assert_eq!(service.instance("b").unwrap().environment, "prod");
    assert_eq!(service.pipeline.unwrap()["command"], "make");
    assert_eq!(shop.history(SERVICE_ARN).await, ["CREATE_IN_PROGRESS", "ACTIVE"], "the service's status stays");
}

#[tokio::test]
async fn a_created_instance_that_fails_waits_to_be_mended() {
    let shop = Shop::with(&[("a", 80)]).await;
    let before = shop.last("pipeline").await.id;
    shop.create_instance("b", &spec(&[("b", 81)])).await.unwrap();
    shop.end("b", End::Failed).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=FAILED");
    shop.update_instance("a", None).await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.last("pipeline").await.id, before, "nothing new for the pipeline");
    shop.update_instance("b", Some(&spec(&[("b", 8181)]))).await.unwrap();
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["a", "b"]);
    shop.end("pipeline", End::Failed).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=FAILED a=SUCCEEDED b=SUCCEEDED");
}

#[tokio::test]
async fn instances_that_come_one_after_another_all_reach_the_pipeline() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.create_instance("b", &spec(&[("b", 81)])).await.unwrap();
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["a", "b"]);
    shop.create_instance("c", &spec(&[("c", 82)])).await.unwrap();
    shop.end("c", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=IN_PROGRESS a=SUCCEEDED b=SUCCEEDED c=SUCCEEDED");
    assert_eq!(shop.stages().await, ["a", "b", "c"]);
}

#[tokio::test]
async fn an_instance_needs_a_place_in_the_spec_and_room_in_the_service() {
    let shop = Shop::with(&[("a", 80)]).await;
    let refused = shop.create_instance("b", &spec(&[("c", 81)])).await;
    assert!(is_validation(&refused));
    assert_eq!(refused.unwrap_err().to_string(), "the spec has no instance named b; add it under `instances`");
    for number in 0..19 {
        let name = format!("i{number}");
        shop.create_instance(&name, &spec(&[(&name, 80)])).await.unwrap();
    }
    let over = shop.create_instance("more", &spec(&[("more", 80)])).await;
    assert!(is_validation(&over), "the operation declares no quota error");
}

#[tokio::test]
async fn a_client_token_makes_a_repeat_harmless() {
    let shop = Shop::with(&[("a", 80)]).await;
    let mut input = another("b", &spec(&[("b", 81)]));
    input.client_token = Some("t1".into());
    let first = shop.create_instance_from(input.clone()).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    let again = shop.create_instance_from(input.clone()).await.unwrap();
    assert_eq!(again.last_attempted_deployment_id, first.last_attempted_deployment_id);
    assert_eq!(again.last_client_request_token.as_deref(), Some("t1"));
    let mut other = another("b", &spec(&[("b", 82)]));
    other.client_token = Some("t1".into());
    assert_eq!(shop.create_instance_from(other).await.unwrap_err().to_string(), "Idempotent parameter mismatch");
    shop.update(&spec(&[("a", 80)])).await.unwrap();
    let leaving = shop.create_instance_from(input.clone()).await;
    assert!(matches!(leaving, Err(ProtonError::Conflict(_))), "it is about to vanish");
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    let anew = shop.create_instance_from(input).await.unwrap();
    assert_ne!(anew.last_attempted_deployment_id, first.last_attempted_deployment_id, "what it made is gone");

    let twice = UpdateServiceInstanceInput {
        client_token: Some("t2".into()),
        deployment_type: T::CurrentVersion,
        ..to("a", None)
    };
    let first = shop.update_instance_from(twice.clone()).await.unwrap();
    let again = shop.update_instance_from(twice).await.unwrap();
    assert_eq!(again.last_attempted_deployment_id, first.last_attempted_deployment_id);
}

#[tokio::test]
async fn one_input_of_one_instance_is_changed_in_the_text_of_the_service() {
    let shop = Shop::new().await;
    let written = "# ours\nproton: ServiceSpec\npipeline:\n  command: make # all\ninstances:\n  - name: a\n    environment: dev\n    spec: {port: 80} # plain\n  - name: b\n    environment: prod\n    spec: {port: 81}\n";
    shop.create(written).await.unwrap();
    for name in ["a", "b", "pipeline"] {
        shop.end(name, End::Succeeded).await;
    }
    let edited = shop.get().await.unwrap().spec.replace("port: 80", "port: 8080");
    let updating = shop.update_instance("a", Some(&edited)).await.unwrap();
    assert_eq!((updating.deployment_status.as_str(), updating.spec.as_deref()), ("IN_PROGRESS", Some(written)));
    assert_eq!(shop.inputs("a").await["service_instance"]["inputs"]["port"], 8080);
    assert_eq!(shop.get().await.unwrap().spec, written, "the old spec until it has succeeded");
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.get().await.unwrap().spec, edited, "comments and all");
    assert_eq!(shop.instance("a").await.unwrap().spec.as_ref(), Some(&edited));
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");

    let second = edited.replace("port: 81", "port: 8181");
    shop.update_instance("b", Some(&second)).await.unwrap();
    shop.end("b", End::Failed).await;
    assert_eq!(shop.get().await.unwrap().spec, edited, "what failed isn't taken over");
    assert_eq!(shop.instance("b").await.unwrap().spec.as_deref(), Some(written));
    let stale = "proton: ServiceSpec\ninstances:\n  - {name: a, environment: dev, spec: {port: 1}}\n  - {name: b, environment: prod, spec: {port: 9}}\n";
    shop.update_instance("b", Some(stale)).await.unwrap();
    shop.end("b", End::Succeeded).await;
    let merged = ServiceSpec::parse(&shop.get().await.unwrap().spec).unwrap();
    let port = |name: &str| merged.instance(name).unwrap().spec["port"].clone();
    assert_eq!((port("a"), port("b")), (8080.into(), 9.into()), "only the instance's own part counts");
}

#[tokio::test]
async fn current_values_may_stand_for_every_instance_of_the_service() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.create_instance("b", &spec(&[("b", 81)])).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    let keeping = shop.get().await.unwrap().spec.replace("port: 80", "port: \"${Proton::CURRENT_VAL}\"");
    let keeping = keeping.replace("port: 81", "port: \"${Proton::CURRENT_VAL}\"");
    shop.update_instance("a", Some(&keeping)).await.unwrap();
    assert_eq!(shop.inputs("a").await["service_instance"]["inputs"]["port"], 80);
}

#[tokio::test]
async fn versions_follow_the_deployment_type() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.version((1, 1)).await;
    shop.version((2, 0)).await;
    let update = async |input: UpdateServiceInstanceInput| shop.update_instance_from(input).await;
    let of = |deployment_type| UpdateServiceInstanceInput { deployment_type, ..to("a", None) };
    let named = UpdateServiceInstanceInput { template_major_version: Some("1".into()), ..of(T::CurrentVersion) };
    assert!(is_validation(&update(named).await), "CURRENT_VERSION takes no version");
    let before = shop.last("a").await.id;
    update(of(T::None)).await.unwrap();
    assert_eq!(shop.last("a").await.id, before, "NONE deploys nothing");

    let updating = update(of(T::MinorVersion)).await.unwrap();
    assert_eq!(updating.template_minor_version, "0", "the old version until it has succeeded");
    assert_eq!(shop.last("a").await.bundle.uri, "s3://hadron/bundles/sha256/web-1.1");
    shop.end("a", End::Failed).await;
    assert_eq!(shop.instance("a").await.unwrap().template_minor_version, "0");
    update(of(T::MinorVersion)).await.unwrap();
    shop.end("a", End::Succeeded).await;
    let shown = shop.instance("a").await.unwrap();
    assert_eq!((shown.template_major_version.as_str(), shown.template_minor_version.as_str()), ("1", "1"));
    update(of(T::MajorVersion)).await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.instance("a").await.unwrap().template_major_version, "2");
    let back = UpdateServiceInstanceInput { template_major_version: Some("1".into()), ..of(T::MajorVersion) };
    assert!(is_validation(&update(back).await));
    assert_eq!(shop.history(&arn("a")).await.last().unwrap(), "SUCCEEDED");
}

#[tokio::test]
async fn an_instance_stays_in_its_environment_and_has_one_deployment_at_a_time() {
    let shop = Shop::with(&[("a", 80)]).await;
    let elsewhere = spec(&[("a", 80)]).replace("environment: dev", "environment: prod");
    let refused = shop.update_instance("a", Some(&elsewhere)).await;
    assert!(is_validation(&refused));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "instance a lies in environment dev and can't move to prod. Create another instance there"
    );
    assert!(is_validation(&shop.update_instance("a", Some(&spec(&[("b", 80)]))).await));
    assert!(matches!(shop.update_instance("ghost", None).await, Err(ProtonError::ResourceNotFound(_))));
    shop.update_instance("a", None).await.unwrap();
    assert!(is_conflict(&shop.update_instance("a", None).await));
}

#[tokio::test]
async fn a_cancelled_update_shows_what_was_before() {
    let shop = Shop::with(&[("a", 80)]).await;
    let old = shop.instance("a").await.unwrap().spec;
    assert!(is_conflict(&shop.cancel("a").await), "there is nothing to cancel");
    shop.update_instance("a", Some(&spec(&[("a", 8080)]))).await.unwrap();
    shop.test.publish().await;
    let deployment = shop.last("a").await;
    let agent = shop.test.agent("b");
    let epoch = agent.claim(&deployment).await.unwrap();
    assert_eq!(shop.cancel("a").await.unwrap().as_str(), "CANCELLING");
    agent.fail(&deployment, epoch).await.unwrap();
    let shown = shop.instance("a").await.unwrap();
    assert_eq!((shown.deployment_status.as_str(), &shown.spec), ("CANCELLED", &old));
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=CANCELLED");
    let history = shop.history(&arn("a")).await;
    assert_eq!(history, ["IN_PROGRESS", "SUCCEEDED", "IN_PROGRESS", "CANCELLING", "CANCELLED"]);
}
