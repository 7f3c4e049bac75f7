//! A site's own policies.

use std::fs;
use std::path::PathBuf;

use hadron_model::hadron::Role;
use serde_json::json;

use super::super::{Authority, PolicyError, PolicySource};
use super::{asked, key};
use crate::control_plane::test_plane::TestPlane;

const NIGHT: &str = r#"
@id("only-from-the-office")
forbid (principal in Hadron::Role::"developer", action == Proton::Action::"DeleteService", resource)
unless { context has "aws:SourceIp" && context["aws:SourceIp"].isInRange(ip("10.0.0.0/8")) };

@id("readers-cancel-in-dev")
permit (
    principal in Hadron::Role::"read-only",
    action == Proton::Action::"CancelServiceInstanceDeployment",
    resource in Proton::Environment::"arn:aws:proton:us-east-1:123456789012:environment/dev"
)
when { context has "proton:ServiceTemplate" && context["proton:ServiceTemplate"] like "*:service-template/web" };
"#;

struct Site(tempfile::TempDir);

impl Site {
    fn of(text: &str) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.write(text);
        site
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("site.cedar")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    fn source(&self) -> PolicySource {
        PolicySource { site: Some(self.0.path().to_owned()), shipped: true }
    }
}

/// Line, message, remedy.
fn mistake(text: &str) -> String {
    let site = Site::of(text);
    let error = Authority::open(site.source()).unwrap_err();
    let remedy = error.remedy();
    format!("{error}\nhint: {remedy}").replace(&site.0.path().display().to_string(), "SITE")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_permits_and_forbids_beside_what_is_shipped() {
    let mut test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.settled_instance("pay", "api", "dev").await;
    let site = Site::of(NIGHT);
    test.plane.authority = Authority::open(site.source()).unwrap();
    let mut developer = key(&test, Role::Developer, &[], &[]);
    let refused = asked(&test, &developer, "DeleteService", json!({"name": "pay"})).await.unwrap();
    assert!(refused.ends_with("with an explicit deny in a policy: only-from-the-office"), "{refused}");
    developer.peer = Some("10.1.2.3".parse().unwrap());
    assert_eq!(asked(&test, &developer, "DeleteService", json!({"name": "pay"})).await, None);
    let reader = key(&test, Role::ReadOnly, &[], &[]);
    let cancel = |name: &str| json!({"serviceName": "pay", "serviceInstanceName": name});
    assert_eq!(asked(&test, &reader, "CancelServiceInstanceDeployment", cancel("api")).await, None);
    assert!(asked(&test, &reader, "CancelServiceInstanceDeployment", cancel("away")).await.is_some());
}

#[test]
fn a_mistake_is_told_with_its_file_and_line() {
    let role = r#"principal in Hadron::Role::"developer""#;
    let mistakes = [
        format!("permit (\n  {role},\n  action == Proton::Action::\"CreateServise\",\n  resource\n);"),
        format!(
            "permit ({role}, action == Proton::Action::\"GetService\", resource)\nwhen {{ resource.ownr == \"a\" }};"
        ),
        format!("permit ({role}, action, resource)\nwhen {{ true \n"),
        format!("@id(\"developer\")\npermit ({role}, action == Proton::Action::\"GetService\", resource);"),
        "permit (principal == ?principal, action, resource);".to_owned(),
    ];
    insta::assert_snapshot!(mistakes.map(|text| mistake(&text)).join("\n\n"));
}

#[test]
fn a_folder_without_policies_is_a_mistake_too() {
    let folder = tempfile::tempdir().unwrap();
    let source = |site: PathBuf| PolicySource { site: Some(site), shipped: true };
    assert!(matches!(Authority::open(source(folder.path().into())), Err(PolicyError::Empty { .. })));
    assert!(matches!(Authority::open(source(folder.path().join("away"))), Err(PolicyError::Read { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_at_once_and_a_mistake_changes_nothing() {
    let mut test = TestPlane::new().await;
    let site = Site::of("forbid (principal, action == Proton::Action::\"ListServices\", resource);");
    let authority = Authority::open(site.source()).unwrap();
    test.plane.authority = authority.clone();
    let call = key(&test, Role::Admin, &[], &[]);
    let mut seen = authority.source.read().map_err(|error| error.to_string());
    let lists = async || asked(&test, &call, "ListServices", json!({})).await;
    assert_eq!(lists().await.unwrap().split_once("with").unwrap().1, " an explicit deny in a policy: site.cedar#1");
    site.write("forbid (principal, action == Proton::Action::\"ListServices\", resource)");
    authority.look_again(&mut seen);
    assert!(lists().await.is_some(), "the old set stays");
    site.write("forbid (principal, action == Proton::Action::\"ListEnvironments\", resource);");
    authority.look_again(&mut seen);
    assert_eq!(lists().await, None);
    fs::remove_file(site.file()).unwrap();
    authority.look_again(&mut seen);
    assert!(
        asked(&test, &call, "ListEnvironments", json!({})).await.is_some(),
        "a file that is gone takes nothing away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_policies_can_be_left_out() {
    let mut test = TestPlane::new().await;
    let site = Site::of(
        "permit (principal in Hadron::Role::\"admin\", action == Proton::Action::\"ListServices\", resource);",
    );
    test.plane.authority = Authority::open(PolicySource { shipped: false, ..site.source() }).unwrap();
    let call = key(&test, Role::Admin, &[], &[]);
    assert_eq!(asked(&test, &call, "ListServices", json!({})).await, None);
    assert!(asked(&test, &call, "ListEnvironments", json!({})).await.is_some());
}
