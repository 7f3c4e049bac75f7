//! The promises of claim, heartbeat, cancel, delete and poll, each through the operations and the real store.

use std::sync::Arc;
use std::time::Duration;

use hadron_model::{
    CancelEnvironmentDeploymentInput, DeleteDeploymentInput, DeleteEnvironmentInput, DeploymentStatus as S,
    GetDeploymentInput, ListDeploymentsInput, ListEnvironmentOutputsInput, Proton, ResourceDeploymentStatus as R,
};

use crate::control_plane::records::{Action, Deployment, Executor, StateKey, TagSet};
use crate::control_plane::seal::output_context;
use crate::control_plane::store::Document;
use crate::control_plane::test_plane::{LEASE, TestPlane, environment, instance, report};
use crate::control_plane::wire::ProtonError;

fn is_conflict<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Conflict(_)))
}

fn message<T>(result: Result<T, ProtonError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

async fn cancel(test: &TestPlane, name: &str) -> Result<S, ProtonError> {
    let input = CancelEnvironmentDeploymentInput { environment_name: name.into() };
    let cancelled = test.plane.cancel_environment_deployment(&mut test.call(), input).await?;
    Ok(cancelled.environment.deployment_status)
}

async fn delete(test: &TestPlane, name: &str) -> Result<Deployment, ProtonError> {
    let input = DeleteEnvironmentInput { name: name.into() };
    let shown = test.plane.delete_environment(&mut test.call(), input).await?.environment.unwrap();
    test.publish().await;
    Ok(test.deployment(&shown.last_attempted_deployment_id.unwrap()).await)
}

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
    let told = |name| answer.get(name).unwrap().to_owned();
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
async fn an_unleased_deployment_is_cancelled_at_once() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    assert_eq!(cancel(&test, "dev").await.unwrap(), S::Cancelled);
    let cancelled = test.deployment(&dev.id).await;
    assert_eq!(cancelled.message.as_deref(), Some("User initiated cancellation."), "nothing ran");
    assert!(is_conflict(&test.agent("a").claim(&dev).await));
    assert!(is_conflict(&cancel(&test, "dev").await), "there is nothing to cancel any more");
    assert!(test.agent("a").poll(10).await.is_empty());
}

#[tokio::test]
async fn while_an_agent_works_a_cancel_asks_and_a_failure_ends_as_cancelled() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[("vpc", "1")]).await;
    let update = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let agent = test.agent("a");
    let epoch = agent.claim(&update).await.unwrap();
    assert_eq!(cancel(&test, "dev").await.unwrap(), S::Cancelling);
    assert_eq!(cancel(&test, "dev").await.unwrap(), S::Cancelling, "a repeat changes nothing");
    assert_eq!(agent.heartbeat(&update, epoch).await.unwrap(), "CANCELLING", "a heartbeat never takes it back");
    assert_eq!(agent.claim(&update).await.unwrap(), epoch, "its own lost claim can still be repeated");
    let answer = agent.fail(&update, epoch).await.unwrap();
    assert_eq!(answer.get("x-hadron-status"), Some("CANCELLED"));
    assert_eq!(test.shown("dev").await.unwrap(), (S::Cancelled, "first".into()), "the record is reverted");
    agent.fail(&update, epoch).await.unwrap();
}

#[tokio::test]
async fn a_success_wins_over_a_cancel() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    let update = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let agent = test.agent("a");
    let epoch = agent.claim(&update).await.unwrap();
    cancel(&test, "dev").await.unwrap();
    agent.succeed(&update, epoch, &[]).await.unwrap();
    assert_eq!(test.shown("dev").await.unwrap(), (S::Succeeded, "second".into()));
}

#[tokio::test]
async fn a_cancelled_deployment_whose_agent_fell_silent_ends_with_a_warning() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    test.agent("a").claim(&dev).await.unwrap();
    assert_eq!(cancel(&test, "dev").await.unwrap(), S::Cancelling);
    let rest = super::tidy(&test.plane).await.unwrap();
    assert_eq!(rest, Duration::from_millis(LEASE.unsigned_abs()), "upkeep sleeps until the lease runs out");
    test.advance(LEASE);
    assert!(is_conflict(&test.agent("b").claim(&dev).await), "nobody begins what is being cancelled");
    super::tidy(&test.plane).await.unwrap();
    let ended = test.deployment(&dev.id).await;
    assert_eq!(ended.status, S::Cancelled);
    assert!(ended.message.unwrap().contains("half changed"));
}

#[tokio::test]
async fn the_old_state_is_shown_until_the_new_one_has_succeeded() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[("vpc", "1")]).await;
    let agent = test.agent("a");
    let second = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    assert_eq!(test.shown("dev").await.unwrap(), (S::InProgress, "first".into()));
    assert_eq!(second.initial_state.as_ref().unwrap().spec.as_deref(), Some("first"));
    let epoch = agent.claim(&second).await.unwrap();
    agent.fail(&second, epoch).await.unwrap();
    assert_eq!(test.shown("dev").await.unwrap(), (S::Failed, "first".into()));
    let third = test.deploy(environment("dev"), Action::Update, "third").await.unwrap();
    assert_eq!(third.initial_state.as_ref().unwrap().spec.as_deref(), Some("first"), "the last that succeeded");
    test.settle(&third, &[("vpc", "3")]).await;
    assert_eq!(test.shown("dev").await.unwrap(), (S::Succeeded, "third".into()));
}

#[tokio::test]
async fn what_never_succeeded_shows_the_last_that_was_tried() {
    let test = TestPlane::new().await;
    let agent = test.agent("a");
    let first = test.environment("dev").await;
    let epoch = agent.claim(&first).await.unwrap();
    agent.fail(&first, epoch).await.unwrap();
    let second = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let epoch = agent.claim(&second).await.unwrap();
    agent.fail(&second, epoch).await.unwrap();
    assert_eq!(test.shown("dev").await.unwrap(), (S::Failed, "second".into()));
    let it = test.get::<crate::control_plane::records::Environment>("dev").await.unwrap();
    assert_eq!(it.progress.last_succeeded_at, None);
}

#[tokio::test]
async fn a_target_has_one_deployment_under_way() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let second = test.deploy(environment("dev"), Action::Update, "second").await;
    assert!(is_conflict(&second));
    assert!(message(second).contains(&dev.id));
    assert!(is_conflict(&delete(&test, "dev").await));
}

#[tokio::test]
async fn what_never_ran_is_deleted_without_terraform() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    cancel(&test, "dev").await.unwrap();
    let deletion = delete(&test, "dev").await.unwrap();
    assert_eq!(deletion.status, S::DeleteComplete);
    assert_eq!(test.shown("dev").await, None);
    assert!(test.get::<StateKey>("dev/terraform.tfstate").await.is_none(), "its state key is free again");
    assert!(test.agent("a").poll(10).await.is_empty());
    let kept = test.plane.get_deployment(&mut test.call(), get(&dev.id)).await.unwrap().deployment.unwrap();
    assert_eq!(kept.deployment_status, S::Cancelled, "history stays");
}

fn get(id: &str) -> GetDeploymentInput {
    GetDeploymentInput {
        component_name: None,
        environment_name: None,
        id: id.into(),
        service_instance_name: None,
        service_name: None,
    }
}

#[tokio::test]
async fn what_a_record_names_is_looked_for_in_the_bucket_of_today() {
    let mut test = TestPlane::new().await;
    let first = test.settled_environment("dev", &[]).await;
    test.advance(10);
    // The record was moved to a server whose objects lie elsewhere.
    Arc::make_mut(&mut test.plane.settings).bucket = "team".into();
    let deletion = delete(&test, "dev").await.unwrap();
    let moved = |address: &str| address.replace("s3://hadron/", "s3://team/");
    assert_eq!(deletion.inputs_uri, moved(&first.inputs_uri));
    assert_eq!(deletion.bundle.uri, moved(&first.bundle.uri));
    let prod = test.environment("prod").await;
    assert_eq!(prod.bundle.uri, "s3://team/bundles/sha256/d", "a version that was registered before");
}

#[tokio::test]
async fn a_deletion_renders_the_last_attempt_that_ran() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.advance(10);
    let agent = test.agent("a");
    let second = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let epoch = agent.claim(&second).await.unwrap();
    agent.fail(&second, epoch).await.unwrap();
    test.advance(10);
    test.deploy(environment("dev"), Action::Update, "third, which nobody claims").await.unwrap();
    cancel(&test, "dev").await.unwrap();
    test.advance(10);
    let deletion = delete(&test, "dev").await.unwrap();
    assert_eq!(deletion.initial_state.as_ref().unwrap().spec.as_deref(), Some("second"));
    assert_eq!((deletion.inputs_uri.clone(), deletion.status), (second.inputs_uri, S::DeleteInProgress));
    assert_eq!(agent.poll(10).await, std::slice::from_ref(&deletion.id), "a deletion is work too");
    let epoch = agent.claim(&deletion).await.unwrap();
    assert_eq!(agent.heartbeat(&deletion, epoch).await.unwrap(), "DELETE_IN_PROGRESS");
    assert!(is_conflict(&cancel(&test, "dev").await), "a deletion isn't called off");
    agent.fail(&deletion, epoch).await.unwrap();
    assert_eq!(test.shown("dev").await.unwrap(), (S::DeleteFailed, "first".into()));
    test.advance(10);
    let again = delete(&test, "dev").await.unwrap();
    assert_eq!(again.initial_state.as_ref().unwrap().spec.as_deref(), Some("second"));
    let again = test.settle(&again, &[]).await;
    assert_eq!((again.status, test.shown("dev").await), (S::DeleteComplete, None));
    let input = get(&again.id);
    let shown = test.plane.get_deployment(&mut test.call(), input).await.unwrap().deployment.unwrap();
    assert!(shown.initial_state.is_some() && shown.target_state.is_none());
}

#[tokio::test]
async fn a_new_environment_of_an_old_name_inherits_nothing() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    let deletion = delete(&test, "dev").await.unwrap();
    test.settle(&deletion, &[]).await;
    test.advance(1000);
    let new = test.environment("dev").await;
    assert_eq!(new.initial_state, None);
    cancel(&test, "dev").await.unwrap();
    assert_eq!(delete(&test, "dev").await.unwrap().status, S::DeleteComplete, "nothing of the new one ever ran");
}

#[tokio::test]
async fn a_deployment_is_withheld_from_others_for_five_seconds() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let (a, b) = (test.agent("a"), test.agent("b"));
    assert_eq!(a.poll(1).await, std::slice::from_ref(&dev.id));
    assert_eq!(a.poll(1).await, std::slice::from_ref(&dev.id), "not from the one it was shown to");
    let (none, answer) = b.poll_for(1, "0").await;
    assert_eq!((none.len(), answer.get("x-hadron-claimable")), (0, Some("0")));
    test.advance(5_000);
    assert_eq!(b.poll(1).await, std::slice::from_ref(&dev.id));
    assert!(a.poll(1).await.is_empty());
}

#[tokio::test]
async fn a_poll_is_fair_to_every_environment() {
    let test = TestPlane::new().await;
    let mut dev = Vec::new();
    for name in ["a", "b", "c"] {
        test.advance(1);
        dev.push(test.instance("pay", name, "dev").await.id);
    }
    test.advance(1);
    let prod = test.instance("pay", "d", "prod").await.id;
    let agent = test.agent("a");
    let (all, answer) = agent.poll_for(10, "0").await;
    assert_eq!(all, [&dev[0], &prod, &dev[1], &dev[2]].map(Clone::clone));
    assert_eq!(answer.get("x-hadron-claimable"), Some("4"));
    let mut order = Vec::new();
    for _ in 0..4 {
        test.advance(1);
        let next = agent.poll(1).await.remove(0);
        agent.claim(&test.deployment(&next).await).await.unwrap();
        order.push(next);
    }
    assert_eq!(order, [&dev[0], &prod, &dev[1], &dev[2]].map(Clone::clone), "though it takes one at a time");
}

#[tokio::test]
async fn a_pipelines_deployments_are_never_an_agents() {
    let test = TestPlane::new().await;
    let dev = test.environment_with("dev", Executor::Ci).await;
    let agent = test.agent("a");
    assert!(agent.poll(10).await.is_empty());
    assert!(message(agent.claim(&dev).await).contains("ci"));
    assert_eq!(test.deployment(&dev.id).await.epoch, 0);
}

#[tokio::test]
async fn nothing_is_offered_before_its_inputs_are_published() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    let update = test.begin(environment("dev"), Action::Update, "second").await.unwrap();
    let agent = test.agent("a");
    assert!(agent.poll(10).await.is_empty());
    assert!(message(agent.claim(&update).await).contains("aren't in the bucket"));
    test.publish().await;
    assert_eq!(agent.poll(10).await, [update.id]);
}

#[tokio::test]
async fn equal_inputs_are_published_once_for_all_that_name_them() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.settled_environment("prod", &[]).await;
    let dev = test.begin(environment("dev"), Action::Update, "second").await.unwrap();
    let prod = test.begin(environment("prod"), Action::Update, "second").await.unwrap();
    assert_eq!((&dev.unpublished, &dev.inputs_uri), (&prod.unpublished, &prod.inputs_uri));
    let kept = async || {
        let (scope, address) = (test.scope.clone(), dev.inputs_uri.clone());
        test.plane.store.read(move |tx| tx.blob(&scope, "unpublished", &address)).await.unwrap()
    };
    assert_eq!(kept().await.as_deref(), Some(b"{\n  \"spec\": \"second\"\n}".as_slice()));
    test.publish().await;
    assert_eq!(kept().await, None);
    assert!(test.deployment(&dev.id).await.unpublished.is_empty());
    assert!(test.deployment(&prod.id).await.unpublished.is_empty());
}

#[tokio::test]
async fn a_waiting_agent_is_woken_by_new_work() {
    let test = TestPlane::new().await;
    let waiting = tokio::spawn({
        let test = test.clone();
        async move { test.agent("a").poll_for(1, "50").await.0 }
    });
    tokio::task::yield_now().await;
    let dev = test.environment("dev").await;
    assert_eq!(waiting.await.unwrap(), [dev.id]);
}

#[tokio::test]
async fn a_waiting_agent_sees_a_lease_run_out_though_nobody_rings() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    test.agent("a").claim(&dev).await.unwrap();
    test.advance(LEASE - 200);
    let waiting = tokio::spawn({
        let test = test.clone();
        async move { test.agent("b").poll_for(1, "50").await.0 }
    });
    tokio::task::yield_now().await;
    test.advance(200);
    assert_eq!(waiting.await.unwrap(), [dev.id]);
}

#[tokio::test]
async fn a_wait_ends_without_work() {
    let test = TestPlane::new().await;
    let started = std::time::Instant::now();
    let (none, answer) = test.agent("a").poll_for(1, "1").await;
    assert!(none.is_empty());
    assert_eq!(answer.get("x-hadron-claimable"), Some("0"));
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn two_targets_never_share_a_state_key() {
    let test = TestPlane::new().await;
    let first = test.instance("pay", "api-dev", "x").await;
    let second = test.instance("pay-api", "dev", "x").await;
    assert_eq!(first.state_key, "x/pay-api-dev/terraform.tfstate");
    assert_ne!(first.state_key, second.state_key);
    assert!(second.state_key.starts_with("x/pay-api-dev-") && second.state_key.ends_with("/terraform.tfstate"));
    assert!(second.message.as_ref().unwrap().contains(&first.target_arn), "{:?}", second.message);
    let second = test.settle(&second, &[]).await;
    test.advance(10);
    let third = test.deploy(instance("pay-api", "dev"), Action::Update, "again").await.unwrap();
    assert_eq!(third.state_key, second.state_key, "a key stays its target's");
    test.settle(&first, &[]).await;
    let engine = test.engine();
    let gone = test.write(move |tx| engine.delete(tx, &instance("pay", "api-dev")).map(|it| it.value)).await.unwrap();
    test.settle(&gone, &[]).await;
    assert!(test.get::<StateKey>("x/pay-api-dev/terraform.tfstate").await.is_none());
    assert_eq!(test.get::<StateKey>(&second.state_key).await.unwrap().target_arn, second.target_arn);
}

#[tokio::test]
async fn managed_tags_name_bundle_inputs_and_action() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let tags = test.get::<TagSet>(&test.scope.arn(format!("deployment/{}", dev.id))).await.unwrap();
    assert!(tags.tags.is_empty());
    let managed: Vec<_> = tags.managed.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    insta::assert_snapshot!(managed.join("\n"), @r"
    aws:proton:account = 123456789012
    aws:proton:environment = arn:aws:proton:us-east-1:123456789012:environment/dev
    aws:proton:template = arn:aws:proton:us-east-1:123456789012:environment-template/net
    hadron:action = create
    hadron:bundle = s3://hadron/bundles/sha256/d
    hadron:inputs = s3://hadron/inputs/sha256/abbae4c3ea3f801517cb3b9ffb67e9cc2005c31886eef187a6ab0829489736c7.json
    ");
}

#[tokio::test]
async fn every_change_of_status_is_one_line_of_history() {
    let test = TestPlane::new().await;
    let dev = test.settled_environment("dev", &[]).await;
    let agent = test.agent("settler");
    agent.succeed(&dev, 1, &[]).await.unwrap();
    let deletion = delete(&test, "dev").await.unwrap();
    test.settle(&deletion, &[]).await;
    let (scope, arn) = (test.scope.clone(), dev.target_arn.clone());
    let changes = test.plane.store.read(move |tx| tx.changes(&scope, &arn, 0, 100)).await.unwrap();
    let lines: Vec<_> = changes
        .iter()
        .map(|it| format!("{} {} → {} {}", it.sequence, it.previous.as_deref().unwrap_or("-"), it.status, it.detail))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    1 - → IN_PROGRESS {"name":"dev"}
    2 IN_PROGRESS → SUCCEEDED {"name":"dev"}
    3 SUCCEEDED → DELETE_IN_PROGRESS {"name":"dev"}
    4 DELETE_IN_PROGRESS → DELETED {"name":"dev"}
    "#);
}

#[tokio::test]
async fn a_list_without_the_header_is_the_history_newest_first() {
    let test = TestPlane::new().await;
    let dev = test.settled_environment("dev", &[]).await.id;
    test.advance(10);
    let api = test.instance("pay", "api", "dev").await.id;
    test.advance(10);
    let prod = test.environment("prod").await.id;
    let list = async |input: ListDeploymentsInput| {
        let found = test.plane.list_deployments(&mut test.call(), input).await;
        found.map(|found| found.deployments.into_iter().map(|it| it.id).collect::<Vec<_>>())
    };
    let all = ListDeploymentsInput::default();
    assert_eq!(list(all.clone()).await.unwrap(), [&prod, &api, &dev].map(Clone::clone));
    let within = ListDeploymentsInput { environment_name: Some("dev".into()), ..all.clone() };
    assert_eq!(list(within).await.unwrap(), [&api, &dev].map(Clone::clone));
    let of_service = ListDeploymentsInput { service_name: Some("pay".into()), ..all.clone() };
    assert_eq!(list(of_service).await.unwrap(), std::slice::from_ref(&api));
    let unknown = ListDeploymentsInput { environment_name: Some("nowhere".into()), ..all };
    assert!(matches!(list(unknown).await, Err(ProtonError::ResourceNotFound(_))));
    let elsewhere = GetDeploymentInput { environment_name: Some("prod".into()), ..get(&api) };
    let found = test.plane.get_deployment(&mut test.call(), elsewhere).await;
    assert!(matches!(found, Err(ProtonError::ResourceNotFound(_))), "the names must be the deployment's own");
}

#[tokio::test]
async fn only_history_that_nothing_stands_on_can_be_deleted() {
    let test = TestPlane::new().await;
    let remove = async |id: &str| {
        let input = DeleteDeploymentInput { id: id.into() };
        test.plane.delete_deployment(&mut test.call(), input).await.map(drop)
    };
    let first = test.environment("dev").await;
    assert!(matches!(remove(&first.id).await, Err(ProtonError::Validation(_))), "it is under way");
    test.settle(&first, &[]).await;
    assert!(matches!(remove(&first.id).await, Err(ProtonError::Validation(_))), "deleting dev needs it");
    test.advance(10);
    let second = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    test.settle(&second, &[]).await;
    remove(&first.id).await.unwrap();
    assert!(test.get::<Deployment>(&first.key()).await.is_none());
    assert!(matches!(remove(&first.id).await, Err(ProtonError::ResourceNotFound(_))));
    assert!(test.get::<TagSet>(&test.scope.arn(format!("deployment/{}", first.id))).await.is_none());
}

/// A sign of life with a message for people.
async fn say(test: &TestPlane, deployment: &Deployment, epoch: Option<i64>, words: &str) -> Result<(), ProtonError> {
    let status = Some(hadron_model::ResourceDeploymentStatus::InProgress);
    let mut input = report(&deployment.target_arn, Some(&deployment.id), status, &[]);
    input.status_message = Some(words.into());
    let epoch = epoch.map(|epoch| epoch.to_string());
    let mut headers = vec![("x-hadron-agent", "a")];
    headers.extend(epoch.as_deref().map(|epoch| ("x-hadron-epoch", epoch)));
    test.notify(&test.agent("a").access_key, &headers, input).await.0.map(drop)
}

#[tokio::test]
async fn while_it_is_being_cancelled_people_read_what_its_holder_says_and_nobody_elses_words() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let epoch = test.agent("a").claim(&dev).await.unwrap();
    cancel(&test, "dev").await.unwrap();
    say(&test, &dev, Some(epoch), "interrupted at noon").await.unwrap();
    let shown = test.deployment(&dev.id).await;
    assert_eq!((shown.status, shown.message.as_deref()), (S::Cancelling, Some("interrupted at noon")));
    assert!(is_conflict(&say(&test, &dev, Some(epoch + 1), "nonsense").await));
    // The claim once more carries no epoch.
    say(&test, &dev, None, "nonsense").await.unwrap();
    test.agent("a").heartbeat(&dev, epoch).await.unwrap();
    assert_eq!(test.deployment(&dev.id).await.message.as_deref(), Some("interrupted at noon"), "silence keeps it");
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
