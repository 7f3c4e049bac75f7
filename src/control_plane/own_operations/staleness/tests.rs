//! What the report says, on a plane with an environment and an instance.

use hadron_model::hadron::{Hadron, ReportStaleInput, StaleRow, Staleness};

use crate::control_plane::records::{Deployment, TagSet, TemplateKind};
use crate::control_plane::store::Typed;
use crate::control_plane::test_plane::{START, TestPlane};

async fn report(test: &TestPlane, input: ReportStaleInput) -> Vec<StaleRow> {
    test.plane.report_stale(&mut test.call(), input).await.unwrap().rows
}

fn everything() -> ReportStaleInput {
    ReportStaleInput { all: Some(true), ..ReportStaleInput::default() }
}

/// `dev` on `net` 1.0 and `shop/one` on `web` 1.0, both as recommended.
async fn deployed() -> TestPlane {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 0), "").await;
    test.version(TemplateKind::Service, "web", (1, 0), "").await;
    let environment = test.settled_environment("dev", &[("Vpc", "a")]).await;
    let instance = test.settled_instance("shop", "one", "dev").await;
    pin(&test, &instance.id, environment.id).await;
    test
}

/// Notes the deployment whose outputs another was given, as the operations do.
async fn pin(test: &TestPlane, deployment: &str, environment: String) {
    let (scope, id) = (test.scope.clone(), deployment.to_owned());
    test.write(move |tx| {
        let mut deployment = tx.get::<Deployment>(&scope, &id)?.unwrap();
        deployment.target_state.environment_deployment_id = Some(environment.clone());
        Ok(tx.save(&scope, &mut deployment)?)
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_recommended_is_told_only_when_all_is_asked_for() {
    let test = deployed().await;
    assert_eq!(report(&test, ReportStaleInput::default()).await, []);
    let rows = report(&test, everything()).await;
    let told: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.name.as_str(), row.staleness)).collect();
    let fresh = Staleness::UpToDate;
    assert_eq!(told, [("environment", "dev", fresh), ("service-instance", "one", fresh)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_behind_since_the_first_version_that_it_doesnt_have() {
    let test = deployed().await;
    test.advance(1000);
    test.version(TemplateKind::Service, "web", (1, 1), "").await;
    test.advance(1000);
    test.version(TemplateKind::Service, "web", (2, 0), "").await;
    let [row] = &report(&test, ReportStaleInput::default()).await[..] else { panic!("one row") };
    assert_eq!((row.deployed.as_str(), row.recommended.as_deref()), ("1.0", Some("2.0")));
    assert_eq!((row.staleness, row.versions_behind), (Staleness::BehindMajor, Some(2)));
    assert_eq!(row.behind_since.unwrap().0, START + 1000);
    assert_eq!(row.environment_name.as_deref(), Some("dev"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_outputs_of_the_environment_make_its_instances_stale_and_the_same_ones_do_not() {
    let test = deployed().await;
    let again = test.redeployed("dev", &[("Vpc", "a")]).await;
    assert_eq!(report(&test, ReportStaleInput::default()).await, [], "{} gave the same", again.id);
    test.redeployed("dev", &[("Vpc", "b")]).await;
    let [row] = &report(&test, ReportStaleInput::default()).await[..] else { panic!("one row") };
    assert!(row.outputs_changed);
    assert_eq!(row.outputs_changed_in.as_deref(), Some(&["environment/dev".to_owned()][..]));
    assert_eq!(row.staleness, Staleness::UpToDate);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_the_services_tag() {
    let test = deployed().await;
    let scope = test.scope.clone();
    test.write(move |tx| {
        let arn = scope.arn("service/shop");
        let tags = [("owner".to_owned(), "payments".to_owned())].into();
        Ok(tx.add(&scope, &TagSet { arn, tags, managed: [].into() })?)
    })
    .await
    .unwrap();
    let rows = report(&test, everything()).await;
    assert_eq!(rows[1].owner.as_deref(), Some("payments"));
    assert_eq!(rows[0].owner, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_read_page_by_page_and_of_one_service_template_or_environment() {
    let test = deployed().await;
    test.settled_instance("shop", "two", "dev").await;
    let mut names = Vec::new();
    let mut next_token = None;
    loop {
        let input = ReportStaleInput { max_results: Some(1), next_token, ..everything() };
        let page = test.plane.report_stale(&mut test.call(), input).await.unwrap();
        names.extend(page.rows.into_iter().map(|row| row.name));
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["dev", "one", "two"]);
    let of_service = ReportStaleInput { service_name: Some("shop".into()), ..everything() };
    assert_eq!(report(&test, of_service).await.len(), 2);
    let of_template = ReportStaleInput { template_name: Some("net".into()), ..everything() };
    assert_eq!(report(&test, of_template).await.len(), 1);
    let elsewhere = ReportStaleInput { environment_name: Some("prod".into()), ..everything() };
    assert_eq!(report(&test, elsewhere).await, []);
}
