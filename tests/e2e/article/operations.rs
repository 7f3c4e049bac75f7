//! "Platform team workflow" and "Quick reference": commands 26 to 34.

use serde_json::Value;

use super::Story;
use crate::support::{bundle, examples};

/// The service template with one more output and one more optional input, as a minor version may have.
fn next_minor_version() -> Vec<u8> {
    let mut files = bundle::files(&examples().join("aws/fargate-service"));
    for (name, contents) in &mut files {
        let text = String::from_utf8(contents.clone()).unwrap();
        let changed = match name.as_str() {
            "schema/schema.yaml" => text.replace(
                "        health_check_path:\n",
                "        team:\n          type: string\n          default: payments\n        health_check_path:\n",
            ),
            "instance_infrastructure/outputs.tf" => {
                text + "\noutput \"Team\" {\n  value = var.service_instance.inputs.team\n}\n"
            }
            _ => continue,
        };
        *contents = changed.into_bytes();
    }
    bundle::tar_gz(&files)
}

pub(super) fn publish_the_next_minor_version(story: &Story) {
    let shell = &story.shell;
    shell.file("bundle.tar.gz", next_minor_version());
    shell.ok("aws s3 cp bundle.tar.gz s3://my-proton-templates/ecs-svc/v1.1/bundle.tar.gz");
    shell.ok(r#"aws proton create-service-template-version --template-name ecs-fargate-service --major-version 1 \
        --source s3="{bucket=my-proton-templates,key=ecs-svc/v1.1/bundle.tar.gz}" \
        --compatible-environment-templates '[{"templateName":"ecs-shared-env","majorVersion":"1"}]' \
        --supported-component-sources DIRECTLY_DEFINED"#);
    let version = "--template-name ecs-fargate-service --major-version 1 --minor-version 1";
    shell.ok(&format!("aws proton wait service-template-version-registered {version}"));
    shell.ok(&format!("aws proton update-service-template-version {version} --status PUBLISHED"));
}

/// The version as what it is.
const TEXT: &str = r#"`"1"`"#;

/// 26 with this literal in the article's place: whose version isn't that one.
fn outdated(story: &Story, literal: &str) -> Vec<String> {
    let found = story.shell.json(&format!(
        "aws proton list-service-instances --query 'serviceInstances[?templateMinorVersion!={literal}].\
        {{service:serviceName,instance:name,version:templateMinorVersion}}'"
    ));
    let name = |one: &Value| format!("{}/{}", one["service"].as_str().unwrap(), one["instance"].as_str().unwrap());
    found.as_array().unwrap().iter().map(name).collect()
}

pub(super) fn roll_out_a_minor_version(story: &Story) {
    let shell = &story.shell;
    // 26. As written the literal is a number and every version is text, so nothing is ever equal; see below.
    assert_eq!(outdated(story, TEXT), ["ledger-api/dev", "payment-api/dev", "payment-api/prod"]);
    // 27. What it calls drift is a time.
    let checked = shell.json(
        "aws proton get-service-instance --service-name payment-api --name prod \
        --query 'serviceInstance.{status:deploymentStatus,driftStatus:lastDeploymentAttemptedAt}'",
    );
    assert_eq!(checked["status"], "SUCCEEDED");
    assert!(!checked["driftStatus"].is_null(), "{checked}");

    let update = "aws proton update-service-instance --service-name payment-api --name dev \
        --deployment-type MINOR_VERSION --spec";
    // 28, as written: the article's file is of the kind that doesn't exist.
    shell.file("dev-instance-spec.yaml", "proton: ServiceInstanceSpec\nspec:\n  task_cpu: 256\n");
    shell.run(&format!("{update} file://dev-instance-spec.yaml")).failed(255, &["ValidationException"]);
    // 28
    shell.ok(&format!("{update} file://instance-spec.yaml"));
    shell.ok("aws proton wait service-instance-deployed --service-name payment-api --name dev");
    assert_eq!(outdated(story, TEXT), ["ledger-api/dev", "payment-api/prod"]);

    update_all_instances(story);
    assert_eq!(outdated(story, TEXT), ["ledger-api/dev"]);
    // 26, as written.
    assert_eq!(outdated(story, "`1`"), ["ledger-api/dev", "payment-api/dev", "payment-api/prod"]);
    for instance in ["dev", "prod"] {
        shell
            .run(&format!(
                "aws proton list-service-instance-outputs --service-name payment-api \
                --service-instance-name {instance} --query \"outputs[?key=='Team'].valueString\" --output text"
            ))
            .succeeded()
            .printed("payments");
    }
}

fn update_all_instances(story: &Story) {
    let shell = &story.shell;
    let names = "aws proton list-service-instances --service-name payment-api \
        --query 'serviceInstances[*].name' --output text";
    let update = "xargs -I{} aws proton update-service-instance --service-name payment-api --name {} \
        --deployment-type MINOR_VERSION --spec file://instance-spec.yaml";
    // 29, as written: text comes as one line with tabs, which xargs takes for one name. xargs gives up with 124.
    shell.run(&format!("{names} | {update}")).failed(124, &["ValidationException"]);
    // 29
    shell.ok(&format!("{names} | tr '\\t' '\\n' | {update}"));
    for instance in ["dev", "prod"] {
        shell.ok(&format!("aws proton wait service-instance-deployed --service-name payment-api --name {instance}"));
    }
}

pub(super) fn ask_for_drift(story: &Story) {
    let shell = &story.shell;
    // 30, as written: it isn't a question about drift but a report about a deployment, of which there is none.
    shell
        .run(
            r"aws proton notify-resource-deployment-status-change \
        --resource-arn arn:aws:proton:us-east-1:123456789012:environment/prod \
        --status IN_PROGRESS",
        )
        .failed(255, &["ConflictException", "has ended already"]);
    // 31, which does restore the template's state.
    shell.ok("aws proton update-environment --name prod --deployment-type CURRENT_VERSION");
}

/// The accepted forms of these are 3, 7 and 28.
pub(super) fn use_the_quick_reference(story: &Story) {
    let shell = &story.shell;
    let lacks = |arguments: &str| format!("the following arguments are required: {arguments}");
    // 32, as written.
    shell
        .run("aws proton update-environment-template-version --status PUBLISHED")
        .failed(2, &[&lacks("--major-version, --minor-version, --template-name")]);
    // 33, as written.
    shell
        .run("aws proton create-environment --name dev --template-name ecs-shared-env --template-major-version 1")
        .failed(2, &[&lacks("--spec")]);
    // 34, as written.
    shell
        .run("aws proton update-service-instance --deployment-type MINOR_VERSION")
        .failed(2, &[&lacks("--name, --service-name")]);
}
