//! The rules of templates that take more than the wire to reach.

use hadron_model::{
    CreateEnvironmentTemplateInput, CreateEnvironmentTemplateVersionInput, DeleteEnvironmentTemplateVersionInput,
    GetEnvironmentTemplateVersionInput, ListEnvironmentTemplateVersionsInput, ListTagsForResourceInput, Proton,
    S3ObjectSource, Tag, TemplateVersionSourceInput, TemplateVersionStatus, UpdateEnvironmentTemplateVersionInput,
};

use super::resolve_version;
use crate::control_plane::records::{Environment, Template, TemplateKind, TemplateVersion, Version};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::test_plane::TestPlane;
use crate::control_plane::wire::ProtonError;

const SCHEMA: &str = "schema: {}";

async fn delete(test: &TestPlane, major: &str, minor: &str) -> Result<(), ProtonError> {
    let input = DeleteEnvironmentTemplateVersionInput {
        template_name: "net".into(),
        major_version: major.into(),
        minor_version: minor.into(),
    };
    test.plane.delete_environment_template_version(&mut test.call(), input).await.map(drop)
}

#[tokio::test]
async fn a_version_that_something_is_deployed_with_stays() {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 0), SCHEMA).await;
    test.settled_environment("dev", &[]).await;
    let refused = delete(&test, "1", "0").await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Conflict(message) if message.contains("environment dev")), "{refused}");
}

#[tokio::test]
async fn a_version_that_something_is_being_deployed_with_stays() {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 0), SCHEMA).await;
    test.environment("dev").await;
    // As during an update: the environment still shows the version it comes from.
    let scope = test.scope.clone();
    let to_old = move |tx: &mut dyn Transaction| {
        let mut environment = tx.get::<Environment>(&scope, "dev")?.unwrap();
        environment.template.version = Version { major: 0, minor: 9 };
        Ok(tx.save(&scope, &mut environment)?)
    };
    test.write(to_old).await.unwrap();
    let refused = delete(&test, "1", "0").await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Conflict(message) if message.contains("environment dev")), "{refused}");
}

#[tokio::test]
async fn while_nothing_is_published_the_first_minor_that_is_left_is_recommended() {
    let test = TestPlane::new().await;
    for minor in 0..3 {
        test.version_with(TemplateKind::Environment, "net", (1, minor), SCHEMA, |template, version| {
            template.recommended = None;
            version.status = TemplateVersionStatus::Draft;
        })
        .await;
    }
    delete(&test, "1", "0").await.unwrap();
    let (template_name, major_version) = ("net".to_owned(), "1".to_owned());
    let input = GetEnvironmentTemplateVersionInput {
        template_name: template_name.clone(),
        major_version: major_version.clone(),
        minor_version: "2".into(),
    };
    let got = test.plane.get_environment_template_version(&mut test.call(), input).await.unwrap();
    assert_eq!(got.environment_template_version.recommended_minor_version.as_deref(), Some("1"));
    for major_version in [None, Some(major_version)] {
        let input = ListEnvironmentTemplateVersionsInput {
            template_name: template_name.clone(),
            major_version,
            max_results: None,
            next_token: None,
        };
        let listed = test.plane.list_environment_template_versions(&mut test.call(), input).await.unwrap();
        let rows = listed.template_versions;
        assert!(!rows.is_empty() && rows.iter().all(|it| it.recommended_minor_version.as_deref() == Some("1")));
    }
}

#[tokio::test]
async fn an_account_has_a_thousand_templates_at_most() {
    let test = TestPlane::new().await;
    let (scope, now) = (test.scope.clone(), test.plane.clock.now());
    let fill = move |tx: &mut dyn Transaction| {
        for index in 0..1000 {
            let template = Template {
                kind: TemplateKind::Service,
                name: format!("t{index}"),
                created_at: now,
                last_modified_at: now,
                description: None,
                display_name: None,
                encryption_key: None,
                customer_managed: false,
                recommended: None,
            };
            tx.add(&scope, &template)?;
        }
        Ok(())
    };
    test.write(fill).await.unwrap();
    let input = CreateEnvironmentTemplateInput { name: "one-more".into(), ..empty() };
    let refused = test.plane.create_environment_template(&mut test.call(), input).await.unwrap_err();
    assert!(matches!(refused, ProtonError::ServiceQuotaExceeded(_)), "{refused}");
}

fn empty() -> CreateEnvironmentTemplateInput {
    CreateEnvironmentTemplateInput {
        name: String::new(),
        description: None,
        display_name: None,
        encryption_key: None,
        provisioning: None,
        tags: None,
    }
}

fn version(client_token: Option<&str>) -> CreateEnvironmentTemplateVersionInput {
    CreateEnvironmentTemplateVersionInput {
        template_name: "net".into(),
        client_token: client_token.map(str::to_owned),
        description: None,
        major_version: None,
        source: TemplateVersionSourceInput::S3(S3ObjectSource { bucket: "b".into(), key: "k".into() }),
        tags: Some(vec![Tag { key: "own".into(), value: "2".into() }, Tag { key: "both".into(), value: "2".into() }]),
    }
}

#[tokio::test]
async fn a_version_takes_over_its_templates_tags_under_its_own() {
    let test = TestPlane::new().await;
    let tags = ["both", "parent"].map(|key| Tag { key: key.into(), value: "1".into() });
    let input = CreateEnvironmentTemplateInput { name: "net".into(), tags: Some(tags.to_vec()), ..empty() };
    test.plane.create_environment_template(&mut test.call(), input).await.unwrap();
    let created = test.plane.create_environment_template_version(&mut test.call(), version(None)).await.unwrap();
    let resource_arn = created.environment_template_version.arn;
    let input = ListTagsForResourceInput { resource_arn, max_results: None, next_token: None };
    let tags = test.plane.list_tags_for_resource(&mut test.call(), input).await.unwrap().tags;
    let shown: Vec<String> = tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    aws:proton:account=123456789012
    aws:proton:template=arn:aws:proton:us-east-1:123456789012:environment-template/net
    both=2
    own=2
    parent=1
    ");
}

#[tokio::test]
async fn a_client_token_is_forgotten_after_a_day() {
    let test = TestPlane::new().await;
    let input = CreateEnvironmentTemplateInput { name: "net".into(), ..empty() };
    test.plane.create_environment_template(&mut test.call(), input).await.unwrap();
    let create = async |token| {
        let created = test.plane.create_environment_template_version(&mut test.call(), version(Some(token))).await;
        created.unwrap().environment_template_version.major_version
    };
    assert_eq!(create("a").await, "1");
    assert_eq!(create("a").await, "1");
    assert_eq!(create("b").await, "2");
    test.advance(24 * 60 * 60 * 1000);
    assert_eq!(create("a").await, "3");
}

#[tokio::test]
async fn publishing_tells_the_histories_of_version_and_template() {
    let test = TestPlane::new().await;
    let input = CreateEnvironmentTemplateInput { name: "net".into(), ..empty() };
    test.plane.create_environment_template(&mut test.call(), input).await.unwrap();
    test.plane.create_environment_template_version(&mut test.call(), version(None)).await.unwrap();
    let scope = test.scope.clone();
    let register = move |tx: &mut dyn Transaction| {
        let mut version = tx.get::<TemplateVersion>(&scope, "environment-template/net:1.0")?.unwrap();
        version.status = TemplateVersionStatus::Draft;
        Ok(tx.save(&scope, &mut version)?)
    };
    test.write(register).await.unwrap();
    let input = UpdateEnvironmentTemplateVersionInput {
        template_name: "net".into(),
        major_version: "1".into(),
        minor_version: "0".into(),
        description: None,
        status: Some(TemplateVersionStatus::Published),
    };
    test.plane.update_environment_template_version(&mut test.call(), input).await.unwrap();
    let mut told = Vec::new();
    for resource in ["environment-template/net", "environment-template/net:1.0"] {
        let (scope, arn) = (test.scope.clone(), test.scope.arn(resource));
        let changes = test.write(move |tx| Ok(tx.changes(&scope, &arn, 0, 10)?)).await.unwrap();
        told.extend(changes.into_iter().map(|c| format!("{:?} → {} {}", c.previous, c.status, c.detail)));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    None → DRAFT {"name":"net"}
    Some("DRAFT") → PUBLISHED {"name":"net"}
    None → REGISTRATION_IN_PROGRESS {"name":"net","majorVersion":"1","minorVersion":"0"}
    Some("DRAFT") → PUBLISHED {"name":"net","majorVersion":"1","minorVersion":"0"}
    "#);
}

#[tokio::test]
async fn a_deployment_gets_the_version_it_means() {
    let test = TestPlane::new().await;
    let kind = TemplateKind::Environment;
    for (number, status) in [
        ((1, 0), TemplateVersionStatus::Published),
        ((1, 1), TemplateVersionStatus::Published),
        ((1, 2), TemplateVersionStatus::Draft),
        ((1, 3), TemplateVersionStatus::RegistrationFailed),
        ((1, 4), TemplateVersionStatus::RegistrationInProgress),
        ((2, 0), TemplateVersionStatus::Draft),
    ] {
        test.version_with(kind, "net", number, SCHEMA, |_, version| {
            version.status = status;
            version.status_message = "no schema".into();
        })
        .await;
    }
    let mut lines = Vec::new();
    for (template, major, minor) in [
        ("net", None, None),
        ("net", Some("1"), None),
        ("net", Some("1"), Some("0")),
        ("net", Some("1"), Some("2")),
        ("net", Some("1"), Some("3")),
        ("net", Some("1"), Some("4")),
        ("net", Some("1"), Some("5")),
        ("net", Some("2"), None),
        ("net", Some("3"), None),
        ("net", None, Some("0")),
        ("net", Some("99999999999999999999"), Some("0")),
        ("none", None, None),
    ] {
        let scope = test.scope.clone();
        let resolve = move |tx: &mut dyn Transaction| {
            resolve_version(tx, &scope, kind, template, major, minor).map(|stored| stored.value.version)
        };
        let outcome = match test.write(resolve).await {
            Ok(version) => version.to_string(),
            Err(ProtonError::Conflict(message)) => format!("conflict: {message}"),
            Err(ProtonError::ResourceNotFound(message)) => format!("not found: {message}"),
            Err(other) => format!("{other:?}"),
        };
        lines.push(format!("{template} {} {} → {outcome}", major.unwrap_or("-"), minor.unwrap_or("-")));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    net - - → 1.1
    net 1 - → 1.1
    net 1 0 → 1.0
    net 1 2 → 1.2
    net 1 3 → conflict: Version 1.3 of environment template net failed its registration and can't be deployed: no schema
    net 1 4 → conflict: Version 1.4 of environment template net is still being registered
    net 1 5 → not found: Version 1.5 of environment template net doesn't exist
    net 2 - → conflict: Version 2 of environment template net has nothing published. Set the status of a version to PUBLISHED, or name its minor version to use a draft
    net 3 - → not found: Version 3 of environment template net doesn't exist
    net - 0 → Validation("A template minor version needs a template major version")
    net 99999999999999999999 0 → not found: Version 99999999999999999999.0 of environment template net doesn't exist
    none - - → not found: Environment template none doesn't exist
    "#);
}
