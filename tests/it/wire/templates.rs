//! The life of templates and their versions, told by AWS's own client.

use aws_sdk_proton::Client;
use aws_sdk_proton::client::Waiters;
use aws_sdk_proton::error::ProvideErrorMetadata;
use aws_sdk_proton::types::{CompatibleEnvironmentTemplateInput, S3ObjectSource, TemplateVersionSourceInput};
use aws_sdk_proton::types::{Provisioning, TemplateVersionStatus};

use super::bench::{Bench, REGION, Time};
use super::registration::{environment_bundle, service_bundle};

pub(super) fn source(key: &str) -> TemplateVersionSourceInput {
    TemplateVersionSourceInput::S3(S3ObjectSource::builder().bucket("sources").key(key).build().unwrap())
}

/// Creates a version from the object `env.tar.gz` and waits until it is a draft.
pub(super) async fn draft(client: &Client, template: &str, major: Option<&str>) -> (String, String) {
    let create = client.create_environment_template_version().template_name(template).source(source("env.tar.gz"));
    let created = create.set_major_version(major.map(str::to_owned)).send().await.unwrap();
    let version = created.environment_template_version().unwrap();
    assert_eq!(version.status(), &TemplateVersionStatus::RegistrationInProgress);
    let (major, minor) = (version.major_version().to_owned(), version.minor_version().to_owned());
    client
        .wait_until_environment_template_version_registered()
        .template_name(template)
        .major_version(&major)
        .minor_version(&minor)
        .wait(std::time::Duration::from_secs(30))
        .await
        .unwrap();
    (major, minor)
}

pub(super) async fn publish(client: &Client, template: &str, major: &str, minor: &str) {
    let update = client.update_environment_template_version().template_name(template);
    let update = update.major_version(major).minor_version(minor).status(TemplateVersionStatus::Published);
    update.send().await.unwrap();
}

#[tokio::test]
async fn an_environment_template_lives_from_create_to_delete() {
    let bench = Bench::start(Time::Real).await;
    bench.s3.put("sources/env.tar.gz", environment_bundle("a: { type: string }"));
    let client = bench.client().await;
    let created = client.create_environment_template().name("net").description("d").send().await.unwrap();
    let template = created.environment_template().unwrap();
    assert_eq!(template.arn(), "arn:aws:proton:us-east-1:123456789012:environment-template/net");
    assert_eq!(template.display_name(), Some("net"));
    let again = client.create_environment_template().name("net").send().await.unwrap_err().into_service_error();
    assert!(again.is_conflict_exception() && again.message().unwrap().contains("already exists"), "{again:?}");

    assert_eq!(draft(&client, "net", None).await, ("1".into(), "0".into()));
    publish(&client, "net", "1", "0").await;
    assert_eq!(draft(&client, "net", Some("1")).await, ("1".into(), "1".into()));
    assert_eq!(draft(&client, "net", Some("2")).await, ("2".into(), "0".into()));
    let get = client.get_environment_template_version().template_name("net").major_version("1").minor_version("0");
    let version = get.send().await.unwrap().environment_template_version.unwrap();
    assert!(version.schema().unwrap().contains("environment_input_type"));
    assert_eq!((version.status_message(), version.recommended_minor_version()), (Some(""), Some("0")));
    let recommended = async || {
        let got = client.get_environment_template().name("net").send().await.unwrap();
        got.environment_template.unwrap().recommended_version
    };
    assert_eq!(recommended().await.as_deref(), Some("1.0"));
    publish(&client, "net", "2", "0").await;
    publish(&client, "net", "1", "1").await;
    assert_eq!(recommended().await.as_deref(), Some("2.0"));

    let majors = client.list_environment_template_versions().template_name("net").send().await.unwrap();
    let shown = |v: &aws_sdk_proton::types::EnvironmentTemplateVersionSummary| {
        format!("{}.{}", v.major_version(), v.minor_version())
    };
    assert_eq!(majors.template_versions().iter().map(shown).collect::<Vec<_>>(), ["1.1", "2.0"]);
    let minors = client.list_environment_template_versions().template_name("net").major_version("1").send().await;
    assert_eq!(minors.unwrap().template_versions().iter().map(shown).collect::<Vec<_>>(), ["1.0", "1.1"]);

    let delete = async |major: &str, minor: &str| {
        let delete = client.delete_environment_template_version().template_name("net");
        let deleted = delete.major_version(major).minor_version(minor).send().await;
        deleted.map(drop).map_err(|error| error.into_service_error().code().unwrap_or_default().to_owned())
    };
    let conflict = Err("ConflictException".to_owned());
    assert_eq!(delete("1", "1").await, conflict, "the recommended minor while another is there");
    assert_eq!(delete("2", "0").await, conflict, "the recommended major while another is there");
    let template = client.delete_environment_template().name("net").send().await.unwrap_err().into_service_error();
    assert!(template.is_conflict_exception(), "{template:?}");
    for (major, minor) in [("1", "0"), ("1", "1"), ("2", "0")] {
        assert_eq!(delete(major, minor).await, Ok(()), "{major}.{minor}");
    }
    assert_eq!(recommended().await, None);
    client.delete_environment_template().name("net").send().await.unwrap();
    let gone = client.get_environment_template().name("net").send().await.unwrap_err().into_service_error();
    assert!(gone.is_resource_not_found_exception());
}

#[tokio::test]
async fn a_service_template_needs_environment_templates_that_exist() {
    let bench = Bench::start(Time::Real).await;
    bench.s3.put("sources/env.tar.gz", environment_bundle("a: { type: string }"));
    bench.s3.put("sources/svc.tar.gz", service_bundle());
    let client = bench.client().await;
    client.create_environment_template().name("net").send().await.unwrap();
    let create = client.create_service_template().name("web").pipeline_provisioning(Provisioning::CustomerManaged);
    let created = create.send().await.unwrap().service_template.unwrap();
    assert_eq!(created.pipeline_provisioning(), Some(&Provisioning::CustomerManaged));
    let version = || {
        let compatible = CompatibleEnvironmentTemplateInput::builder().template_name("net").major_version("1").build();
        let create = client.create_service_template_version().template_name("web").source(source("svc.tar.gz"));
        create.compatible_environment_templates(compatible.unwrap()).client_token("once").send()
    };
    let missing = version().await.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception() && missing.message().unwrap().contains("net"), "{missing:?}");
    draft(&client, "net", None).await;
    let first = version().await.unwrap().service_template_version.unwrap();
    let repeat = version().await.unwrap().service_template_version.unwrap();
    assert_eq!(first.arn(), repeat.arn(), "the same client token finds the same version");
    assert_eq!(first.compatible_environment_templates()[0].template_name(), "net");
    client
        .wait_until_service_template_version_registered()
        .template_name("web")
        .major_version("1")
        .minor_version("0")
        .wait(std::time::Duration::from_secs(30))
        .await
        .unwrap();
    let other =
        client.create_service_template_version().template_name("web").source(source("other")).client_token("once");
    let compatible = CompatibleEnvironmentTemplateInput::builder().template_name("net").major_version("1").build();
    let other = other.compatible_environment_templates(compatible.unwrap()).send().await;
    let other = other.unwrap_err().into_service_error();
    assert_eq!((other.code(), other.message()), (Some("ValidationException"), Some("Idempotent parameter mismatch")));
}

#[tokio::test]
async fn only_a_draft_can_be_published_and_never_taken_back() {
    let bench = Bench::start(Time::Real).await;
    bench.s3.put("sources/env.tar.gz", environment_bundle("a: { type: string }"));
    let client = bench.client().await;
    client.create_environment_template().name("net").send().await.unwrap();
    let create = client.create_environment_template_version().template_name("net").source(source("nothing.tar.gz"));
    create.send().await.unwrap();
    let set = async |minor: &str, status: TemplateVersionStatus| {
        let update = client.update_environment_template_version().template_name("net").major_version("1");
        let error = update.minor_version(minor).status(status).send().await.err()?.into_service_error();
        error.code().map(str::to_owned)
    };
    assert_eq!(set("0", TemplateVersionStatus::Published).await.as_deref(), Some("ConflictException"));
    draft(&client, "net", Some("1")).await;
    assert_eq!(set("1", TemplateVersionStatus::RegistrationFailed).await.as_deref(), Some("ValidationException"));
    assert_eq!(set("1", TemplateVersionStatus::Published).await, None);
    assert_eq!(set("1", TemplateVersionStatus::Published).await, None, "a repeat changes nothing");
    assert_eq!(set("1", TemplateVersionStatus::Draft).await.as_deref(), Some("ValidationException"));
    let create = client.create_environment_template_version().template_name("net").source(source("env.tar.gz"));
    let far = create.major_version("7").send().await.unwrap_err().into_service_error();
    assert!(far.is_resource_not_found_exception(), "{far:?}");
}

#[tokio::test]
async fn sixteen_who_create_the_same_template_have_one_winner() {
    let bench = Bench::start(Time::Real).await;
    let client = bench.client().await;
    let attempts = (0..16).map(|_| client.create_environment_template().name("net").send());
    let outcomes = futures::future::join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(error.into_service_error().is_conflict_exception());
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_a_token_is_good_for_its_own_list_only() {
    let bench = Bench::start(Time::Real).await;
    bench.add_key("AKIAOTHER", "other", "210987654321").await;
    let client = bench.client().await;
    let mut expected: Vec<String> = (0..7).map(|index| format!("t{index}")).collect();
    for name in &expected {
        client.create_environment_template().name(name).send().await.unwrap();
    }
    let pages = client.list_environment_templates().max_results(3).into_paginator().items().send();
    let found: Vec<String> = pages.try_collect().await.unwrap().into_iter().map(|template| template.name).collect();
    expected.sort();
    assert_eq!(found, expected);

    let first = client.list_environment_templates().max_results(3).send().await.unwrap();
    let token = first.next_token().unwrap().to_owned();
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)), "{token}");
    let mut spoilt = token.clone();
    spoilt.replace_range(10..11, if &token[10..11] == "A" { "B" } else { "A" });
    let other = bench.client_of("AKIAOTHER", "other", REGION).await;
    let elsewhere = bench.client_of("AKIAADMIN", "secret", "eu-west-1").await;
    let codes = [
        client.list_environment_templates().next_token(spoilt).send().await.unwrap_err().code().map(str::to_owned),
        client.list_service_templates().next_token(&token).send().await.unwrap_err().code().map(str::to_owned),
        other.list_environment_templates().next_token(&token).send().await.unwrap_err().code().map(str::to_owned),
        elsewhere.list_environment_templates().next_token(&token).send().await.unwrap_err().code().map(str::to_owned),
    ];
    assert!(codes.iter().all(|code| code.as_deref() == Some("ValidationException")), "{codes:?}");
    assert_eq!(client.list_environment_templates().next_token(token).send().await.unwrap().templates().len(), 4);
}

#[tokio::test]
async fn accounts_and_regions_do_not_see_each_other() {
    let bench = Bench::start(Time::Real).await;
    bench.add_key("AKIAOTHER", "other", "210987654321").await;
    bench.client().await.create_service_template().name("web").send().await.unwrap();
    for (key, secret, region) in [("AKIAOTHER", "other", REGION), ("AKIAADMIN", "secret", "eu-west-1")] {
        let client = bench.client_of(key, secret, region).await;
        let missing = client.get_service_template().name("web").send().await.unwrap_err().into_service_error();
        assert!(missing.is_resource_not_found_exception());
        assert!(client.list_service_templates().send().await.unwrap().templates().is_empty());
    }
}
