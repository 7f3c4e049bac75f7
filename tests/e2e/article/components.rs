//! "Custom components": commands 21 to 25.

use std::fs;

use serde_json::json;

use super::Story;
use crate::support::examples;

/// 21, with the article's file names but for the template's.
const CREATE: &str = r"aws proton create-component \
        --name payment-api-job-queue \
        --service-name payment-api \
        --service-instance-name dev \
        --template-file file://component.tf \
        --manifest file://manifest.yaml";

pub(super) fn attach_a_queue(story: &Story) {
    let shell = &story.shell;
    for name in ["component.tf", "manifest.yaml"] {
        shell.file(name, fs::read(examples().join("aws/sqs-component").join(name)).unwrap());
    }
    // 21, as written: 5 didn't say that the template takes components.
    shell.run(CREATE).failed(255, &["ValidationException", "DIRECTLY_DEFINED"]);
    shell.ok("aws proton update-service-template-version --template-name ecs-fargate-service \
        --major-version 1 --minor-version 0 --supported-component-sources DIRECTLY_DEFINED");
    // 21
    shell.ok(CREATE);
    shell.ok("aws proton wait component-deployed --name payment-api-job-queue");
    // 22
    shell
        .run("aws proton get-component --name payment-api-job-queue --query 'component.deploymentStatus'")
        .succeeded()
        .printed(r#""SUCCEEDED""#);
    // 23
    let listed = shell.json(
        "aws proton list-components --service-instance-name dev --service-name payment-api \
        --query 'components[*].name'",
    );
    assert_eq!(listed, json!(["payment-api-job-queue"]));
    // 24, as written: there is no such member.
    shell
        .run("aws proton get-component --name payment-api-job-queue --query 'component.outputs'")
        .succeeded()
        .printed("null");
    // 24
    let names = shell
        .json("aws proton list-component-outputs --component-name payment-api-job-queue --query 'sort(outputs[].key)'");
    assert_eq!(names, json!(["DlqUrl", "QueueArn", "QueueUrl"]));
    the_instance_learns_of_its_queue(story);
    // 25, as written: it is attached. The accepted form stands at the end, since the article still needs the queue.
    shell
        .run("aws proton delete-component --name payment-api-job-queue")
        .failed(255, &["ConflictException", "detach it first"]);
}

/// A component's outputs reach the instance with the next deployment: 16.
fn the_instance_learns_of_its_queue(story: &Story) {
    story.shell.ok("aws proton update-service-instance --service-name payment-api --name dev \
        --deployment-type CURRENT_VERSION --spec file://instance-spec.yaml");
    story.shell.ok("aws proton wait service-instance-deployed --service-name payment-api --name dev");
    let environment = story.moto.boto3(
        story.tools,
        r#"
import boto3, json
task = boto3.client("ecs").describe_task_definition(taskDefinition="payment-api-dev")["taskDefinition"]
print(json.dumps(task["containerDefinitions"][0]["environment"]))
"#,
    );
    let queue = format!("{}/123456789012/payment-api-dev-jobs", story.moto.endpoint());
    assert_eq!(environment, json!([{ "name": "JOBS_QUEUE_URL", "value": queue }]));
}

/// 25.
pub(super) fn detach_and_delete_the_queue(story: &Story) {
    let shell = &story.shell;
    shell.ok(r#"aws proton update-component --name payment-api-job-queue \
        --deployment-type CURRENT_VERSION --service-name "" --service-instance-name """#);
    shell.ok("aws proton wait component-deployed --name payment-api-job-queue");
    shell.ok("aws proton delete-component --name payment-api-job-queue");
    shell.ok("aws proton wait component-deleted --name payment-api-job-queue");
}
