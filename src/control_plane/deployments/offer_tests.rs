//! The promises of the poll: who is offered what, and when.

use std::time::Duration;

use super::tests::message;
use crate::control_plane::records::{Action, Executor};
use crate::control_plane::test_plane::{LEASE, TestPlane, environment};

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
