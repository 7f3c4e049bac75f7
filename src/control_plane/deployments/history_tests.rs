//! What stays of deployments that are over.

use hadron_model::{DeleteDeploymentInput, GetDeploymentInput, ListDeploymentsInput, Proton};

use super::tests::{delete, get};
use crate::control_plane::records::{Action, Deployment, TagSet};
use crate::control_plane::store::Document;
use crate::control_plane::test_plane::{TestPlane, environment};
use crate::control_plane::wire::ProtonError;

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
