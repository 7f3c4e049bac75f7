//! "Template syncing from Git": commands 17 to 20.

use super::Story;

/// The repository is linked and both templates are configured to be synced. Nothing has been synced, so the status says
/// nothing.
pub(super) fn link_the_repository(story: &Story) {
    let shell = &story.shell;
    // 17
    let linked = shell.json(
        r"aws proton create-repository \
        --name myorg/proton-templates \
        --provider GITHUB \
        --connection-arn arn:aws:codestar-connections:us-east-1:123456789012:connection/abc123 \
        --encryption-key arn:aws:kms:us-east-1:123456789012:key/key-id",
    );
    let arn = linked["repository"]["arn"].as_str().unwrap();
    assert!(arn.ends_with(":repository/github:myorg/proton-templates"), "{arn}");
    // 18 and 19
    for (template, kind, folder) in [
        ("ecs-shared-env", "ENVIRONMENT", "environment-templates"),
        ("ecs-fargate-service", "SERVICE", "service-templates"),
    ] {
        let made = shell.json(&format!(
            r"aws proton create-template-sync-config \
        --template-name {template} \
        --template-type {kind} \
        --repository-name myorg/proton-templates \
        --repository-provider GITHUB \
        --branch main \
        --subdirectory {folder}/{template}"
        ));
        assert_eq!(made["templateSyncConfig"]["templateName"], template);
    }
    // 20, and what tells the status rather than the configuration.
    let of = "--template-name ecs-shared-env --template-type ENVIRONMENT";
    let config = shell.json(&format!("aws proton get-template-sync-config {of}"));
    assert_eq!(config["templateSyncConfig"]["subdirectory"], "environment-templates/ecs-shared-env");
    let status = shell.ok(&format!("aws proton get-template-sync-status {of} --template-version 1 --query latestSync"));
    assert_eq!(status.trim(), "null", "nothing has been synced");
}
