//! The example templates by themselves, under plain Terraform.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::plain::{COMPONENT, Directory, ENVIRONMENT, Outputs, PIPELINE, SERVICE_INSTANCE};
use crate::support::examples;
use crate::support::moto::Moto;
use crate::support::process::command;
use crate::support::tools::Tools;

fn environment(outputs: &Outputs) -> Value {
    json!({ "account_id": "123456789012", "name": "dev", "outputs": outputs })
}

fn service(name: &str) -> Value {
    let connection = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc123";
    json!({ "name": name, "repository_connection_arn": connection, "repository_id": "acme/code", "branch_name": "main" })
}

fn tags(of: &str) -> Value {
    json!({ "proton:account": "123456789012", "proton:environment": format!("arn:aws:proton:us-east-1:123456789012:{of}") })
}

#[test]
fn every_example_is_formatted() {
    let mut terraform = command(Path::new("terraform"), &BTreeMap::new());
    let done = terraform.args(["fmt", "-check", "-diff", "-recursive"]).arg(examples()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

#[test]
fn the_offline_outputs_travel_from_environment_and_component_to_instance_and_pipeline() {
    let offline = examples().join("offline");
    let directory = |folder: &str, variables| Directory::new(&offline.join(folder), variables, BTreeMap::new());
    let apply = |folder, variables, inputs: Value| directory(folder, variables).apply(&inputs);

    let shared = apply(
        "environment/infrastructure",
        ENVIRONMENT,
        json!({
            "environment": { "name": "dev", "inputs": {
                "domain": "acme.example", "zones": ["north", "south"], "log_retention_days": 7, "debug": true } },
            "proton_tags": tags("environment/dev"),
        }),
    );
    assert_eq!(shared["BaseUrl"], "https://dev.acme.example");
    assert_eq!(shared["Zones"], r#"["dev-north","dev-south"]"#);

    let api = json!({ "port": 8080, "size": "small", "replicas": 1, "public": false, "features": [] });
    let web = json!({ "port": 8443, "size": "medium", "replicas": 2, "public": true, "features": ["search"] });
    let queue = apply(
        "component",
        COMPONENT,
        json!({
            "component": { "name": "jobs" }, "environment": environment(&shared),
            "service": { "name": "shop" }, "service_instance": { "name": "web", "inputs": web },
        }),
    );
    assert_eq!(queue["Receivers"], "2");
    let detached =
        apply("component", COMPONENT, json!({ "component": { "name": "jobs" }, "environment": environment(&shared) }));
    assert_eq!(detached["QueueUrl"], "https://dev.acme.example/queues/dev-jobs");

    let instance = |name: &str, inputs: &Value, components: Value| {
        apply(
            "service/instance_infrastructure",
            SERVICE_INSTANCE,
            json!({
                "environment": environment(&shared), "service": service("shop"),
                "service_instance": { "name": name, "inputs": inputs, "components": components },
                "proton_tags": tags("environment/dev"),
            }),
        )
    };
    let first = instance("api", &api, json!({}));
    let second = instance("web", &web, json!({ "default": { "name": "jobs", "outputs": queue } }));
    assert_eq!((first["QueueUrl"].as_str(), &second["QueueUrl"]), ("none", &queue["QueueUrl"]));
    assert_eq!(first["SecretFingerprint"], second["SecretFingerprint"]);
    assert_eq!(
        second["Welcome"],
        "Welcome to shop (web) at https://dev.acme.example:8443/shop-web, built from acme/code@main.\n\
         You can use: search.\nJobs wait in https://dev.acme.example/queues/shop-web-jobs."
    );

    let pipeline = apply(
        "service/pipeline_infrastructure",
        PIPELINE,
        json!({
            "pipeline": { "inputs": { "build_image": "b", "test_command": "t", "manual_approval": true } },
            "service": service("shop"),
            "service_instances": [
                { "name": "api", "inputs": api, "outputs": first, "environment": environment(&shared) },
                { "name": "web", "inputs": web, "outputs": second, "environment": environment(&shared) },
            ],
        }),
    );
    assert_eq!(pipeline["Summary"], "acme/code@main: source → build → deploy-api → approve-web → deploy-web");
    assert!(pipeline["Targets"].contains(&second["Url"]), "{pipeline:?}");
}

/// Terraform for one emulated AWS: its overlay, the provider's mirror, a region.
struct Site<'a> {
    tools: &'a Tools,
    moto: &'a Moto,
}

impl Site<'_> {
    fn directory(&self, folder: &str, variables: &str) -> Directory {
        let env = BTreeMap::from([
            ("TF_CLI_CONFIG_FILE".to_owned(), self.tools.terraform_rc().display().to_string()),
            ("AWS_REGION".to_owned(), "us-east-1".to_owned()),
        ]);
        let directory = Directory::new(&examples().join("aws").join(folder), variables, env);
        self.moto.write_overlay(directory.path());
        directory
    }
}

#[test]
fn the_aws_examples_build_on_each_other_and_leave_nothing_behind() {
    let tools = Tools::get();
    let moto = Moto::start(tools);
    let site = Site { tools, moto: &moto };
    assert_eq!(moto.inventory(tools), json!({}), "a new account is empty");

    let shared = site.directory("ecs-environment/infrastructure", ENVIRONMENT);
    let outputs = shared.apply(&json!({
        "environment": { "name": "dev", "inputs": {
            "vpc_cidr": "10.10.0.0/16", "container_insights": true, "log_retention_days": 7, "nat_gateway_count": 2 } },
        "proton_tags": tags("environment/dev"),
    }));
    assert_eq!(outputs["SharedLogGroupName"], "/proton/dev/services");
    assert_eq!(outputs["PrivateSubnetIds"].split(',').count(), 3);

    let settings = json!({ "task_cpu": 256, "task_memory": 512, "desired_count": 1, "container_port": 8080,
        "health_check_path": "/health" });
    let instance = site.directory("fargate-service/instance_infrastructure", SERVICE_INSTANCE);
    let given = |components: Value| {
        json!({
            "environment": environment(&outputs), "service": service("pay"), "proton_tags": tags("environment/dev"),
            "service_instance": { "name": "dev", "inputs": settings, "components": components },
        })
    };
    let first = instance.apply(&given(json!({})));

    let queue = site.directory("sqs-component", COMPONENT);
    let queue_outputs = queue.apply(&json!({
        "component": { "name": "q" }, "environment": environment(&outputs), "service": { "name": "pay" },
        "service_instance": { "name": "dev", "inputs": settings },
    }));
    let second = instance.apply(&given(json!({ "default": { "name": "q", "outputs": queue_outputs } })));
    assert_ne!(first["TaskDefinitionArn"], second["TaskDefinitionArn"], "the task learns of its queue");

    let stage = |name: &str| json!({ "name": name, "inputs": settings, "outputs": first, "environment": environment(&outputs) });
    let pipeline = site.directory("fargate-service/pipeline_infrastructure", PIPELINE);
    let of = |stages: Value| {
        json!({
            "pipeline": { "inputs": {
                "source_repo": "acme/code", "source_branch": "main", "buildspec_path": "buildspec.yml" } },
            "service": service("pay"), "service_instances": stages,
        })
    };
    pipeline.apply(&of(json!([stage("dev")])));
    let grown = pipeline.apply(&of(json!([stage("dev"), stage("prod")])));
    assert_eq!(grown["Stages"], r#"["Source","Build","Deploy-dev","Deploy-prod"]"#);

    let found = moto.inventory(tools);
    assert_eq!(found["container_insights"], json!(["dev-cluster enabled"]));
    assert_eq!(found["log_groups"], json!(["/proton/dev/services 7d"]));
    assert_eq!(found["nat_gateways"].as_array().unwrap().len(), 2);
    assert_eq!(found["services"], json!(["dev-cluster/pay-dev x1"]));
    assert_eq!(found["target_groups"], json!(["pay-dev /health"]));
    assert_eq!(found["queues"], json!(["pay-dev-jobs -> pay-dev-jobs-dlq", "pay-dev-jobs-dlq"]));
    assert_eq!(found["pipelines"], json!(["pay-pipeline: Source Build Deploy-dev Deploy-prod"]));
    assert_eq!(found["repositories"], json!(["pay"]));

    for directory in [&pipeline, &queue, &instance, &shared] {
        directory.destroy();
    }
    assert_eq!(moto.inventory(tools), json!({}), "everything is destroyed");
}

/// Renders the template with Jinja2 itself, and wraps it as Hadron's renderer would.
const RENDER: &str = r#"
import json, sys, jinja2
template, inputs = sys.argv[1:]
environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
print(environment.from_string(open(template).read()).render(environment={"name": "dev", "inputs": json.loads(inputs)}))
"#;

const STACK: &str = r#"
resource "aws_cloudformation_stack" "this" {
  name          = "dev"
  template_body = file("${path.module}/cloudformation.yaml")
  capabilities  = ["CAPABILITY_NAMED_IAM"]
}

output "outputs" {
  value = aws_cloudformation_stack.this.outputs
}
"#;

#[test]
fn the_cloudformation_twin_gives_the_same_outputs() {
    let tools = Tools::get();
    let moto = Moto::start(tools);
    let stack = Site { tools, moto: &moto }.directory("overlay-moto", "");
    let template = examples().join("aws/ecs-environment-cloudformation/infrastructure/cloudformation.yaml");
    let inputs = json!({ "vpc_cidr": "10.20.0.0/16", "container_insights": true, "log_retention_days": 90,
        "nat_gateway_count": 2 });
    let mut python = command(&tools.python(), &BTreeMap::new());
    let rendered = python.args(["-c", RENDER]).arg(template).arg(inputs.to_string()).output().unwrap();
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    // moto ignores the settings of a stack's cluster, so this one is looked for in the text.
    assert!(String::from_utf8_lossy(&rendered.stdout).contains("Value: \"enabled\""));
    fs::write(stack.path().join("cloudformation.yaml"), rendered.stdout).unwrap();
    fs::write(stack.path().join("stack.tf"), STACK).unwrap();

    let outputs = stack.apply(&json!({}));
    let outputs: Outputs = serde_json::from_str(&outputs["outputs"]).unwrap();
    let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
    let same = ["ECSClusterArn", "PrivateSubnetIds", "PublicSubnetIds", "SharedLogGroupName", "TaskExecutionRoleArn"];
    assert_eq!(names, [&same[..], &["VpcId"]].concat());
    let found = moto.inventory(tools);
    assert_eq!(found["clusters"], json!(["dev-cluster"]));
    assert_eq!(found["log_groups"], json!(["/proton/dev/services 90d"]));
    assert_eq!(found["nat_gateways"].as_array().unwrap().len(), 2);

    moto.drop_route_tables(tools);
    stack.destroy();
    let left = moto.inventory(tools);
    assert_eq!((left.get("stacks"), left.get("vpcs")), (None, None));
}
