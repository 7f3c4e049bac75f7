//! A team's own two repositories: two environments, a service with three instances at three versions, its pipeline in the
//! account's pipeline repository, components attached and free, and what was deleted.

use std::path::Path;

use hadron::domain::{Files, Scope, Target};
use hadron::estate::Tree;
use serde_json::{Value, json};

use super::writer::{Deployed, Time};

/// The repositories `infrastructure` and `pipelines`.
pub(crate) fn team() -> Vec<Tree> {
    let config = json!({
        "dev": { "role": "arn:aws:iam::123456789012:role/dev", "region": "us-east-1", "state_bucket": "acme-dev-state" },
        "*": { "role": "arn:aws:iam::123456789012:role/deploy", "region": "us-east-1", "state_bucket": "acme-state" },
        "pipeline": { "role": "arn:aws:iam::123456789012:role/ci", "region": "us-east-1", "state_bucket": "acme-ci-state" },
    });
    let mut infrastructure = tree("infrastructure", &config);
    let mut pipelines = tree("pipelines", &config);
    for deployed in everything() {
        let tree = match deployed.target {
            Target::ServicePipeline { .. } => &mut pipelines,
            _ => &mut infrastructure,
        };
        let folder = deployed.folder();
        tree.files.extend(deployed.files().into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)));
    }
    vec![infrastructure, pipelines]
}

/// Lays a tree out on disk.
pub(crate) fn write(tree: &Tree, folder: &Path) {
    for (path, bytes) in &tree.files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn tree(name: &str, config: &Value) -> Tree {
    let files = Files::from([
        ("README.md".to_owned(), b"What Proton provisions.\n".to_vec()),
        ("env_config.json".to_owned(), serde_json::to_vec_pretty(config).unwrap()),
        (".github/workflows/proton_run.yml".to_owned(), b"name: proton\n".to_vec()),
    ]);
    Tree { name: name.to_owned(), files, skipped: Vec::new() }
}

fn deployed(time: Time, target: Target, values: Value, main: &str) -> Deployed {
    // Every deployment has an id of its own, and the same one whenever the sample is made.
    let digest: u128 = target.resource().bytes().fold(0xa149_878a, |id, byte| id.wrapping_mul(257) + u128::from(byte));
    let hex = format!("{digest:032x}");
    let deployment_id = format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]);
    Deployed {
        time,
        scope: Scope::new("123456789012", "us-east-1"),
        target,
        version: None,
        deployment_id,
        deleted: false,
        environment: None,
        attached: None,
        values,
        code: Files::from([("main.tf".to_owned(), main.as_bytes().to_vec())]),
    }
}

const VPC: &str = r#"terraform {
  backend "s3" {}
}

resource "terraform_data" "vpc" {
  input = { cidr = var.environment.inputs.vpc_cidr, name = var.environment.name }
}

output "VpcId" {
  value = "vpc-${terraform_data.vpc.id}"
}
"#;

const FARGATE: &str = r#"terraform {
  backend "s3" {}
}

resource "terraform_data" "task" {
  input = { port = var.service_instance.inputs.port, vpc = var.environment.outputs.VpcId }
}

output "Url" {
  value = "https://${var.service_instance.name}.example:${terraform_data.task.output.port}"
}
"#;

const PIPELINE: &str = r#"terraform {
  backend "s3" {}
}

resource "terraform_data" "stages" {
  input = [for instance in var.service_instances : instance.outputs.Url]
}
"#;

const QUEUE: &str = r#"resource "terraform_data" "queue" {
  input = "${var.environment.outputs.VpcId}/${var.component.name}"
}

output "QueueUrl" {
  value = terraform_data.queue.output
}
"#;

fn environment(time: Time, name: &str, minor: u32, cidr: &str) -> Deployed {
    let values = json!({ "environment": { "name": name, "inputs": { "vpc_cidr": cidr, "nat": minor > 0 } } });
    let target = Target::Environment { name: name.to_owned() };
    let code = VPC.replace("name = var", if minor > 0 { "label = var" } else { "name = var" });
    Deployed { version: Some(("vpc".to_owned(), 1, minor)), ..deployed(time, target, values, &code) }
}

fn seen(environment: &str) -> Value {
    json!({ "account_id": "123456789012", "name": environment, "outputs": { "VpcId": format!("vpc-{environment}") } })
}

fn service() -> Value {
    json!({
        "name": "pay",
        "repository_connection_arn": "arn:aws:codestar-connections:us-east-1:123456789012:connection/4dde5c82",
        "repository_id": "acme/pay",
        "branch_name": "main",
    })
}

fn instance(time: Time, name: &str, environment: &str, minor: u32, inputs: &Value, components: &Value) -> Deployed {
    let values = json!({
        "environment": seen(environment),
        "service": service(),
        "service_instance": { "name": name, "inputs": inputs, "components": components },
    });
    let target = Target::ServiceInstance { service: "pay".to_owned(), name: name.to_owned() };
    let code = format!("# fargate 1.{minor}\n{FARGATE}");
    Deployed {
        version: Some(("fargate".to_owned(), 1, minor)),
        environment: Some(environment.to_owned()),
        ..deployed(time, target, values, &code)
    }
}

fn everything() -> Vec<Deployed> {
    let queue = json!({ "default": { "name": "queue", "outputs": { "QueueUrl": "vpc-dev/queue" } } });
    let web = json!({ "port": 8080, "image": "web:7", "features": "search,cart" });
    let batch = json!({ "port": 9000, "image": "batch:3" });
    let listed = |name: &str, environment: &str, inputs: &Value| json!({ "name": name, "inputs": inputs, "outputs": { "Url": format!("https://{name}") }, "environment": seen(environment) });
    let pipeline = json!({
        "pipeline": { "inputs": { "buildspec": "buildspec.yml", "manual_approval": true } },
        "service": service(),
        "service_instances": [listed("web", "dev", &web), listed("web-prod", "prod", &web)],
    });
    let component =
        |environment: &str, name: &str| json!({ "component": { "name": name }, "environment": seen(environment) });
    let mut attached = component("dev", "queue");
    attached["service"] = json!({ "name": "pay" });
    attached["service_instance"] = json!({ "name": "web", "inputs": web });
    let of_component = |name: &str, environment: &str, values: Value| Deployed {
        environment: Some(environment.to_owned()),
        ..deployed(Time::Any, Target::Component { name: name.to_owned() }, values, QUEUE)
    };
    vec![
        environment(Time::Any, "dev", 1, "10.0.0.0/16"),
        environment(Time::Tags, "prod", 0, "10.1.0.0/16"),
        Deployed { deleted: true, ..environment(Time::Word, "old", 0, "10.9.0.0/16") },
        instance(Time::Any, "web", "dev", 2, &web, &queue),
        instance(Time::Untagged, "web-prod", "prod", 1, &web, &json!({})),
        instance(Time::Word, "batch", "prod", 0, &batch, &json!({})),
        Deployed { deleted: true, ..instance(Time::Flag, "legacy", "prod", 0, &batch, &json!({})) },
        Deployed {
            version: Some(("fargate".to_owned(), 1, 2)),
            ..deployed(Time::Any, Target::ServicePipeline { service: "pay".to_owned() }, pipeline, PIPELINE)
        },
        Deployed { attached: Some(("pay".to_owned(), "web".to_owned())), ..of_component("queue", "dev", attached) },
        of_component("bucket", "prod", component("prod", "bucket")),
    ]
}

/// The files below a folder.
pub(crate) fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
