//! Who may decide on which plan, when, and what the agent hears of it.

use std::time::Duration;

use hadron_model::hadron::{
    ApproveRunInput, Decision, DescribeRunInput, Hadron, ListRunsInput, RejectRunInput, Role, Run, RunStatus,
};
use hadron_model::{CancelEnvironmentDeploymentInput, Proton};
use tokio::time::timeout;

use crate::control_plane::records::{Deployment, Environment};
use crate::control_plane::test_plane::{Agent, LEASE, START, TestPlane};
use crate::control_plane::wire::{Call, ProtonError};

const ANN: &str = "arn:aws:iam::123456789012:user/ann";
/// Far less than the answer may be held.
const SOON: Duration = Duration::from_secs(10);
const TWO: &str = "2 to add, 0 to change, 0 to destroy";

fn digest(letter: char) -> String {
    letter.to_string().repeat(64)
}

/// A request of a person's who has nothing to do with the agent.
fn ann(test: &TestPlane) -> Call {
    let mut call = test.call();
    call.caller.principal = ANN.into();
    call.caller.role = Role::Platform;
    call
}

async fn approve(test: &TestPlane, call: &mut Call, id: &str, plan: char) -> Result<Run, ProtonError> {
    let input = ApproveRunInput { deployment_id: id.into(), plan_digest: digest(plan), comment: None };
    Ok(test.plane.approve_run(call, input).await?.run)
}

async fn reject(test: &TestPlane, id: &str, plan: char, comment: &str) -> Result<Run, ProtonError> {
    let comment = Some(comment.to_owned());
    let input = RejectRunInput { deployment_id: id.into(), plan_digest: digest(plan), comment };
    Ok(test.plane.reject_run(&mut ann(test), input).await?.run)
}

async fn describe(test: &TestPlane, id: &str) -> Run {
    let input = DescribeRunInput { deployment_id: id.into() };
    test.plane.describe_run(&mut test.call(), input).await.unwrap().run
}

async fn decision(agent: &Agent<'_>, deployment: &Deployment, epoch: i64, plan: char) -> Option<String> {
    let answer = agent.ask(deployment, epoch, &digest(plan), TWO).await.unwrap();
    answer.get("x-hadron-decision").map(str::to_owned)
}

/// An environment whose agent asks about plan a.
async fn asked(test: &TestPlane) -> (Deployment, Agent<'_>, i64) {
    let dev = test.environment("dev").await;
    let agent = test.agent("one");
    let epoch = agent.claim(&dev).await.unwrap();
    assert_eq!(decision(&agent, &dev, epoch, 'a').await.as_deref(), Some("pending"));
    (dev, agent, epoch)
}

fn conflict<T: std::fmt::Debug>(result: Result<T, ProtonError>) -> String {
    match result {
        Err(ProtonError::Conflict(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_asks_awaits_approval_and_its_agent_hears_the_decision() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    let run = describe(&test, &dev.id).await;
    assert_eq!((run.status, run.plan_summary.as_deref()), (RunStatus::AwaitingApproval, Some(TWO)));
    let waiting = ListRunsInput { status: Some(RunStatus::AwaitingApproval), ..ListRunsInput::default() };
    assert_eq!(test.plane.list_runs(&mut test.call(), waiting).await.unwrap().runs.len(), 1);
    let shown = test.get::<Environment>("dev").await.unwrap().value.progress.message.unwrap();
    assert!(shown.starts_with("awaiting approval: 2 to add") && shown.contains(&dev.id), "{shown}");

    let run = approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    assert_eq!((run.status, run.decision), (RunStatus::Running, Some(Decision::Approved)));
    assert_eq!((run.decided_by.as_deref(), run.decided_at.unwrap().0), (Some(ANN), START));
    let answer = agent.ask(&dev, epoch, &digest('a'), TWO).await.unwrap();
    assert_eq!(answer.get("x-hadron-decision"), Some("approved"));
    assert_eq!(answer.get("x-hadron-decided-by"), Some(ANN));
    agent.succeed(&dev, epoch, &[]).await.unwrap();
    let ended = describe(&test, &dev.id).await;
    assert_eq!((ended.status, ended.decision), (RunStatus::Succeeded, Some(Decision::Approved)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_reaches_the_agent_with_its_comment_whatever_that_holds() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    reject(&test, &dev.id, 'a', "zu groß:\n100 %").await.unwrap();
    let answer = agent.ask(&dev, epoch, &digest('a'), TWO).await.unwrap();
    assert_eq!(answer.get("x-hadron-decision"), Some("rejected"));
    assert_eq!(answer.get("x-hadron-decision-comment"), Some("zu gro%C3%9F:%0A100 %25"));
    assert_eq!(describe(&test, &dev.id).await.decision_comment.as_deref(), Some("zu groß:\n100 %"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_plan_that_is_asked_about_can_be_decided_on() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    assert!(conflict(approve(&test, &mut ann(&test), &dev.id, 'a').await).contains("isn't awaiting approval"));
    let agent = test.agent("one");
    let epoch = agent.claim(&dev).await.unwrap();
    assert!(conflict(approve(&test, &mut ann(&test), &dev.id, 'a').await).contains("isn't awaiting approval"));
    decision(&agent, &dev, epoch, 'a').await;
    let words = conflict(approve(&test, &mut ann(&test), &dev.id, 'b').await);
    assert!(words.contains(&digest('a')) && words.contains(TWO), "it names the present plan: {words}");
    assert_eq!(decision(&agent, &dev, epoch, 'a').await.as_deref(), Some("pending"));
    let nowhere = approve(&test, &mut ann(&test), "no-such-run", 'a').await;
    assert!(matches!(nowhere, Err(ProtonError::ResourceNotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_can_be_repeated_and_not_reversed() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    let first = approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    test.advance(5);
    let again = approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    assert_eq!(again.decided_at, first.decided_at);
    let words = conflict(reject(&test, &dev.id, 'a', "no").await);
    assert!(words.contains("was approved by") && words.contains(ANN), "{words}");
    agent.succeed(&dev, epoch, &[]).await.unwrap();
    approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plan_replaces_one_that_was_decided_on() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    assert_eq!(decision(&agent, &dev, epoch, 'b').await.as_deref(), Some("pending"));
    assert_eq!(describe(&test, &dev.id).await.status, RunStatus::AwaitingApproval);
    conflict(approve(&test, &mut ann(&test), &dev.id, 'a').await);
    approve(&test, &mut ann(&test), &dev.id, 'b').await.unwrap();
    assert_eq!(decision(&agent, &dev, epoch, 'b').await.as_deref(), Some("approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_agent_decides_and_neither_does_whoever_works_on_the_run() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    let mut other_agent = ann(&test);
    other_agent.caller.role = Role::Agent;
    let mut claimer = ann(&test);
    claimer.caller.access_key = agent.access_key.clone();
    // Another key of the principal that asked, as after a rotation.
    let mut same_principal = test.call();
    for call in [&mut other_agent, &mut claimer, &mut same_principal] {
        let refused = approve(&test, call, &dev.id, 'a').await;
        assert!(matches!(refused, Err(ProtonError::AccessDenied(_))), "{refused:?}");
    }
    assert_eq!(decision(&agent, &dev, epoch, 'a').await.as_deref(), Some("pending"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_epoch_asks_nobody_and_another_claim_forgets_the_plan() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    assert!(agent.ask(&dev, epoch + 1, &digest('b'), TWO).await.is_err());
    test.advance(LEASE);
    let heir = test.agent("two");
    let next = heir.claim(&dev).await.unwrap();
    let run = describe(&test, &dev.id).await;
    assert_eq!((run.status, run.plan_digest), (RunStatus::Running, None));
    conflict(agent.ask(&dev, epoch, &digest('a'), TWO).await.map(drop));
    assert_eq!(decision(&heir, &dev, next, 'a').await.as_deref(), Some("pending"), "what was approved was another's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_that_comes_back_finds_its_plan_decided() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    test.advance(LEASE);
    assert_eq!(describe(&test, &dev.id).await.status, RunStatus::Lost);
    approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    assert_eq!(agent.claim(&dev).await.unwrap(), epoch);
    assert_eq!(decision(&agent, &dev, epoch, 'a').await.as_deref(), Some("approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_cancelled_is_not_decided_any_more() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    let cancel = CancelEnvironmentDeploymentInput { environment_name: "dev".into() };
    test.plane.cancel_environment_deployment(&mut test.call(), cancel).await.unwrap();
    assert!(conflict(approve(&test, &mut ann(&test), &dev.id, 'a').await).contains("it is CANCELLING"));
    let answer = agent.ask(&dev, epoch, &digest('b'), TWO).await.unwrap();
    assert_eq!((answer.get("x-hadron-status"), answer.get("x-hadron-decision")), (Some("CANCELLING"), None));
    agent.fail(&dev, epoch).await.unwrap();
    assert_eq!(describe(&test, &dev.id).await.status, RunStatus::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_may_be_held_comes_with_the_decision_or_the_cancel() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    let plan = digest('a');
    let mut held = Box::pin(agent.ask_and_wait(&dev, epoch, &plan, TWO, 20));
    assert!(timeout(Duration::from_millis(100), &mut held).await.is_err(), "nobody has decided");
    approve(&test, &mut ann(&test), &dev.id, 'a').await.unwrap();
    let answer = timeout(SOON, held).await.unwrap().unwrap();
    assert_eq!(answer.get("x-hadron-decision"), Some("approved"));

    let plan = digest('b');
    let mut held = Box::pin(agent.ask_and_wait(&dev, epoch, &plan, TWO, 20));
    assert!(timeout(Duration::from_millis(100), &mut held).await.is_err(), "this is another plan");
    let cancel = CancelEnvironmentDeploymentInput { environment_name: "dev".into() };
    test.plane.cancel_environment_deployment(&mut test.call(), cancel).await.unwrap();
    let answer = timeout(SOON, held).await.unwrap().unwrap();
    assert_eq!((answer.get("x-hadron-status"), answer.get("x-hadron-decision")), (Some("CANCELLING"), Some("pending")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_held_does_not_outlive_the_claim() {
    let test = TestPlane::new().await;
    let (dev, agent, epoch) = asked(&test).await;
    let plan = digest('a');
    let mut held = Box::pin(agent.ask_and_wait(&dev, epoch, &plan, TWO, 20));
    assert!(timeout(Duration::from_millis(100), &mut held).await.is_err(), "nobody has decided");
    test.advance(LEASE);
    test.agent("two").claim(&dev).await.unwrap();
    // Whatever rings next.
    test.plane.work.ring();
    conflict(timeout(SOON, held).await.unwrap().map(drop));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_no_digest_or_says_nothing_is_refused() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let agent = test.agent("one");
    let epoch = agent.claim(&dev).await.unwrap();
    for (plan, summary) in [("abc", TWO), (&digest('A'), TWO), (&digest('a'), ""), (&digest('a'), &"x".repeat(201))] {
        let refused = agent.ask(&dev, epoch, plan, summary).await;
        assert!(matches!(refused, Err(ProtonError::Validation(_))), "{refused:?}");
    }
}
