//! Wrong inputs are refused by the variable that they were meant for, before anything is asked of AWS.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::site::Workplace;
use super::{MODULES, readme};

/// Nobody answers, so what is refused is refused by Terraform itself.
const NOWHERE: &str = r#"
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  max_retries                 = 1

  endpoints {
    sts = "http://127.0.0.1:1"
  }
}
"#;

/// A value that each validated variable must refuse.
fn wrong(module: &str) -> Value {
    let arn = "arn:aws:iam::123456789012:user/x";
    match module {
        "state-bucket" => json!({
            "name": "Acme.State", "kms_key_arn": "alias/state", "noncurrent_days": 3,
            "state_keys": ["dev/terraform.tfstate.tflock"], "tags": { "aws:x": "y" },
        }),
        "environment-role" => json!({
            "name": "a b", "path": "hadron", "trusted_role_arns": ["*"], "external_id": "dev", "policy_arns": ["ReadOnlyAccess"],
            "policies": { "deploy": "{}" }, "permissions_boundary": arn, "max_session_duration": 60, "tags": { "aws:x": "y" },
        }),
        "ci-role" => json!({
            "name": "a b", "service": "jenkins", "host": "https://gitlab.example.com", "subjects": ["repo:acme/*:pull_request"],
            "audience": "", "oidc_provider_arn": arn, "thumbprints": [], "policy_arns": ["x"], "policies": { "deploy": "x" },
            "state_bucket_arns": ["acme"], "state_kms_key_arns": ["alias/state"], "permissions_boundary": arn,
            "max_session_duration": 60, "tags": { "aws:x": "y" },
        }),
        "agent" => json!({
            "name": "1", "cluster_arn": "hadron", "vpc_id": "10.0.0.0/8", "subnet_ids": [], "image": "hadron:latest",
            "endpoint": "http://proton.example.com", "access_key_id_secret_arn": "AKIA", "secret_access_key_secret_arn": "hush",
            "secrets_kms_key_arns": ["x"], "environments": { "a b": { "role_arn": arn, "external_id": "x", "region": "Ireland",
            "gates": ["aproval"] } }, "desired_count": 0.5, "concurrency": 0, "cpu": 1000, "memory": 1, "stop_timeout": 600,
            "health_check_command": ["hadron"],
            "state_bucket_arn": "acme", "bucket_arn": "acme", "buckets_kms_key_arns": ["x"], "ca_bundle": "ca.pem",
            "settings_toml": "[environments.dev]", "environment": { "HADRON_SECRET_ACCESS_KEY": "hush" }, "user": "root",
            "permissions_boundary": arn, "log_retention_days": 2, "tags": { "aws:x": "y" },
        }),
        "control-plane" => json!({
            "name": "a_b", "cluster_arn": "hadron", "vpc_id": "10.0.0.0/8", "subnet_ids": [], "image": "hadron",
            "base_url": "proton.example.com", "database_url_secret_arn": "postgres://hadron@db/hadron", "keys_secret_arn": "{}",
            "master_kms_key_arn": "alias/hadron", "master_key_secret_arn": "x", "secrets_kms_key_arns": ["x"],
            "bucket_arn": "acme", "bucket_kms_key_arn": "x", "target_group_arn": "x", "load_balancer_security_group_id": "x",
            "certificate_arn": "proton.example.com", "load_balancer_subnet_ids": ["subnet-1"], "client_cidr_blocks": ["all"],
            "account": "acme", "state_backend": "local", "health_check_command": ["hadron"], "policies": { "a b": "" },
            "desired_count": -1, "cpu": 1000, "memory": 1, "ca_bundle": "ca.pem", "settings_toml": "[environments.dev]",
            "environment": { "AWS_SECRET_ACCESS_KEY": "hush" }, "user": "0:0", "permissions_boundary": arn,
            "log_retention_days": 2, "tags": { "aws:x": "y" },
        }),
        other => panic!("nothing is known to be wrong for {other}"),
    }
}

/// What a plan with these inputs is told by validations, each with the variable that says so.
fn refused(module: &str, inputs: &Value) -> Vec<(String, String)> {
    let place = Workplace::new(module);
    place.file("provider.tf", NOWHERE);
    place.file("wrong.auto.tfvars.json", &inputs.to_string());
    place.ok(&["init", "-input=false", "-no-color"]);
    let said = place.run(&["plan", "-json", "-input=false", "-refresh=false"]);
    assert_eq!(said.code, 1, "{module}: {}", said.out);
    let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let details = events.filter_map(|it| it["diagnostic"]["detail"].as_str().map(str::to_owned));
    let by_rule = |detail: String| {
        let (words, place) = detail.split_once("\n\nThis was checked by the validation rule at variables.tf:")?;
        let line = place.split(',').next()?.parse().ok()?;
        Some((readme::variable_at(module, line), words.to_owned()))
    };
    details.filter_map(by_rule).collect()
}

#[test]
fn every_wrong_input_is_refused_in_words_that_say_what_is_right() {
    std::thread::scope(|scope| {
        for module in MODULES {
            scope.spawn(move || {
                let inputs = wrong(module);
                let validated = readme::validated(module);
                let given: BTreeSet<_> = inputs.as_object().unwrap().keys().cloned().collect();
                assert_eq!(given, validated, "{module}: what is validated, and what is tried here");
                let refused = refused(module, &inputs);
                let refusing: BTreeSet<_> = refused.iter().map(|(name, _)| name.clone()).collect();
                assert_eq!(refusing, validated, "{module}: {refused:#?}");
                for (name, words) in &refused {
                    assert!(words.contains(" must ") || words.contains(" can be "), "{module}, {name}: {words}");
                }
            });
        }
    });
}
