//! "Creating an environment template" and "Creating a service template": commands 1 to 6.

use super::Story;
use crate::support::{bundle, examples};

pub(super) fn publish_the_environment_template(story: &Story) {
    let shell = &story.shell;
    shell.file("ecs-env-bundle.zip", bundle::zipped(&examples().join("aws/ecs-environment")));

    // 1
    shell.ok(r#"aws proton create-environment-template \
        --name ecs-shared-env \
        --display-name "Shared ECS Environment" \
        --description "VPC + ECS cluster + shared IAM roles for microservices""#);
    // The article takes the bucket for granted.
    shell.ok("aws s3 mb s3://my-proton-templates");
    shell.ok("aws s3 cp ecs-env-bundle.zip s3://my-proton-templates/ecs-env/v1.0/bundle.zip");

    // 2, as written. AWS documents tar.gz only, and for the first version no major. Here both are taken.
    shell.ok(r#"aws proton create-environment-template-version \
        --template-name ecs-shared-env \
        --source s3="{bucket=my-proton-templates,key=ecs-env/v1.0/bundle.zip}" \
        --major-version 1"#);
    // The article publishes at once, and so races the registration.
    shell.ok("aws proton wait environment-template-version-registered \
        --template-name ecs-shared-env --major-version 1 --minor-version 0");

    // 3
    shell.ok(r"aws proton update-environment-template-version \
        --template-name ecs-shared-env \
        --major-version 1 \
        --minor-version 0 \
        --status PUBLISHED");
    shell
        .run("aws proton get-environment-template --name ecs-shared-env --query environmentTemplate.recommendedVersion")
        .succeeded()
        .printed(r#""1.0""#);
}

/// 5, as written.
const CREATE_VERSION: &str = r#"aws proton create-service-template-version \
        --template-name ecs-fargate-service \
        --source s3="{bucket=my-proton-templates,key=ecs-svc/v1.0/bundle.zip}" \
        --compatible-environment-templates '[{"templateName":"ecs-shared-env","majorVersion":"1"}]'"#;

/// 6, as written.
const PUBLISH: &str = r"aws proton update-service-template-version \
        --template-name ecs-fargate-service \
        --major-version 1 \
        --minor-version 0 \
        --status PUBLISHED";

const REGISTERED: &str = "aws proton wait service-template-version-registered \
        --template-name ecs-fargate-service --major-version 1 --minor-version 0";

pub(super) fn publish_the_service_template(story: &Story) {
    let shell = &story.shell;
    shell.file("ecs-svc-bundle.zip", bundle::zipped(&examples().join("aws/fargate-service")));
    shell.ok("aws s3 cp ecs-svc-bundle.zip s3://my-proton-templates/ecs-svc/v1.0/bundle.zip");
    the_article_forbids_its_own_pipeline(story);

    // 4, without the flag that contradicts the bundle.
    shell.ok(r#"aws proton create-service-template \
        --name ecs-fargate-service \
        --display-name "ECS Fargate Service" \
        --description "Fargate service with ALB and optional CodePipeline""#);
    shell.ok(CREATE_VERSION);
    shell.ok(REGISTERED);
    shell.ok(PUBLISH);
}

/// 4, as written, makes a template without a pipeline; 5 then brings a bundle that has one.
fn the_article_forbids_its_own_pipeline(story: &Story) {
    let shell = &story.shell;
    shell.ok(r#"aws proton create-service-template \
        --name ecs-fargate-service \
        --display-name "ECS Fargate Service" \
        --description "Fargate service with ALB and optional CodePipeline" \
        --pipeline-provisioning CUSTOMER_MANAGED"#);
    shell.ok(CREATE_VERSION);
    shell.run(REGISTERED).failed(255, &["Waiter ServiceTemplateVersionRegistered failed"]);
    let version = shell.json(
        "aws proton get-service-template-version \
        --template-name ecs-fargate-service --major-version 1 --minor-version 0",
    );
    let version = &version["serviceTemplateVersion"];
    assert_eq!(version["status"], "REGISTRATION_FAILED");
    assert!(version["statusMessage"].as_str().unwrap().contains("pipeline"), "{version}");
    shell.run(PUBLISH).failed(255, &["ConflictException"]);
    // The flag can't be changed, so the template goes.
    shell.ok("aws proton delete-service-template-version \
        --template-name ecs-fargate-service --major-version 1 --minor-version 0");
    shell.ok("aws proton delete-service-template --name ecs-fargate-service");
}
