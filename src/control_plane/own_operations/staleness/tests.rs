//! What the report says, on a plane with an environment and an instance.

use hadron_model::hadron::{Hadron, ReportStaleInput, SendStaleReportInput, StaleRow, Staleness};
use hadron_model::{Proton, TemplateVersionStatus, UpdateServiceTemplateVersionInput};
use serde_json::Value;

use crate::control_plane::events::{Events, Form, Pending, SinkConfig, SinkKind};
use crate::control_plane::records::{Deployment, TagSet, Template, TemplateKind, TemplateVersion, Version};
use crate::control_plane::store::{StoreError, Typed};
use crate::control_plane::test_plane::{START, TestPlane};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// Gives a service its `owner` tag.
async fn own(test: &TestPlane, service: &str, owner: &str) {
    let (scope, arn, owner) = (test.scope.clone(), test.scope.arn(format!("service/{service}")), owner.to_owned());
    test.write(move |tx| {
        let tags = [("owner".to_owned(), owner.clone())].into();
        Ok(tx.add(&scope, &TagSet { arn: arn.clone(), tags, managed: [].into() })?)
    })
    .await
    .unwrap();
}

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
    own(&test, "shop", "payments").await;
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

/// The record's letters to sinks, as JSON.
async fn letters(test: &TestPlane) -> Vec<Value> {
    let pending = test.plane.store.read::<_, StoreError, _>(|tx| tx.all::<Pending>(&Scope::new("", "")));
    let pending = pending.await.unwrap();
    pending.iter().map(|letter| serde_json::to_value(&letter.value).unwrap()["event"].clone()).collect()
}

fn told_to_a_file(test: &mut TestPlane) {
    let kind = SinkKind::JsonLines { path: "events.jsonl".into() };
    let (name, source) = ("file".to_owned(), "aws.proton".to_owned());
    let sink = SinkConfig { name, form: Form::Aws, source, pattern: None, attempts: 1, kind };
    test.plane.events = Events::new(vec![sink], None);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_tells_each_owner_once_of_everything_that_is_theirs() {
    let mut test = deployed().await;
    told_to_a_file(&mut test);
    test.settled_instance("shop", "two", "dev").await;
    test.settled_instance("bank", "one", "dev").await;
    test.settled_instance("nobodys", "one", "dev").await;
    for (service, owner) in [("shop", "payments"), ("bank", "ledger")] {
        own(&test, service, owner).await;
    }
    let draft = |_: &mut Template, version: &mut TemplateVersion| version.status = TemplateVersionStatus::Draft;
    test.version_with(TemplateKind::Service, "web", (1, 1), "", |template, version| {
        draft(template, version);
        template.recommended = Some(Version { major: 1, minor: 0 });
    })
    .await;
    let publish = UpdateServiceTemplateVersionInput {
        template_name: "web".into(),
        major_version: "1".into(),
        minor_version: "1".into(),
        status: Some(TemplateVersionStatus::Published),
        description: None,
        compatible_environment_templates: None,
        supported_component_sources: None,
    };
    test.plane.update_service_template_version(&mut test.call(), publish).await.unwrap();
    let told = letters(&test).await;
    let told = told.iter().filter(|event| event["detail-type"] == "Hadron Upgrade Available");
    let mut told: Vec<_> =
        told.map(|event| (event["detail"]["owner"].to_string(), event["detail"]["count"].to_string())).collect();
    told.sort();
    let expected = [("\"ledger\"", "1"), ("\"payments\"", "2"), ("null", "1")];
    assert_eq!(told, expected.map(|(owner, count)| (owner.to_owned(), count.to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_sent_to_the_sink_that_is_named_and_to_no_other() {
    let mut test = deployed().await;
    told_to_a_file(&mut test);
    test.version(TemplateKind::Service, "web", (1, 1), "").await;
    let send = async |sink: &str| {
        let input = SendStaleReportInput { sink: sink.to_owned() };
        test.plane.send_stale_report(&mut test.call(), input).await
    };
    assert!(matches!(send("nowhere").await, Err(ProtonError::ResourceNotFound(why)) if why.contains("nowhere")));
    assert_eq!(send("file").await.unwrap().rows, 1);
    let told = letters(&test).await;
    let [event] = &told[..] else { panic!("{told:?}") };
    assert_eq!(event["detail-type"], "Hadron Stale Report");
    let words = event["detail"]["text"].as_str().unwrap();
    assert!(words.contains("service-instance shop/one: web 1.0 -> 1.1"), "{words}");
}
