use hadron_model::ResourceDeploymentStatus;

use crate::control_plane::records::{Action, Adoption, StateLock, TargetRuns};
use crate::control_plane::state_server::block;
use crate::control_plane::store::Typed;
use crate::control_plane::test_plane::{LEASE, TestPlane, environment, report};

const HEADER: &str = "x-hadron-unsettled";

#[tokio::test]
async fn a_claim_is_told_of_the_epochs_before_it_until_one_of_them_reports_its_end() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    assert_eq!(test.agent("a").claimed(&dev).await.unwrap().get(HEADER), None);
    test.advance(LEASE + 1);
    let told = test.agent("b").claimed(&dev).await.unwrap();
    assert_eq!(told.get(HEADER), Some(format!("{}.1", dev.id).as_str()));
    test.advance(LEASE + 1);
    for _ in 0..2 {
        let told = test.agent("c").claimed(&dev).await.unwrap();
        assert_eq!(told.get(HEADER), Some(format!("{0}.1 {0}.2", dev.id).as_str()), "a repeat is told the same");
    }
    assert!(test.agent("b").fail(&dev, 2).await.is_err(), "a stale end settles nothing");
    test.agent("c").fail(&dev, 3).await.unwrap();
    assert!(test.get::<TargetRuns>(&dev.target_arn).await.is_none());
    test.advance(1);
    let next = test.deploy(environment("dev"), Action::Update, "next").await.unwrap();
    assert_eq!(test.agent("a").claimed(&next).await.unwrap().get(HEADER), None);
}

#[tokio::test]
async fn what_was_cancelled_while_its_agent_was_silent_stays_unsettled_until_that_agent_reports() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let lost = test.agent("lost");
    lost.claim(&dev).await.unwrap();
    test.advance(LEASE + 1);
    let engine = test.engine();
    test.write(move |tx| engine.cancel(tx, &environment("dev"))).await.unwrap();
    let next = test.deploy(environment("dev"), Action::Update, "next").await.unwrap();
    let told = test.agent("b").claimed(&next).await.unwrap();
    assert_eq!(told.get(HEADER), Some(format!("{}.1", dev.id).as_str()));
    assert!(test.agent("other").fail(&dev, 1).await.is_ok(), "the repeat of an end is harmless");
    assert_eq!(test.get::<TargetRuns>(&dev.target_arn).await.unwrap().unsettled.len(), 2, "and settles nothing");
    lost.fail(&dev, 1).await.unwrap();
    let runs = test.get::<TargetRuns>(&dev.target_arn).await.unwrap();
    assert_eq!(runs.unsettled.iter().map(|run| run.deployment.as_str()).collect::<Vec<_>>(), [next.id.as_str()]);
    // A pipeline's word ends the deployment, and says nothing of the agent's run.
    test.advance(LEASE + 1);
    test.stock(&next, Some(ResourceDeploymentStatus::Succeeded), &[]).await.unwrap();
    assert_eq!(test.get::<TargetRuns>(&dev.target_arn).await.unwrap().unsettled.len(), 1);
}

#[tokio::test]
async fn an_end_settles_what_its_header_says_and_no_more() {
    for (says, left) in [(None, &[][..]), (Some("own"), &[1]), (Some("none"), &[1, 2])] {
        let test = TestPlane::new().await;
        let dev = test.environment("dev").await;
        test.agent("a").claim(&dev).await.unwrap();
        test.advance(LEASE + 1);
        test.agent("b").claim(&dev).await.unwrap();
        let mut headers = vec![("x-hadron-agent", "b"), ("x-hadron-epoch", "2")];
        let failed = || report(&dev.target_arn, Some(&dev.id), Some(ResourceDeploymentStatus::Failed), &[]);
        headers.push(("x-hadron-settled", "perhaps"));
        let refused = test.notify("AKIAB", &headers, failed()).await.0.unwrap_err();
        assert!(refused.to_string().contains("perhaps is neither own nor none"), "{refused}");
        assert!(test.deployment(&dev.id).await.in_flight(), "what can't be read ends nothing");
        headers.pop();
        headers.extend(says.map(|says| ("x-hadron-settled", says)));
        test.notify("AKIAB", &headers, failed()).await.0.unwrap();
        test.advance(1);
        let next = test.deploy(environment("dev"), Action::Update, "next").await.unwrap();
        let told = test.agent("c").claimed(&next).await.unwrap();
        let runs: Vec<String> = left.iter().map(|epoch| format!("{}.{epoch}", dev.id)).collect();
        assert_eq!(told.get(HEADER).unwrap_or_default(), runs.join(" "), "{says:?}");
    }
}

#[tokio::test]
async fn a_blocked_target_is_neither_offered_nor_claimed() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let (scope, arn) = (test.scope.clone(), dev.target_arn.clone());
    test.write(move |tx| Ok(block(tx, &scope, &arn, "somebody must look", 1)?)).await.unwrap();
    let (offered, answer) = test.agent("a").poll_for(5, "0").await;
    assert_eq!((offered.len(), answer.get("x-hadron-claimable")), (0, Some("0")));
    let refused = test.agent("a").claim(&dev).await.unwrap_err();
    assert!(refused.to_string().contains("somebody must look"), "{refused}");
}

#[tokio::test]
async fn adoptions_are_forgotten_when_a_run_succeeds_that_was_told_of_them() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let adoption = |number| Adoption { number, address: format!("t.r{number}"), id: number.to_string(), asked: false };
    let lock = StateLock { adoptions: vec![adoption(1), adoption(2)], adopted: 2, ..StateLock::free(&dev.target_arn) };
    test.add(lock).await;
    let agent = test.agent("a");
    assert_eq!(agent.claimed(&dev).await.unwrap().get("x-hadron-adopt"), Some("2"));
    agent.fail(&dev, 1).await.unwrap();
    test.advance(1);
    let next = test.deploy(environment("dev"), Action::Update, "next").await.unwrap();
    assert_eq!(agent.claimed(&next).await.unwrap().get("x-hadron-adopt"), Some("2"));
    let (scope, arn) = (test.scope.clone(), dev.target_arn.clone());
    test.write(move |tx| {
        let mut lock = tx.get::<StateLock>(&scope, &arn)?.unwrap();
        lock.adoptions.push(adoption(3));
        Ok(tx.save(&scope, &mut lock)?)
    })
    .await
    .unwrap();
    assert_eq!(agent.claimed(&next).await.unwrap().get("x-hadron-adopt"), Some("2"), "the repeat is told the same");
    agent.succeed(&next, 1, &[]).await.unwrap();
    let left = test.get::<StateLock>(&dev.target_arn).await.unwrap().value.adoptions;
    assert_eq!(left, [adoption(3)]);
}
