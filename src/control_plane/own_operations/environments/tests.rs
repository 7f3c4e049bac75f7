use hadron_model::hadron::{Executor, Hadron, SetExecutorInput};

use crate::control_plane::records::Action;
use crate::control_plane::test_plane::{TestPlane, environment};
use crate::control_plane::wire::ProtonError;

async fn set(test: &TestPlane, executor: Executor) -> Result<(), ProtonError> {
    let input = SetExecutorInput { environment_name: "dev".into(), executor, repository: None, branch: None };
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
