//! The promises of cancel and delete, and of what is shown meanwhile, each through the operations and the real store.

use std::sync::Arc;
use std::time::Duration;

use hadron_model::{
    CancelEnvironmentDeploymentInput, DeleteEnvironmentInput, DeploymentStatus as S, GetDeploymentInput, Proton,
};

use crate::control_plane::records::{Action, Deployment, StateKey, TagSet};
use crate::control_plane::test_plane::{LEASE, TestPlane, environment, instance, report};
use crate::control_plane::wire::ProtonError;

pub(super) fn is_conflict<T>(result: &Result<T, ProtonError>) -> bool {
    matches!(result, Err(ProtonError::Conflict(_)))
}

pub(super) fn message<T>(result: Result<T, ProtonError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

pub(super) async fn cancel(test: &TestPlane, name: &str) -> Result<S, ProtonError> {
    let input = CancelEnvironmentDeploymentInput { environment_name: name.into() };
    let cancelled = test.plane.cancel_environment_deployment(&mut test.call(), input).await?;
    Ok(cancelled.environment.deployment_status)
}

pub(super) async fn delete(test: &TestPlane, name: &str) -> Result<Deployment, ProtonError> {
    let input = DeleteEnvironmentInput { name: name.into() };
    let shown = test.plane.delete_environment(&mut test.call(), input).await?.environment.unwrap();
    test.publish().await;
    Ok(test.deployment(&shown.last_attempted_deployment_id.unwrap()).await)
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

pub(super) fn get(id: &str) -> GetDeploymentInput {
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
