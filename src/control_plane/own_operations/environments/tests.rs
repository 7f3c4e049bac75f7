use hadron_model::hadron::{Executor, Hadron, SetExecutorInput};

use hadron_model::{DeploymentStatus, ResourceDeploymentStatus};

use crate::control_plane::records::Action;
use crate::control_plane::test_plane::{TestPlane, environment, report};
use crate::control_plane::wire::ProtonError;

async fn set(test: &TestPlane, executor: Executor) -> Result<(), ProtonError> {
    let input =
        SetExecutorInput { environment_name: "dev".into(), executor, repository: None, branch: None, ahead: None };
    test.plane.set_executor(&mut test.call(), input).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pipeline_deploys_no_agent_may_claim() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    set(&test, Executor::Ci).await.unwrap();
    let next = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    assert!(test.agent("one").poll(10).await.is_empty());
    assert!(matches!(test.agent("one").claim(&next).await, Err(ProtonError::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_executor_stays_while_anything_in_the_environment_is_under_way() {
    let test = TestPlane::new().await;
    let dev = test.environment("dev").await;
    let refused = set(&test, Executor::Ci).await;
    assert!(matches!(&refused, Err(ProtonError::Conflict(words)) if words.contains(&dev.id)), "{refused:?}");
    set(&test, Executor::Agent).await.unwrap();
    test.settle(&dev, &[]).await;
    let api = test.instance("pay", "api", "dev").await;
    assert!(matches!(set(&test, Executor::Ci).await, Err(ProtonError::Conflict(_))));
    test.settle(&api, &[]).await;
    set(&test, Executor::Ci).await.unwrap();
    set(&test, Executor::Agent).await.unwrap();
    let next = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    assert_eq!(test.agent("one").poll(10).await, [next.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_environment_has_an_executor() {
    let test = TestPlane::new().await;
    assert!(matches!(set(&test, Executor::Ci).await, Err(ProtonError::ResourceNotFound(_))));
}

const REPOSITORY: &str = "https://github.com/acme/infra.git";

async fn publish_to(test: &TestPlane, repository: Option<&str>) -> Result<(), ProtonError> {
    let (executor, repository) = (Executor::PullRequest, repository.map(str::to_owned));
    let input = SetExecutorInput { environment_name: "dev".into(), executor, repository, branch: None, ahead: None };
    test.plane.set_executor(&mut test.call(), input).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_has_published_is_a_pipelines_from_then_on() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    publish_to(&test, Some(REPOSITORY)).await.unwrap();
    let next = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let agent = test.agent("one");
    let told = agent.claimed(&next).await.unwrap();
    let headers = ["x-hadron-executor", "x-hadron-repository", "x-hadron-branch"].map(|name| told.get(name).unwrap());
    assert_eq!(headers, ["pull-request", REPOSITORY, "main"]);
    let epoch = told.get("x-hadron-epoch").unwrap().parse().unwrap();
    let early = test.stock(&next, Some(ResourceDeploymentStatus::Succeeded), &[]).await;
    assert!(matches!(early, Err(ProtonError::Conflict(_))), "the agent still holds it");
    agent.published(&next, epoch).await.unwrap();
    assert!(test.agent("two").poll(10).await.is_empty());
    assert!(matches!(test.agent("two").claim(&next).await, Err(ProtonError::Conflict(_))));
    test.stock(&next, Some(ResourceDeploymentStatus::Succeeded), &[]).await.unwrap();
    assert_eq!(test.deployment(&next.id).await.status, DeploymentStatus::Succeeded);
    let again = test.deploy(environment("dev"), Action::Update, "third").await.unwrap();
    let told = test.agent("two").claimed(&again).await.unwrap();
    assert_eq!(told.get("x-hadron-unsettled"), None, "nothing was run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_closed_calls_its_deployment_off() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    publish_to(&test, Some(REPOSITORY)).await.unwrap();
    let next = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let epoch = test.agent("one").claim(&next).await.unwrap();
    test.agent("one").published(&next, epoch).await.unwrap();
    let input = report(&next.target_arn, Some(&next.id), Some(ResourceDeploymentStatus::Failed), &[]);
    test.notify("AKIACI", &[("x-hadron-request", "closed")], input).await.0.unwrap();
    assert_eq!(test.deployment(&next.id).await.status, DeploymentStatus::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_an_environment_wants_published_is_handed_over() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    let next = test.deploy(environment("dev"), Action::Update, "second").await.unwrap();
    let epoch = test.agent("one").claim(&next).await.unwrap();
    assert!(matches!(test.agent("one").published(&next, epoch).await, Err(ProtonError::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_need_a_repository_whose_address_holds_no_password() {
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    assert!(matches!(publish_to(&test, None).await, Err(ProtonError::Validation(_))));
    let open = publish_to(&test, Some("https://robot:hush@github.com/acme/infra.git")).await;
    assert!(matches!(open, Err(ProtonError::Validation(_))));
    publish_to(&test, Some("git@github.com:acme/infra.git")).await.unwrap();
    set(&test, Executor::Agent).await.unwrap();
}
