//! Tags, account settings and the summary, told by AWS's own client.

use aws_sdk_proton::error::ProvideErrorMetadata;
use aws_sdk_proton::types::{RepositoryBranchInput, RepositoryProvider, Tag};

use super::bench::{Bench, Time};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn tags(client: &aws_sdk_proton::Client, arn: &str) -> Vec<String> {
    let pages = client.list_tags_for_resource().resource_arn(arn).max_results(2).into_paginator().items().send();
    pages.try_collect().await.unwrap().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect()
}

#[tokio::test]
async fn tags_are_set_changed_removed_and_managed_ones_only_read() {
    let bench = Bench::start(Time::Real).await;
    let client = bench.client().await;
    let create = client.create_environment_template().name("net").tags(tag("team", "a")).tags(tag("b", ""));
    let arn = create.send().await.unwrap().environment_template.unwrap().arn;
    let account = "aws:proton:account=123456789012";
    assert_eq!(tags(&client, &arn).await, [account, "b=", "team=a"]);
    client.tag_resource().resource_arn(&arn).tags(tag("team", "x")).tags(tag("zone", "1")).send().await.unwrap();
    client.untag_resource().resource_arn(&arn).tag_keys("b").tag_keys("never").send().await.unwrap();
    assert_eq!(tags(&client, &arn).await, [account, "team=x", "zone=1"]);

    for key in ["aws:x", "AWS:x", "hadron:bundle"] {
        let refused = client.tag_resource().resource_arn(&arn).tags(tag(key, "1")).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("ValidationException"), "{key}");
        let refused = client.untag_resource().resource_arn(&arn).tag_keys(key).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("ValidationException"), "{key}");
        let refused = client.create_service_template().name("web").tags(tag(key, "1")).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("ValidationException"), "{key}");
    }
    let many = (0..49).map(|index| tag(&format!("k{index}"), "v")).collect();
    let many = client.tag_resource().resource_arn(&arn).set_tags(Some(many)).send().await.unwrap_err();
    assert_eq!(many.code(), Some("ValidationException"));
    let twice = client.tag_resource().resource_arn(&arn).tags(tag("t", "1")).tags(tag("t", "2")).send().await;
    assert_eq!(twice.unwrap_err().code(), Some("ValidationException"));

    client.delete_environment_template().name("net").send().await.unwrap();
    for unknown in [arn.as_str(), "arn:aws:proton:us-east-1:123456789012:deployment/none"] {
        let error = client.list_tags_for_resource().resource_arn(unknown).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ResourceNotFoundException"), "{unknown}");
    }
}

#[tokio::test]
async fn account_settings_are_kept_and_cleared() {
    let bench = Bench::start(Time::Real).await;
    let client = bench.client().await;
    let role = "arn:aws:iam::123456789012:role/pipeline";
    let repository = || {
        let branch = RepositoryBranchInput::builder().branch("main").name("o/r").provider(RepositoryProvider::Github);
        branch.build().unwrap()
    };
    let update = client.update_account_settings().pipeline_service_role_arn(role);
    update.pipeline_provisioning_repository(repository()).send().await.unwrap();
    let settings = async || client.get_account_settings().send().await.unwrap().account_settings.unwrap();
    let kept = settings().await;
    assert_eq!(kept.pipeline_service_role_arn(), Some(role));
    let arn = kept.pipeline_provisioning_repository().unwrap().arn();
    assert_eq!(arn, "arn:aws:proton:us-east-1:123456789012:repository/github:o/r");
    let both = client.update_account_settings().delete_pipeline_provisioning_repository(true);
    let both = both.pipeline_provisioning_repository(repository()).send().await.unwrap_err();
    assert_eq!(both.code(), Some("ValidationException"));
    let clear = client.update_account_settings().pipeline_service_role_arn("");
    clear.delete_pipeline_provisioning_repository(true).send().await.unwrap();
    let cleared = settings().await;
    assert!(cleared.pipeline_service_role_arn().is_none() && cleared.pipeline_provisioning_repository().is_none());
}

#[tokio::test]
async fn the_summary_counts_templates() {
    let bench = Bench::start(Time::Real).await;
    let client = bench.client().await;
    client.create_environment_template().name("a").send().await.unwrap();
    client.create_environment_template().name("b").send().await.unwrap();
    client.create_service_template().name("a").send().await.unwrap();
    let counts = client.get_resources_summary().send().await.unwrap().counts.unwrap();
    assert_eq!(counts.environment_templates().unwrap().total(), 2);
    assert_eq!(counts.service_templates().unwrap().total(), 1);
    let environments = counts.environments().unwrap();
    assert_eq!((environments.total(), environments.behind_major(), environments.failed()), (0, Some(0), Some(0)));
}
