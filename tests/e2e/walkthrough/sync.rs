//! "Template syncing from Git": commands 17 to 20.

use super::Story;

/// Repositories and template sync aren't served yet. Until they are, each command is told so, as a client's error that
/// no SDK repeats.
const NOT_YET: &[&str] = &["UnknownOperationException"];

pub(super) fn link_the_repository(story: &Story) {
    let shell = &story.shell;
    // 17
    shell
        .run(
            r"aws proton create-repository \
        --name myorg/proton-templates \
        --provider GITHUB \
        --connection-arn arn:aws:codestar-connections:us-east-1:123456789012:connection/abc123 \
        --encryption-key arn:aws:kms:us-east-1:123456789012:key/key-id",
        )
        .failed(255, NOT_YET);
    // 18 and 19
    for (template, kind, folder) in [
        ("ecs-shared-env", "ENVIRONMENT", "environment-templates"),
        ("ecs-fargate-service", "SERVICE", "service-templates"),
    ] {
        shell
            .run(&format!(
                r"aws proton create-template-sync-config \
        --template-name {template} \
        --template-type {kind} \
        --repository-name myorg/proton-templates \
        --repository-provider GITHUB \
        --branch main \
        --subdirectory {folder}/{template}"
            ))
            .failed(255, NOT_YET);
    }
    // 20, and what tells the status rather than the configuration.
    let of = "--template-name ecs-shared-env --template-type ENVIRONMENT";
    shell.run(&format!("aws proton get-template-sync-config {of}")).failed(255, NOT_YET);
    shell.run(&format!("aws proton get-template-sync-status {of} --template-version 1")).failed(255, NOT_YET);
}
