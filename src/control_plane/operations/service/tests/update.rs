//! UpdateService: which instances there are.

use hadron_model::{DeploymentUpdateType, UpdateServiceInput};

use super::{End, SERVICE_ARN, Shop, arn, is_conflict, is_validation, spec, to};
use crate::control_plane::records::Service;
use crate::control_plane::store::Typed;
use crate::control_plane::wire::ProtonError;

#[tokio::test]
async fn an_added_instance_comes_before_the_pipeline_that_lists_it() {
    let shop = Shop::with(&[("a", 80)]).await;
    let (old, new) = (spec(&[("a", 80)]), spec(&[("b", 81), ("a", 80)]));
    let updating = shop.update(&new).await.unwrap();
    assert_eq!((updating.status.as_str(), &updating.spec), ("UPDATE_IN_PROGRESS", &old));
    assert_eq!(shop.shows().await, "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=SUCCEEDED b=IN_PROGRESS");
    assert!(is_conflict(&shop.update(&new).await) && is_conflict(&shop.delete().await));
    assert!(is_conflict(&shop.update_pipeline(&old).await), "the pipeline is locked");
    assert!(is_conflict(&shop.create_instance("c", &spec(&[("c", 82)])).await));
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["b", "a"], "in the order of the new spec");
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    let active = shop.get().await.unwrap();
    assert_eq!((&active.spec, active.pipeline.unwrap().spec.as_ref()), (&new, Some(&new)));
    assert_eq!(shop.history(&arn("pipeline")).await, ["IN_PROGRESS", "SUCCEEDED", "IN_PROGRESS", "SUCCEEDED"]);
}

#[tokio::test]
async fn a_removed_instance_goes_before_the_pipeline_that_lacks_it() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    shop.update(&spec(&[("a", 80)])).await.unwrap();
    assert_eq!(shop.shows().await, "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=SUCCEEDED b=DELETE_IN_PROGRESS");
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["a"]);
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED");
    assert!(matches!(shop.instance("b").await, Err(ProtonError::ResourceNotFound(_))));
    assert!(shop.tags(&arn("b")).await.is_none());
}

#[tokio::test]
async fn with_both_nothing_is_removed_before_the_new_instances_are_up() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    shop.update(&spec(&[("a", 80), ("c", 82)])).await.unwrap();
    assert_eq!(shop.shows().await, "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=SUCCEEDED b=SUCCEEDED c=IN_PROGRESS");
    assert!(is_conflict(&shop.update_instance("b", None).await), "it is about to be removed");
    shop.end("c", End::Succeeded).await;
    assert_eq!(
        shop.shows().await,
        "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=SUCCEEDED b=DELETE_IN_PROGRESS c=SUCCEEDED"
    );
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["a", "c"]);
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED c=SUCCEEDED");
    assert_eq!(shop.history(SERVICE_ARN).await, ["CREATE_IN_PROGRESS", "ACTIVE", "UPDATE_IN_PROGRESS", "ACTIVE"]);
}

#[tokio::test]
async fn a_creation_that_fails_is_cleaned_up_and_leaves_everything_else_alone() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    let (old, pipeline) = (shop.get().await.unwrap().spec, shop.last("pipeline").await.id);
    shop.update(&spec(&[("a", 80), ("c", 82), ("d", 83)])).await.unwrap();
    shop.end("c", End::Succeeded).await;
    shop.end("d", End::Failed).await;
    assert_eq!(
        shop.shows().await,
        "UPDATE_FAILED_CLEANUP_IN_PROGRESS pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED c=DELETE_IN_PROGRESS \
         d=DELETE_IN_PROGRESS"
    );
    shop.end("c", End::Succeeded).await;
    shop.end("d", End::Succeeded).await;
    assert_eq!(shop.shows().await, "UPDATE_FAILED_CLEANUP_COMPLETE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    let failed = shop.get().await.unwrap();
    let message = format!("Service Instance(s): [{}] failed to deploy - canceling pipeline deployment", arn("d"));
    assert_eq!((&failed.spec, failed.status_message.as_deref()), (&old, Some(message.as_str())));
    assert_eq!(shop.last("pipeline").await.id, pipeline, "the pipeline was never touched");
    let history = shop.history(&arn("pipeline")).await;
    assert_eq!(history, ["IN_PROGRESS", "SUCCEEDED", "IN_PROGRESS", "SUCCEEDED"]);
    shop.history(SERVICE_ARN).await;
    shop.update_pipeline(&old).await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    let still = shop.shows().await;
    assert!(still.starts_with("UPDATE_FAILED_CLEANUP_COMPLETE"), "only UpdateService ends that: {still}");
    shop.update(&old).await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
}

#[tokio::test]
async fn a_cleanup_that_fails_shows_and_the_next_update_tries_again() {
    let shop = Shop::with(&[("a", 80)]).await;
    let old = shop.get().await.unwrap().spec;
    shop.update(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    shop.end("b", End::Failed).await;
    shop.end("b", End::Failed).await;
    assert_eq!(shop.shows().await, "UPDATE_FAILED_CLEANUP_FAILED pipeline=SUCCEEDED a=SUCCEEDED b=DELETE_FAILED");
    assert_eq!(shop.get().await.unwrap().spec, old);
    let kept = shop.update(&spec(&[("a", 80), ("b", 81)])).await;
    assert!(is_conflict(&kept), "what failed to delete doesn't stay as it is");
    shop.update(&old).await.unwrap();
    assert_eq!(shop.shows().await, "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=SUCCEEDED b=DELETE_IN_PROGRESS");
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED");
}

#[tokio::test]
async fn a_new_instance_that_nobody_claimed_is_cleaned_up_at_once() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.update(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    assert_eq!(shop.cancel("b").await.unwrap().as_str(), "CANCELLED");
    assert_eq!(shop.shows().await, "UPDATE_FAILED_CLEANUP_COMPLETE pipeline=SUCCEEDED a=SUCCEEDED");
}

#[tokio::test]
async fn a_removal_that_fails_leaves_the_instance_out_of_spec_and_pipeline() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    let new = spec(&[("a", 80)]);
    shop.update(&new).await.unwrap();
    shop.end("b", End::Failed).await;
    assert_eq!(shop.stages().await, ["a"]);
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "UPDATE_COMPLETE_CLEANUP_FAILED pipeline=SUCCEEDED a=SUCCEEDED b=DELETE_FAILED");
    let left = shop.get().await.unwrap();
    let message = format!("Service Instance(s): [{}] failed to delete", arn("b"));
    assert_eq!((&left.spec, left.status_message), (&new, Some(message)));
    shop.update_pipeline(&new).await.unwrap();
    assert_eq!(shop.stages().await, ["a"], "nor does a later pipeline list it");
    shop.end("pipeline", End::Succeeded).await;
    shop.update(&new).await.unwrap();
    assert_eq!(shop.shows().await, "UPDATE_IN_PROGRESS pipeline=IN_PROGRESS a=SUCCEEDED b=DELETE_IN_PROGRESS");
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED");
}

#[tokio::test]
async fn an_instance_that_failed_to_delete_can_be_brought_back() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    shop.update(&spec(&[("a", 80)])).await.unwrap();
    shop.end("b", End::Failed).await;
    shop.end("pipeline", End::Succeeded).await;
    shop.update_instance("b", None).await.unwrap();
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.stages().await, ["a", "b"]);
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    assert!(shop.get().await.unwrap().spec.contains("name: b"));
}

#[tokio::test]
async fn a_pipeline_that_fails_fails_the_update_without_rollback() {
    let shop = Shop::with(&[("a", 80)]).await;
    let new = spec(&[("a", 80), ("b", 81)]);
    shop.update(&new).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Failed).await;
    assert_eq!(shop.shows().await, "UPDATE_FAILED pipeline=FAILED a=SUCCEEDED b=SUCCEEDED");
    assert_eq!(shop.get().await.unwrap().spec, new);
    shop.update(&new).await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
}

#[tokio::test]
async fn the_description_alone_changes_no_status() {
    let shop = Shop::with(&[("a", 80)]).await;
    let before = shop.last("pipeline").await.id;
    let words = UpdateServiceInput { description: Some("till".into()), name: "shop".into(), spec: None };
    let updated = shop.update_from(words).await.unwrap();
    assert_eq!((updated.status.as_str(), updated.description.as_deref()), ("ACTIVE", Some("till")));
    assert!(updated.last_modified_at > updated.created_at);
    assert_eq!(shop.last("pipeline").await.id, before);
}

#[tokio::test]
async fn what_stays_cant_be_altered() {
    let shop = Shop::with(&[("a", 80)]).await;
    for altered in [
        spec(&[("a", 8080)]),
        spec(&[("a", 80)]).replace("environment: dev", "environment: prod"),
        spec(&[("a", 80)]).replace("command: make", "command: cargo"),
    ] {
        let refused = shop.update(&altered).await;
        assert!(is_validation(&refused), "{altered}");
        assert!(refused.unwrap_err().to_string().contains("${Proton::CURRENT_VAL}"));
    }
    assert!(is_validation(&shop.update(&spec(&[])).await), "one instance must remain");
    assert!(is_validation(&shop.update("proton: ServiceSpec\ninstances: [").await));
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED");
    shop.update_instance("a", None).await.unwrap();
    assert!(is_conflict(&shop.update(&spec(&[("a", 80), ("b", 81)])).await), "it is under way");
}

#[tokio::test]
async fn current_values_are_kept_and_stored_as_such() {
    let shop = Shop::with(&[("a", 80)]).await;
    let keeping = "proton: ServiceSpec\npipeline: {command: \"${Proton::CURRENT_VAL}\"}\ninstances:\n  - name: a\n    environment: dev\n    spec: {port: \"${Proton::CURRENT_VAL}\"} # as it is\n  - {name: b, environment: prod, spec: {}}\n";
    shop.update(keeping).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    let stored = shop.get().await.unwrap().spec;
    let expected =
        keeping.replacen("\"${Proton::CURRENT_VAL}\"", "\"make\"", 1).replace("\"${Proton::CURRENT_VAL}\"", "80");
    assert_eq!(stored, expected);
    let unknown = stored.replace("spec: {}", "spec: {image: \"${Proton::CURRENT_VAL}\"}");
    assert!(is_validation(&shop.update(&unknown).await), "there is no value to keep");
}

#[tokio::test]
async fn a_spec_without_pipeline_leaves_the_pipeline_as_it_is() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.update(&spec(&[("a", 80), ("b", 81)]).replace("pipeline: {command: make}\n", "")).await.unwrap();
    shop.end("b", End::Succeeded).await;
    assert_eq!(shop.inputs("pipeline").await["pipeline"]["inputs"]["command"], "make");
    shop.end("pipeline", End::Succeeded).await;
    assert!(shop.get().await.unwrap().spec.contains("command: \"make\""));
}

#[tokio::test]
async fn instances_that_failed_to_delete_count_in_the_quota() {
    let shop = Shop::with(&[("a", 80), ("b", 81)]).await;
    shop.update(&spec(&[("a", 80)])).await.unwrap();
    shop.end("b", End::Failed).await;
    shop.end("pipeline", End::Succeeded).await;
    let names: Vec<String> = (0..18).map(|number| format!("i{number}")).collect();
    let mut wanted: Vec<(&str, u16)> = names.iter().map(|name| (name.as_str(), 80)).collect();
    wanted.insert(0, ("a", 80));
    let over: Vec<(&str, u16)> = wanted.iter().copied().chain([("more", 80)]).collect();
    assert!(matches!(shop.update(&spec(&over)).await, Err(ProtonError::ServiceQuotaExceeded(_))));
    shop.update(&spec(&wanted)).await.unwrap();
}

#[tokio::test]
async fn instances_of_a_newer_major_version_dont_hinder_new_ones() {
    let shop = Shop::with(&[("a", 80)]).await;
    let newer = super::SCHEMA.replace("port:", "listen: {type: integer, default: 1}\n        port:");
    shop.test
        .version_with(crate::control_plane::records::TemplateKind::Service, "web", (2, 0), &newer, |_, version| {
            version.has_pipeline = true;
            version.compatible = vec![super::net()];
        })
        .await;
    let moved = spec(&[("a", 80)]).replace("port: 80", "listen: 7");
    let major = DeploymentUpdateType::MajorVersion;
    let input = hadron_model::UpdateServiceInstanceInput { deployment_type: major, ..to("a", Some(&moved)) };
    shop.update_instance_from(input).await.unwrap();
    shop.end("a", End::Succeeded).await;
    let new = format!("{moved}  - {{name: b, environment: dev, spec: {{port: 81}}}}\n");
    shop.update(&new).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    assert_eq!(shop.instance("b").await.unwrap().template_major_version, "1");
}

#[tokio::test]
async fn a_survivor_can_be_updated_meanwhile_and_the_spec_knows() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.update(&spec(&[("a", 80), ("b", 81)])).await.unwrap();
    shop.update_instance("a", Some(&spec(&[("a", 8080)]))).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=SUCCEEDED a=SUCCEEDED b=SUCCEEDED");
    let spec = crate::domain::ServiceSpec::parse(&shop.get().await.unwrap().spec).unwrap();
    assert_eq!((&spec.instances[0].spec["port"], &spec.instances[1].spec["port"]), (&8080.into(), &81.into()));
    shop.update(&super::spec(&[("a", 8080), ("b", 81), ("c", 82)])).await.unwrap();
    shop.update_instance("a", Some(&super::spec(&[("a", 9090)]))).await.unwrap();
    shop.end("a", End::Succeeded).await;
    shop.end("c", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    let spec = crate::domain::ServiceSpec::parse(&shop.get().await.unwrap().spec).unwrap();
    let ports: Vec<_> = spec.instances.iter().map(|it| it.spec["port"].clone()).collect();
    assert_eq!(ports, [9090, 81, 82]);
}

#[tokio::test]
async fn a_spec_that_cant_be_read_any_more_keeps_no_deployment_from_ending() {
    let shop = Shop::with(&[("a", 80)]).await;
    shop.update_instance("a", Some(&spec(&[("a", 8080)]))).await.unwrap();
    let scope = shop.test.scope.clone();
    shop.test
        .write(move |tx| {
            let mut service = tx.get::<Service>(&scope, "shop")?.unwrap();
            service.spec = "proton: [".into();
            service.pipeline_due = true;
            Ok(tx.save(&scope, &mut service)?)
        })
        .await
        .unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "ACTIVE pipeline=FAILED a=SUCCEEDED");
    shop.history(&arn("pipeline")).await;
    shop.delete().await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "gone");
}
