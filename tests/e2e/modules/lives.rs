//! Each module's example lives: it is applied, has what its README promises, changes nothing when applied again, and leaves
//! nothing behind.

use serde_json::{Value, json};

use super::site::{Example, document, one};
use super::tasks;

#[test]
fn a_state_bucket_is_versioned_encrypted_and_closed() {
    let example = Example::of("state-bucket");
    let made = example.apply();
    let bucket = one(&made, "aws_s3_bucket", "this");
    assert_eq!(bucket["versioning"][0]["enabled"], true);
    let encryption = &bucket["server_side_encryption_configuration"][0]["rule"][0];
    assert_eq!(encryption["apply_server_side_encryption_by_default"][0]["sse_algorithm"], "AES256");
    let rules: Vec<_> = bucket["lifecycle_rule"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["prefix"].clone(), rule["noncurrent_version_expiration"][0]["days"].clone()))
        .collect();
    assert_eq!(rules.len(), 3);
    assert!(rules.contains(&(json!(""), json!(365))), "{rules:?}");
    assert!(rules.contains(&(json!("dev/terraform.tfstate.tflock"), json!(1))), "{rules:?}");
    let closed = one(&made, "aws_s3_bucket_public_access_block", "this");
    for door in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] {
        assert_eq!(closed[door], true, "{door}");
    }
    let refused = &document(&one(&made, "aws_s3_bucket_policy", "this")["policy"])["Statement"][0];
    assert_eq!((&refused["Effect"], &refused["Principal"]), (&json!("Deny"), &json!("*")));
    assert_eq!(refused["Condition"], json!({ "Bool": { "aws:SecureTransport": "false" } }));
    example.destroy();
}

#[test]
fn an_environments_role_is_taken_with_its_external_id_and_is_bounded() {
    let example = Example::of("environment-role");
    let made = example.apply();
    let role = one(&made, "aws_iam_role", "this");
    let trust = &document(&role["assume_role_policy"])["Statement"][0];
    assert_eq!(trust["Principal"], json!({ "AWS": ["arn:aws:iam::123456789012:role/hadron-agent-task"] }));
    assert_eq!(trust["Condition"], json!({ "StringEquals": { "sts:ExternalId": "dev-5f0c91d2" } }));
    assert_eq!(role["permissions_boundary"], "arn:aws:iam::123456789012:policy/dev-boundary");
    assert_eq!(role["max_session_duration"], 3600);
    example.destroy();
}

#[test]
fn pipelines_take_their_role_from_their_own_repository_alone() {
    let example = Example::of("ci-role");
    let made = example.apply();
    let trust =
        |of: &str| document(&one(&made, "aws_iam_role", &format!("{of}.aws_iam_role.this"))["assume_role_policy"]);
    let github = "token.actions.githubusercontent.com";
    let expected = |host: &str, subject: &str| {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": { "Federated": format!("arn:aws:iam::123456789012:oidc-provider/{host}") },
            "Condition": {
                "StringEquals": { format!("{host}:aud"): "sts.amazonaws.com" },
                "StringLike": { format!("{host}:sub"): [subject] },
            },
        }] })
    };
    assert_eq!(trust("plan"), expected(github, "repo:acme/infrastructure:pull_request"));
    assert_eq!(trust("apply"), expected(github, "repo:acme/infrastructure:ref:refs/heads/main"));
    let of_gitlab = "project_path:acme/infrastructure:ref_type:branch:ref:main";
    assert_eq!(trust("gitlab"), expected("gitlab.com", of_gitlab));
    let state = document(&one(&made, "aws_iam_role_policy", "plan.aws_iam_role_policy.state[0]")["policy"]);
    assert!(may_delete(&state).iter().all(|resource| resource != "arn:aws:s3:::acme-terraform-state/*"), "{state}");
    example.destroy();
}

/// What a policy lets be deleted.
fn may_delete(policy: &Value) -> Vec<String> {
    let list = |value: &Value| serde_json::from_value::<Vec<String>>(value.clone()).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let deleting = statements.filter(|it| list(&it["Action"]).iter().any(|action| action.contains("Delete")));
    deleting.flat_map(|it| list(&it["Resource"])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_has_no_way_in_and_takes_the_role_of_its_environment() {
    let (example, made) = tokio::task::spawn_blocking(|| {
        let example = Example::of("agent");
        let made = example.apply();
        (example, made)
    })
    .await
    .unwrap();
    let group = one(&made, "aws_security_group", "this");
    assert_eq!((&group["ingress"], group["egress"].as_array().unwrap().len()), (&json!([]), 1));
    assert_eq!(one(&made, "aws_cloudwatch_log_group", "this")["retention_in_days"], 90);
    let work = document(&one(&made, "aws_iam_role_policy", "aws_iam_role_policy.task")["policy"]);
    let statements = work["Statement"].as_array().unwrap();
    let allows =
        |action: &str| statements.iter().find(|it| it["Action"].as_array().unwrap().contains(&json!(action))).unwrap();
    let protection = allows("ecs:UpdateTaskProtection");
    assert_eq!(protection["Resource"], json!(["arn:aws:ecs:us-east-1:123456789012:task/hadron/*"]));
    let taken = allows("sts:AssumeRole");
    assert_eq!(taken["Resource"], json!(["arn:aws:iam::123456789012:role/hadron-dev"]));
    assert_eq!(taken["Condition"], json!({ "StringEquals": { "sts:ExternalId": "dev-5f0c91d2" } }));
    tasks::the_agents_task_is_one_that_hadron_knows(&example, &made).await;
    tokio::task::spawn_blocking(move || example.destroy()).await.unwrap();
}

#[test]
fn a_control_plane_is_reached_through_its_load_balancer_alone() {
    let example = Example::of("control-plane");
    let made = example.apply();
    let door = &one(&made, "aws_security_group", "control_plane.aws_security_group.this")["ingress"];
    let balancer = &one(&made, "aws_security_group", "load_balancer[0]")["id"];
    assert_eq!(door.as_array().unwrap().len(), 1);
    assert_eq!((&door[0]["security_groups"], &door[0]["cidr_blocks"]), (&json!([balancer]), &json!([])));
    assert_eq!(one(&made, "aws_lb", "this[0]")["internal"], true);
    assert_eq!(one(&made, "aws_lb_target_group", "this[0]")["health_check"][0]["path"], "/readyz");
    assert_eq!(one(&made, "aws_lb_listener", "https[0]")["protocol"], "HTTPS");
    tasks::the_servers_task_is_one_that_hadron_knows(&example, &made);
    example.destroy();
}
