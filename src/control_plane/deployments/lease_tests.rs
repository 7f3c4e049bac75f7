//! The promises of claim, heartbeat and report, each through the operations and the real store.

use hadron_model::{DeploymentStatus as S, ListEnvironmentOutputsInput, Proton, ResourceDeploymentStatus as R};

use super::tests::{delete, is_conflict, message};
use crate::control_plane::records::{Deployment, Executor, TagSet};
use crate::control_plane::seal::output_context;
use crate::control_plane::test_plane::{LEASE, TestPlane, report};
use crate::control_plane::wire::ProtonError;

#[tokio::test]
async fn a_deployment_is_claimed_by_one_agent_only() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let (a, b) = (test.agent("a"), test.agent("b"));
    assert_eq!(a.claim(&dev).await.unwrap(), 1);
    let refused = b.claim(&dev).await;
    assert!(is_conflict(&refused));
    assert!(message(refused).contains("held by agent a"));
}

#[tokio::test]
async fn a_claim_repeated_by_the_same_agent_and_key_has_the_same_epoch() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let a = test.agent("a");
    assert_eq!(a.claim(&dev).await.unwrap(), 1);
    assert_eq!(a.claim(&dev).await.unwrap(), 1);
    let mut thief = test.agent("a");
    thief.access_key = "AKIAOTHER".into();
    assert!(is_conflict(&thief.claim(&dev).await), "the same agent id under another key is another agent");
}

#[tokio::test]
async fn a_claim_tells_all_that_the_work_needs() {
    let test = TestPlane::new().await;
    let api = test.instance("pay", "api", "dev").await;
    let answer = test.agent("a").claimed(&api).await.unwrap();
    let told = |name: &str| answer.get(name).unwrap().to_owned();
    assert_eq!(told("x-hadron-epoch"), "1");
    assert_eq!(told("x-hadron-attempt"), "1");
    assert_eq!(told("x-hadron-lease-seconds"), "60");
    assert_eq!(told("x-hadron-status"), "IN_PROGRESS");
    assert_eq!(told("x-hadron-objects"), "http://127.0.0.1:9440");
    assert_eq!(
        told("x-hadron-state"),
        "http://127.0.0.1:9440/_hadron/state/123456789012/us-east-1/service%2Fpay%2Fservice-instance%2Fapi"
    );
    assert_eq!(told("x-hadron-state-key"), "dev/pay-api/terraform.tfstate");
    assert_eq!(answer.get("x-hadron-sealed"), None, "its inputs hold nothing sealed");
    let tags = test.get::<TagSet>(&test.scope.arn(format!("deployment/{}", api.id))).await.unwrap();
    for name in ["bundle", "inputs", "action"] {
        assert_eq!(told(format!("x-hadron-{name}").as_str()), tags.managed[&format!("hadron:{name}")]);
    }
}

#[tokio::test]
async fn a_stale_epoch_changes_nothing() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let (a, b) = (test.agent("a"), test.agent("b"));
    let old = a.claim(&dev).await.unwrap();
    test.advance(LEASE + 1);
    let new = b.claim(&dev).await.unwrap();
    assert_eq!((old, new), (1, 2));
    let before = test.get::<Deployment>(&dev.id).await.unwrap();
    assert!(is_conflict(&a.heartbeat(&dev, old).await));
    assert!(is_conflict(&a.succeed(&dev, old, &[("k", "v")]).await));
    assert!(is_conflict(&a.fail(&dev, old).await));
    assert!(is_conflict(&a.heartbeat(&dev, new).await), "the epoch is another agent's");
    let after = test.get::<Deployment>(&dev.id).await.unwrap();
    assert_eq!(before.version, after.version);
    assert_eq!(test.shown("dev").await.unwrap().0, S::InProgress);
    b.succeed(&dev, new, &[]).await.unwrap();
    assert!(is_conflict(&a.succeed(&dev, old, &[]).await), "not even the end that came true");
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease_and_a_late_one_renews_it() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let (a, b) = (test.agent("a"), test.agent("b"));
    let epoch = a.claim(&dev).await.unwrap();
    test.advance(LEASE - 1);
    assert_eq!(a.heartbeat(&dev, epoch).await.unwrap(), "IN_PROGRESS");
    test.advance(LEASE - 1);
    assert!(is_conflict(&b.claim(&dev).await));
    test.advance(2);
    assert_eq!(b.poll(10).await, std::slice::from_ref(&dev.id), "an expired lease makes it claimable");
    a.heartbeat(&dev, epoch).await.unwrap();
    assert!(is_conflict(&b.claim(&dev).await), "nobody claimed it before the late heartbeat");
    test.advance(LEASE + 1);
    assert_eq!(a.claim(&dev).await.unwrap(), epoch, "it comes back to a run of its own");
}

#[tokio::test]
async fn the_end_can_be_repeated_even_when_the_resource_is_gone() {
    let test = TestPlane::new().await;
    let dev = test.settled_environment("dev", &[("vpc", "vpc-1")]).await;
    assert_eq!(dev.status, S::Succeeded);
    let agent = test.agent("settler");
    agent.succeed(&dev, 1, &[("vpc", "other")]).await.unwrap();
    test.stock(&dev, Some(R::Succeeded), &[]).await.unwrap();
    assert!(is_conflict(&test.stock(&dev, Some(R::Failed), &[]).await));
    assert!(is_conflict(&agent.heartbeat(&dev, 1).await));
    assert_eq!(test.deployment(&dev.id).await.outputs, dev.outputs, "a repeat changes nothing");

    let gone = delete(&test, "dev").await.unwrap();
    let gone = test.settle(&gone, &[]).await;
    assert_eq!((gone.status, test.shown("dev").await), (S::DeleteComplete, None));
    test.stock(&gone, Some(R::Succeeded), &[]).await.unwrap();
    test.stock(&dev, Some(R::Succeeded), &[]).await.unwrap();
    let without_id = report(&gone.target_arn, None, Some(R::Succeeded), &[]);
    test.notify("AKIACI", &[], without_id).await.0.unwrap();
}

#[tokio::test]
async fn a_stock_report_ends_an_agents_deletion_only_if_it_names_it() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[("vpc", "vpc-1")]).await;
    let deletion = delete(&test, "dev").await.unwrap();
    for end in [R::Succeeded, R::Failed] {
        let refused = test.notify("AKIACI", &[], report(&deletion.target_arn, None, Some(end), &[])).await.0;
        assert!(is_conflict(&refused));
        let told = message(refused);
        assert!(told.contains(&format!("adds deploymentId {}", deletion.id)), "{told}");
    }
    assert_eq!(test.shown("dev").await.unwrap().0, S::DeleteInProgress);
    test.notify("AKIACI", &[], report(&deletion.target_arn, None, Some(R::InProgress), &[])).await.0.unwrap();
    test.stock(&deletion, Some(R::Succeeded), &[]).await.unwrap();
    assert_eq!(test.shown("dev").await, None);
}

#[tokio::test]
async fn a_pipelines_own_deletion_needs_no_name() {
    let test = TestPlane::new().await;
    let dev = test.environment_with("dev", Executor::Ci).await;
    test.stock(&dev, Some(R::Succeeded), &[]).await.unwrap();
    let deletion = delete(&test, "dev").await.unwrap();
    assert_eq!(deletion.status, S::DeleteInProgress);
    let without_id = report(&deletion.target_arn, None, Some(R::Succeeded), &[]);
    test.notify("AKIACI", &[], without_id).await.0.unwrap();
    assert_eq!(test.shown("dev").await, None);
}

#[tokio::test]
async fn a_stock_client_reports_without_headers_unless_an_agent_is_at_work() {
    let test = TestPlane::new().await;
    let dev = test.environment_with("dev", Executor::Ci).await;
    test.stock(&dev, Some(R::InProgress), &[("early", "1")]).await.unwrap();
    test.stock(&dev, None, &[("staged", "2")]).await.unwrap();
    assert!(test.get::<crate::control_plane::records::Environment>("dev").await.unwrap().progress.outputs.is_empty());
    let without_id = report(&dev.target_arn, None, Some(R::Succeeded), &[]);
    test.notify("AKIACI", &[], without_id).await.0.unwrap();
    let input = ListEnvironmentOutputsInput { deployment_id: None, environment_name: "dev".into(), next_token: None };
    let listed = test.plane.list_environment_outputs(&mut test.call(), input).await.unwrap().outputs;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].key.as_deref(), Some("staged"));

    let prod = test.environment("prod").await;
    let epoch = test.agent("a").claim(&prod).await.unwrap();
    assert!(is_conflict(&test.stock(&prod, Some(R::Succeeded), &[]).await));
    test.agent("a").succeed(&prod, epoch, &[]).await.unwrap();
}

#[tokio::test]
async fn a_report_about_nothing_is_refused() {
    let test = TestPlane::new().await;
    let dev = test.settled_environment("dev", &[]).await;
    let unknown = dev.target_arn.replace("dev", "nowhere");
    let refusal = |input| async { test.notify("AKIACI", &[], input).await.0.unwrap_err() };
    let not_found = refusal(report(&unknown, None, Some(R::Succeeded), &[])).await;
    assert!(matches!(not_found, ProtonError::ResourceNotFound(_)), "{not_found}");
    let not_found = refusal(report(&unknown, Some(&dev.id), Some(R::Succeeded), &[])).await;
    assert!(matches!(not_found, ProtonError::ResourceNotFound(_)), "{not_found}");
    let other = "00000000-0000-4000-8000-000000000000";
    let conflict = refusal(report(&dev.target_arn, Some(other), Some(R::Succeeded), &[])).await;
    assert!(matches!(conflict, ProtonError::Conflict(_)), "{conflict}");
    let conflict = refusal(report(&dev.target_arn, None, None, &[("k", "v")])).await;
    assert!(matches!(conflict, ProtonError::Conflict(_)), "{conflict}");
    let foreign = dev.target_arn.replace("123456789012", "999999999999");
    assert!(matches!(refusal(report(&foreign, None, None, &[])).await, ProtonError::ResourceNotFound(_)));
    let nothing = "arn:aws:proton:us-east-1:123456789012:service/pay";
    assert!(matches!(refusal(report(nothing, None, None, &[])).await, ProtonError::Validation(_)));
}

#[tokio::test]
async fn sensitive_outputs_are_sealed_and_shown_as_stars() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let agent = test.agent("a");
    let epoch = agent.claim(&dev).await.unwrap().to_string();
    let input = report(&dev.target_arn, Some(&dev.id), Some(R::Succeeded), &[("url", "u"), ("password", "hunter2")]);
    let headers = [("x-hadron-epoch", epoch.as_str()), ("x-hadron-sensitive", "1")];
    test.notify(&agent.access_key, &headers, input).await.0.unwrap();
    let input = ListEnvironmentOutputsInput {
        deployment_id: Some(dev.id.clone()),
        environment_name: "dev".into(),
        next_token: None,
    };
    let listed = test.plane.list_environment_outputs(&mut test.call(), input).await.unwrap().outputs;
    let values: Vec<_> = listed.iter().map(|output| output.value_string.clone().unwrap()).collect();
    assert_eq!(values, ["u", "***"]);
    let kept = test.deployment(&dev.id).await;
    let document = serde_json::to_string(&kept).unwrap();
    assert!(!document.contains("hunter2"), "{document}");
    let sealed = super::sealed::sealed_at("/environment/outputs", &kept.outputs);
    assert_eq!(sealed[0].0, "/environment/outputs/password");
    let context = output_context(&test.scope, "password");
    assert_eq!(test.plane.sealer.unseal(&sealed[0].1, &context).unwrap(), "hunter2");
}

#[tokio::test]
async fn a_lease_that_was_renewed_while_the_clock_was_ahead_ends_as_soon_as_any() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let agent = test.agent("a");
    let epoch = agent.claim(&dev).await.unwrap();
    test.advance(3_600_000);
    agent.heartbeat(&dev, epoch).await.unwrap();
    test.advance(-3_600_000);
    super::tidy(&test.plane).await.unwrap();
    assert!(is_conflict(&test.agent("b").claim(&dev).await), "its agent may be there");
    test.advance(LEASE);
    assert_eq!(test.agent("b").claim(&dev).await.unwrap(), 2);
}

#[tokio::test]
async fn a_wall_clock_that_jumps_ahead_costs_a_lease_only_if_somebody_else_is_quicker() {
    const HOUR: i64 = 3_600_000;
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let epoch = test.agent("a").claim(&dev).await.unwrap();
    test.advance(HOUR);
    test.agent("a").heartbeat(&dev, epoch).await.unwrap();
    assert!(is_conflict(&test.agent("b").claim(&dev).await), "the next heartbeat mends it");
    test.advance(HOUR);
    assert_eq!(test.agent("b").claim(&dev).await.unwrap(), epoch + 1);
    assert!(is_conflict(&test.agent("a").heartbeat(&dev, epoch).await), "the fence holds");
    assert!(is_conflict(&test.agent("a").succeed(&dev, epoch, &[]).await));
}

#[tokio::test]
async fn a_wall_clock_that_is_set_back_never_gives_a_held_deployment_away() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let epoch = test.agent("a").claim(&dev).await.unwrap();
    test.advance(-10 * LEASE);
    assert!(is_conflict(&test.agent("b").claim(&dev).await));
    test.agent("a").heartbeat(&dev, epoch).await.unwrap();
    test.advance(LEASE);
    assert_eq!(
        test.agent("b").claim(&dev).await.unwrap(),
        epoch + 1,
        "the heartbeat counts from the clock as it is now"
    );
}
