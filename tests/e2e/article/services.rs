//! "Deploying services and instances": commands 12 to 16.

use serde_json::json;

use super::Story;
use crate::support::examples;

/// 12, as written, but for the name.
fn create(name: &str) -> String {
    format!(
        r#"aws proton create-service \
        --name {name} \
        --template-name ecs-fargate-service \
        --template-major-version 1 \
        --spec '{{
          "proton": "ServiceSpec",
          "pipeline": {{
            "source_repo": "myorg/payment-api",
            "source_branch": "main",
            "buildspec_path": "buildspec.yml"
          }},
          "instances": [
            {{
              "name": "dev",
              "environment": "dev",
              "spec": {{
                "task_cpu": 256,
                "task_memory": 512,
                "desired_count": 1,
                "container_port": 8080,
                "health_check_path": "/health"
              }}
            }}
          ]
        }}'"#
    )
}

pub(super) fn create_the_service(story: &Story) {
    let shell = &story.shell;
    // 12, as written: accepted, and the instance is deployed. The pipeline can't be, as it has no connection to its
    // source; a second service shows that beside the first, see `the_service_without_connection_says_what_it_lacks`.
    shell.ok(&create("ledger-api"));
    // 12
    let repository = "--repository-id myorg/payment-api --branch-name main --repository-connection-arn \
        arn:aws:codestar-connections:us-east-1:123456789012:connection/abc123";
    shell.ok(&format!("{} {repository}", create("payment-api")));
    // 13
    shell
        .run("aws proton get-service --name payment-api --query 'service.status'")
        .succeeded()
        .printed(r#""CREATE_IN_PROGRESS""#);
    shell.ok("aws proton wait service-created --name payment-api");
    assert_eq!(story.account()["pipelines"], json!(["payment-api-pipeline: Source Build Deploy-dev"]));
}

/// 14's spec, as written.
const INSTANCE_SPEC: &str = r#"'{
          "proton": "ServiceInstanceSpec",
          "spec": {
            "task_cpu": 512,
            "task_memory": 1024,
            "desired_count": 2,
            "container_port": 8080,
            "health_check_path": "/health"
          }
        }'"#;

pub(super) fn add_the_prod_instance(story: &Story) {
    let shell = &story.shell;
    shell.ok("aws proton wait environment-deployed --name prod");
    let create = "aws proton create-service-instance --name prod --service-name payment-api";
    // 14, as written: neither the option nor the kind of spec exists.
    shell
        .run(&format!("{create} --environment-name prod --spec {INSTANCE_SPEC}"))
        .failed(255, &["Unknown options: --environment-name"]);
    shell.run(&format!("{create} --spec {INSTANCE_SPEC}")).failed(255, &["ValidationException"]);
    // 14
    let spec = std::fs::read(examples().join("aws/fargate-service/spec-dev-prod.yaml")).unwrap();
    shell.file("instance-spec.yaml", spec);
    shell.ok(&format!("{create} --spec file://instance-spec.yaml"));

    // 15
    let instances = shell.json(
        "aws proton list-service-instances --service-name payment-api \
        --query 'serviceInstances[*].{name:name,env:environmentName,status:deploymentStatus}'",
    );
    assert_eq!(instances[0], json!({ "name": "dev", "env": "dev", "status": "SUCCEEDED" }));
    assert_eq!((&instances[1]["name"], &instances[1]["env"]), (&json!("prod"), &json!("prod")));

    // 16, as written: which instance? The accepted form follows when there is something new to deploy.
    shell
        .run("aws proton update-service-instance --deployment-type CURRENT_VERSION")
        .failed(2, &["the following arguments are required: --name, --service-name"]);
    the_service_without_connection_says_what_it_lacks(story);
}

fn the_service_without_connection_says_what_it_lacks(story: &Story) {
    let shell = &story.shell;
    story.until_prints(
        "aws proton get-service --name ledger-api --query service.pipeline.deploymentStatus",
        r#""FAILED""#,
    );
    let service = shell.json("aws proton get-service --name ledger-api");
    let service = &service["service"];
    assert!(service["status"].as_str().unwrap().starts_with("CREATE_FAILED"), "{service}");
    let message = service["pipeline"]["deploymentStatusMessage"].as_str().unwrap();
    assert!(message.contains("create the service with a repository connection ARN"), "{message}");
}

pub(super) fn see_both_instances_and_their_stages(story: &Story) {
    story.shell.ok("aws proton wait service-instance-deployed --service-name payment-api --name prod");
    // The new instance's stage follows its first deployment.
    story.until_prints(
        "aws proton list-service-pipeline-outputs --service-name payment-api \
        --query \"outputs[?key=='Stages'].valueString\" --output text",
        r#"["Source","Build","Deploy-dev","Deploy-prod"]"#,
    );
}
