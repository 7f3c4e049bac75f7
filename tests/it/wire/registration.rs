//! What the registrar makes of bundles.

use std::io::Write;

use aws_sdk_proton::Client;
use aws_sdk_proton::types::TemplateVersionStatus;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::bench::{Bench, Time};
use super::templates::{draft, source};

const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      template_language: terraform\n";

pub(super) fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    let mut encoder = archive.into_inner().unwrap();
    encoder.flush().unwrap();
    encoder.finish().unwrap()
}

fn schema(kind: &str, properties: &str) -> String {
    let properties: Vec<String> = properties.lines().map(|line| format!("        {line}\n")).collect();
    let properties = properties.concat();
    format!(
        "schema:\n  format:\n    openapi: \"3.0.0\"\n  {kind}_input_type: \"In\"\n  types:\n    In:\n      type: object\n      properties:\n{properties}"
    )
}

/// An environment bundle whose inputs are the given lines of properties.
pub(super) fn environment_bundle(properties: &str) -> Vec<u8> {
    tar_gz(&[
        ("schema/schema.yaml", &schema("environment", properties)),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", "resource \"terraform_data\" \"a\" {}\n"),
    ])
}

/// A service bundle without a pipeline.
pub(super) fn service_bundle() -> Vec<u8> {
    tar_gz(&[
        ("schema/schema.yaml", &schema("service", "a: { type: string }")),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/main.tf", "resource \"terraform_data\" \"a\" {}\n"),
    ])
}

/// Creates a version from an object and returns its status and message once it is registered.
async fn registered(client: &Client, key: &str, major: Option<&str>) -> (TemplateVersionStatus, String) {
    let create = client.create_environment_template_version().template_name("net").source(source(key));
    let created = create.set_major_version(major.map(str::to_owned)).send().await.unwrap();
    let version = created.environment_template_version.unwrap();
    loop {
        let get = client.get_environment_template_version().template_name("net");
        let get = get.major_version(version.major_version()).minor_version(version.minor_version());
        let now = get.send().await.unwrap().environment_template_version.unwrap();
        if now.status != TemplateVersionStatus::RegistrationInProgress {
            return (now.status, now.status_message.unwrap_or_default());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_sound_bundle_is_kept_under_its_digest_and_named_by_a_tag() {
    let bench = Bench::start(Time::Real).await;
    let archive = environment_bundle("a: { type: string }");
    bench.s3.put("sources/env.tar.gz", archive.clone());
    let client = bench.client().await;
    client.create_environment_template().name("net").send().await.unwrap();
    draft(&client, "net", None).await;
    let digest = hex::encode(Sha256::digest(&archive));
    let key = format!("hadron/bundles/sha256/{digest}");
    assert_eq!(bench.s3.get(&key).as_deref(), Some(archive.as_slice()));
    let arn = "arn:aws:proton:us-east-1:123456789012:environment-template/net:1.0";
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    let bundle = tags.tags().iter().find(|tag| tag.key() == "hadron:bundle").unwrap();
    assert_eq!(bundle.value(), format!("s3://{key}"));
}

#[tokio::test]
async fn what_is_wrong_with_a_bundle_stands_in_its_status_message() {
    let bench = Bench::start(Time::Real).await;
    bench.s3.put("sources/text", "no archive");
    bench.s3.put("sources/large", vec![0; (10 << 20) + 1]);
    bench
        .s3
        .put("sources/no-manifest", tar_gz(&[("schema/schema.yaml", &schema("environment", "a: { type: string }"))]));
    bench.s3.put("sources/odd-schema", environment_bundle("a: { type: strange }"));
    let client = bench.client().await;
    client.create_environment_template().name("net").send().await.unwrap();
    for (key, piece) in [
        ("missing", "s3://sources/missing doesn't exist"),
        ("text", ""),
        ("large", "larger than the 10485760 bytes"),
        ("no-manifest", "manifest.yaml"),
        ("odd-schema", "schema/schema.yaml:"),
    ] {
        let (status, message) = registered(&client, key, None).await;
        assert_eq!(status, TemplateVersionStatus::RegistrationFailed, "{key}");
        assert!(message.contains(piece) && !message.is_empty(), "{key}: {message}");
    }
}

#[tokio::test]
async fn a_minor_whose_schema_breaks_older_specs_fails() {
    let bench = Bench::start(Time::Real).await;
    bench.s3.put("sources/one", environment_bundle("a: { type: string }"));
    bench.s3.put("sources/two", environment_bundle("a: { type: string }\nb: { type: integer }"));
    bench.s3.put("sources/three", environment_bundle("a: { type: integer }"));
    let client = bench.client().await;
    client.create_environment_template().name("net").send().await.unwrap();
    assert_eq!(registered(&client, "one", None).await.0, TemplateVersionStatus::Draft);
    assert_eq!(registered(&client, "two", Some("1")).await.0, TemplateVersionStatus::Draft);
    let (status, message) = registered(&client, "three", Some("1")).await;
    assert_eq!(status, TemplateVersionStatus::RegistrationFailed);
    assert!(message.contains('a'), "{message}");
    assert_eq!(registered(&client, "three", None).await.0, TemplateVersionStatus::Draft, "a new major is free");
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_only_delays_a_registration() {
    let bench = Bench::start(Time::Real).await;
    bench.s3.put("sources/env.tar.gz", environment_bundle("a: { type: string }"));
    *bench.s3.store.down.lock().unwrap() = true;
    let client = bench.client().await;
    client.create_environment_template().name("net").send().await.unwrap();
    let store = bench.s3.store.clone();
    let back = tokio::spawn(async move {
        // Long enough for the client's own tries to fail once.
        while store.access_keys.lock().unwrap().len() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        *store.down.lock().unwrap() = false;
    });
    assert_eq!(registered(&client, "env.tar.gz", None).await.0, TemplateVersionStatus::Draft);
    back.await.unwrap();
}
