//! What the article leaves to its reader: deleting it all.

use super::{Story, components};

pub(super) fn delete_everything(story: &Story) {
    let shell = &story.shell;
    shell.run("aws proton delete-environment --name dev").failed(255, &["ConflictException"]);
    // The one that failed goes as well as the one that didn't.
    shell.ok("aws proton delete-service --name ledger-api");
    components::detach_and_delete_the_queue(story);
    shell.ok("aws proton delete-service --name payment-api");
    for service in ["ledger-api", "payment-api"] {
        shell.ok(&format!("aws proton wait service-deleted --name {service}"));
    }

    shell.ok("aws proton wait environment-deployed --name prod");
    for environment in ["dev", "prod"] {
        shell.ok(&format!("aws proton delete-environment --name {environment}"));
    }
    for environment in ["dev", "prod"] {
        story.until_gone(&format!("aws proton get-environment --name {environment}"));
    }

    for (kind, template, minor) in [
        ("service", "ecs-fargate-service", 0),
        ("service", "ecs-fargate-service", 1),
        ("environment", "ecs-shared-env", 0),
    ] {
        shell.ok(&format!(
            "aws proton delete-{kind}-template-version --template-name {template} \
            --major-version 1 --minor-version {minor}"
        ));
    }
    shell.ok("aws proton delete-service-template --name ecs-fargate-service");
    shell.ok("aws proton delete-environment-template --name ecs-shared-env");
    let totals = "counts.[environments.total, services.total, serviceInstances.total, components.total]";
    shell
        .run(&format!("aws proton get-resources-summary --query '{totals}' --output text"))
        .succeeded()
        .printed("0\t0\t0\t0");
}
