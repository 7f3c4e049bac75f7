use hadron_model::hadron::{DescribeRunInput, Hadron, ListRunsInput, Run, RunStatus};

use crate::control_plane::test_plane::{LEASE, START, TestPlane};
use crate::control_plane::wire::ProtonError;

async fn list(test: &TestPlane, input: ListRunsInput) -> Result<Vec<Run>, ProtonError> {
    Ok(test.plane.list_runs(&mut test.call(), input).await?.runs)
}

async fn describe(test: &TestPlane, id: &str) -> Result<Run, ProtonError> {
    let input = DescribeRunInput { deployment_id: id.into() };
    Ok(test.plane.describe_run(&mut test.call(), input).await?.run)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_runs_is_lost_and_ends() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let waiting = describe(&test, &dev.id).await.unwrap();
    assert_eq!((waiting.status, waiting.agent, waiting.epoch), (RunStatus::Waiting, None, None));
    let agent = test.agent("one");
    let epoch = agent.claim(&dev).await.unwrap();
    let running = describe(&test, &dev.id).await.unwrap();
    assert_eq!((running.status, running.agent.as_deref(), running.epoch), (RunStatus::Running, Some("one"), Some(1)));
    assert_eq!(running.lease_until.unwrap().0, START + LEASE);
    test.advance(LEASE);
    assert_eq!(describe(&test, &dev.id).await.unwrap().status, RunStatus::Lost);
    agent.heartbeat(&dev, epoch).await.unwrap();
    assert_eq!(describe(&test, &dev.id).await.unwrap().status, RunStatus::Running);
    agent.fail(&dev, epoch).await.unwrap();
    let ended = describe(&test, &dev.id).await.unwrap();
    assert_eq!((ended.status, ended.ended_at.unwrap().0), (RunStatus::Failed, START + LEASE));
    assert!(matches!(describe(&test, "no-such-run").await, Err(ProtonError::ResourceNotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_newest_first_by_target_environment_and_status() {
    let test = TestPlane::new().await;
    let dev = test.settled_environment("dev", &[]).await;
    test.advance(1);
    let api = test.instance("pay", "api", "dev").await;
    test.advance(1);
    let prod = test.environment("prod").await;
    let ids = |runs: Vec<Run>| runs.into_iter().map(|run| run.deployment_id).collect::<Vec<_>>();
    let all = list(&test, ListRunsInput::default()).await.unwrap();
    assert_eq!(ids(all), [prod.id.as_str(), &api.id, &dev.id]);
    let in_dev = ListRunsInput { environment_name: Some("dev".into()), ..ListRunsInput::default() };
    assert_eq!(ids(list(&test, in_dev.clone()).await.unwrap()), [api.id.as_str(), &dev.id]);
    let waiting = ListRunsInput { status: Some(RunStatus::Waiting), ..in_dev };
    assert_eq!(ids(list(&test, waiting).await.unwrap()), [api.id.as_str()]);
    let of_api = ListRunsInput { target_arn: Some(api.target_arn.clone()), ..ListRunsInput::default() };
    assert_eq!(ids(list(&test, of_api).await.unwrap()), [api.id.as_str()]);
    let misspelt = ListRunsInput { environment_name: Some("dve".into()), ..ListRunsInput::default() };
    assert!(matches!(list(&test, misspelt).await, Err(ProtonError::ResourceNotFound(_))));
}
