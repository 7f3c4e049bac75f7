use std::sync::Arc;

use crate::control_plane::DeploymentLimits;
use crate::control_plane::records::{Action, Deployment, Executor};
use crate::control_plane::state_server::block;
use crate::control_plane::test_plane::{LEASE, TestPlane, environment};

/// A plane with these limits.
async fn limited(per_environment: usize, per_account: usize) -> TestPlane {
    let mut test = TestPlane::new().await;
    let mut settings = (*test.plane.settings).clone();
    settings.limits = DeploymentLimits { per_environment, per_account };
    test.plane.settings = Arc::new(settings);
    test
}

/// Place and reason of a deployment.
async fn place(test: &TestPlane, deployment: &Deployment) -> (Option<usize>, String) {
    let (engine, id) = (test.engine(), deployment.id.clone());
    let deployment = test.deployment(&id).await;
    let found = test.plane.store.read::<_, crate::control_plane::store::StoreError, _>(move |tx| {
        let queue = engine.queue(tx)?;
        engine.place(tx, &queue, &deployment)
    });
    let found = found.await.unwrap().unwrap();
    (found.position, found.reason)
}

#[tokio::test]
async fn a_limit_holds_back_what_is_behind_in_its_environment_only() {
    let test = limited(2, 0).await;
    let mut dev = vec![test.settled_environment("dev", &[]).await];
    for name in ["one", "two", "three", "four"] {
        test.advance(1);
        dev.push(test.instance("pay", name, "dev").await);
    }
    let prod = test.environment("prod").await;
    let agent = test.agent("a");
    let (shown, answer) = agent.poll_for(10, "0").await;
    assert_eq!(shown, [&prod.id, &dev[1].id, &dev[2].id].map(Clone::clone));
    assert_eq!(answer.get("x-hadron-claimable"), Some("3"));
    assert!(test.agent("b").poll_for(10, "0").await.0.is_empty(), "what is shown to another takes its room");
    agent.claim(&dev[1]).await.unwrap();
    agent.claim(&dev[2]).await.unwrap();
    let refused = test.agent("b").claim(&dev[3]).await.unwrap_err().to_string();
    assert!(refused.contains("limit of 2 in environment dev"), "{refused}");
    assert_eq!(place(&test, &dev[4]).await, (Some(2), "2nd in line: limit of 2 in environment dev".into()));
    agent.fail(&dev[1], 1).await.unwrap();
    assert_eq!(agent.poll_for(10, "0").await.0, [prod.id, dev[3].id.clone()]);
}

#[tokio::test]
async fn the_accounts_limit_counts_everything_but_what_awaits_approval() {
    let test = limited(0, 1).await;
    let dev = test.environment("dev").await;
    test.advance(1);
    let prod = test.environment("prod").await;
    let agent = test.agent("a");
    assert_eq!(agent.poll_for(10, "0").await.0, std::slice::from_ref(&dev.id));
    agent.claim(&dev).await.unwrap();
    assert_eq!(place(&test, &prod).await, (Some(1), "1st in line: limit of 1 in the account".into()));
    agent.ask(&dev, 1, &"a".repeat(64), "1 to add").await.unwrap();
    assert_eq!(agent.poll_for(10, "0").await.0, [prod.id], "nothing runs while people decide");
}

#[tokio::test]
async fn what_was_claimed_and_lost_goes_behind_what_nobody_has_tried_but_not_for_ever() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    let lost = test.instance("pay", "lost", "dev").await;
    test.agent("dies").claim(&lost).await.unwrap();
    test.advance(LEASE + 1);
    let fresh = test.instance("pay", "fresh", "dev").await;
    let (agent, both) = (test.agent("a"), [fresh.id.clone(), lost.id.clone()]);
    assert_eq!(agent.poll_for(10, "0").await.0, both);
    let (position, reason) = place(&test, &lost).await;
    assert_eq!((position, reason.as_str()), (Some(2), "agent dies fell silent; waits for an agent, 2nd in line"));
    test.advance(600_000);
    assert_eq!(agent.poll_for(10, "0").await.0, [lost.id, fresh.id]);
}

#[tokio::test]
async fn every_reason_to_wait_is_told() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    assert_eq!(place(&test, &dev).await, (Some(1), "no agent bound to dev has ever asked".into()));
    test.agent("a").poll_for(1, "0").await;
    assert_eq!(place(&test, &dev).await, (Some(1), "waits for an agent, 1st in line".into()));
    test.advance(600_000);
    assert_eq!(place(&test, &dev).await, (Some(1), "no agent bound to dev has asked for 10 min".into()));
    let (scope, arn) = (test.scope.clone(), dev.target_arn.clone());
    test.write(move |tx| Ok(block(tx, &scope, &arn, "a queue may exist", 1)?)).await.unwrap();
    assert_eq!(place(&test, &dev).await, (None, "blocked: a queue may exist".into()));
    let ci = test.environment_with("ci", Executor::Ci).await;
    assert!(place(&test, &ci).await.1.starts_with("executor is ci"));
    let prod = test.settled_environment("prod", &[]).await;
    let prod = test.begin(prod.target, Action::Update, "unpublished").await.unwrap();
    assert_eq!(place(&test, &prod).await.1, "its inputs are on their way into the bucket");
    test.publish().await;
    test.agent("a").claim(&test.deployment(&prod.id).await).await.unwrap();
    assert_eq!(place(&test, &prod).await.1, "agent a works on it");
    let engine = test.engine();
    test.write(move |tx| engine.cancel(tx, &environment("prod"))).await.unwrap();
    assert_eq!(place(&test, &prod).await.1, "agent a has been asked to stop");
    test.advance(LEASE);
    assert!(place(&test, &prod).await.1.contains("the server ends it"));
}
