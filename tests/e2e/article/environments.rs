//! "Deploying environments with the CLI": commands 7 to 11.

use super::Story;

pub(super) fn deploy_dev_and_prod(story: &Story) {
    let shell = &story.shell;
    // 7
    shell.ok(r#"aws proton create-environment \
        --name dev \
        --template-name ecs-shared-env \
        --template-major-version 1 \
        --template-minor-version 0 \
        --spec '{
          "proton": "EnvironmentSpec",
          "spec": {
            "vpc_cidr": "10.10.0.0/16",
            "container_insights": false,
            "log_retention_days": 7,
            "nat_gateway_count": 1
          }
        }' \
        --proton-service-role-arn arn:aws:iam::123456789012:role/ProtonServiceRole"#);
    // 8
    shell
        .run("aws proton get-environment --name dev --query 'environment.deploymentStatus'")
        .succeeded()
        .printed(r#""IN_PROGRESS""#);
    // 9
    shell.ok("aws proton wait environment-deployed --name dev");
    // 10, as written: there is no such member.
    shell.run("aws proton get-environment --name dev --query 'environment.outputs'").succeeded().printed("null");
    // 10
    let names = shell.json("aws proton list-environment-outputs --environment-name dev --query 'sort(outputs[].key)'");
    let expected =
        ["ECSClusterArn", "PrivateSubnetIds", "PublicSubnetIds", "SharedLogGroupName", "TaskExecutionRoleArn", "VpcId"];
    assert_eq!(names, serde_json::json!(expected));
    // 11. It deploys while the story goes on.
    shell.ok(r#"aws proton create-environment \
        --name prod \
        --template-name ecs-shared-env \
        --template-major-version 1 \
        --template-minor-version 0 \
        --spec '{
          "proton": "EnvironmentSpec",
          "spec": {
            "vpc_cidr": "10.20.0.0/16",
            "container_insights": true,
            "log_retention_days": 90,
            "nat_gateway_count": 2
          }
        }' \
        --proton-service-role-arn arn:aws:iam::123456789012:role/ProtonServiceRole"#);
}
