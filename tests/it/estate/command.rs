//! `hadron import`, as a person runs it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::team::{team, write};

/// The team's repositories as folders, each a Git repository with one commit.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for tree in team() {
        let repository = folder.path().join(&tree.name);
        write(&tree, &repository);
        git(&repository, &["init", "--quiet", "--initial-branch", "main"]);
        commit(&repository);
    }
    folder
}

fn git(folder: &Path, words: &[&str]) {
    duct::cmd("git", words).dir(folder).stdout_null().run().unwrap();
}

fn commit(folder: &Path) {
    git(folder, &["add", "--all"]);
    git(folder, &["-c", "user.name=n", "-c", "user.email=n@example.com", "commit", "--quiet", "--message", "m"]);
}

fn import(folder: &Path, words: &[&str]) -> Output {
    let words = ["import"].into_iter().chain(words.iter().copied());
    let run = duct::cmd(env!("CARGO_BIN_EXE_hadron"), words).dir(folder).stdout_capture().stderr_capture().unchecked();
    run.run().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn what_was_found_is_shown() {
    let folder = checkout();
    let output = import(folder.path(), &["infrastructure", "pipelines"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output), @r"
    TEMPLATES
    NAME     OF            VERSION  USED BY  BUNDLE             ACCOUNT       REGION
    vpc      environments  1.0      1        inferred           123456789012  us-east-1
    vpc      environments  1.1      1        inferred           123456789012  us-east-1
    fargate  services      1.0      1        inferred, 1 guess  123456789012  us-east-1
    fargate  services      1.1      1        inferred, 1 guess  123456789012  us-east-1
    fargate  services      1.2      2        inferred           123456789012  us-east-1

    ENVIRONMENTS
    NAME  ENVIRONMENT  TEMPLATE  IS       DIRECTORY             STATE
    dev   dev          vpc 1.1   live     infrastructure: dev   s3://acme-dev-state/dev/terraform.tfstate
    old   old          vpc 1.0   deleted  infrastructure: old
    prod  prod         vpc 1.0   live     infrastructure: prod  s3://acme-state/prod/terraform.tfstate

    SERVICE INSTANCES
    NAME          ENVIRONMENT  TEMPLATE     IS       DIRECTORY                          STATE
    pay/web       dev          fargate 1.2  live     infrastructure: dev/pay-web        s3://acme-dev-state/dev/pay-web/terraform.tfstate
    pay/batch     prod         fargate 1.0  live     infrastructure: prod/pay-batch     s3://acme-state/prod/pay-batch/terraform.tfstate
    pay/legacy    prod         fargate 1.0  deleted  infrastructure: prod/pay-legacy
    pay/web-prod  prod         fargate 1.1  live     infrastructure: prod/pay-web-prod  s3://acme-state/prod/pay-web-prod/terraform.tfstate

    PIPELINES
    NAME  ENVIRONMENT  TEMPLATE     IS    DIRECTORY                STATE
    pay                fargate 1.2  live  pipelines: pay/pipeline  s3://acme-ci-state/pay/pipelineterraform.tfstate

    COMPONENTS
    NAME    ENVIRONMENT  TEMPLATE  IS    DIRECTORY                               STATE
    queue   dev                    live  infrastructure: dev/components/queue    s3://acme-dev-state/dev/components/queue/terraform.tfstate
    bucket  prod                   live  infrastructure: prod/components/bucket  s3://acme-state/prod/components/bucket/terraform.tfstate

    2 environments, 1 service, 3 instances, 1 pipeline, 2 components; 2 deleted; 0 not imported
    ");
}

#[test]
fn every_live_resource_is_proved() {
    let folder = checkout();
    let output = import(folder.path(), &["infrastructure", "pipelines", "--verify"]);
    insta::assert_snapshot!(stdout(&output), @r"
    IS     RESOURCE                               DIRECTORY                               WHY
    equal  environment/dev                        infrastructure: dev
    aged   component/queue                        infrastructure: dev/components/queue    no-proton-tags, blanks
    equal  service/pay/service-instance/web       infrastructure: dev/pay-web
    aged   environment/prod                       infrastructure: prod                    inputs-map-of-string
    aged   component/bucket                       infrastructure: prod/components/bucket  no-proton-tags, blanks
    aged   service/pay/service-instance/batch     infrastructure: prod/pay-batch          inputs-map-of-string, components-map-of-string, no-proton-tags
    aged   service/pay/service-instance/web-prod  infrastructure: prod/pay-web-prod       no-proton-tags
    aged   service/pay/pipeline                   pipelines: pay/pipeline                 earlier-facts

    inputs-map-of-string: until January 2023 Proton declared inputs as map(string), later as any
    components-map-of-string: until May 2022 Proton declared components as map(string), later as map(any)
    no-proton-tags: until September 2022, and in some accounts later, Proton gave no proton_tags
    blanks: Proton's generated file was not formatted everywhere as `terraform fmt` does
    earlier-facts: outputs or instances of others have changed since this was rendered

    2 equal, 6 of an earlier age, 0 differ, 0 unread
    ");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_pipeline_whose_arn_carries_an_id_is_that_of_its_service() {
    let folder = checkout();
    let pipeline = folder.path().join("pipelines/pay/pipeline");
    for file in
        [".proton/deployment-metadata.json", "proton.auto.tfvars.json", "proton.pipeline.variables.tf", "main.tf"]
    {
        let text = std::fs::read_to_string(pipeline.join(file)).unwrap();
        assert!(text.contains("service/pay/pipeline"), "{file}");
        let text = text.replace("service/pay/pipeline", "service/pay/pipeline/a1b2c3d4-5678-90ab-cdef-111111111111");
        std::fs::write(pipeline.join(file), text).unwrap();
    }
    let output = import(folder.path(), &["infrastructure", "pipelines", "--verify"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let row = "aged   service/pay/pipeline                   pipelines: pay/pipeline                 pipeline-id, earlier-facts";
    assert!(said.contains(row), "{said}");
}

#[test]
fn a_work_tree_is_read_as_it_lies_and_a_branch_as_it_was_committed() {
    let folder = checkout();
    let path = folder.path().join("infrastructure/prod/proton.auto.tfvars.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"name\"", "name")).unwrap();
    let output = import(folder.path(), &["infrastructure", "pipelines", "--verify"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("unread") && said.contains("prod/proton.auto.tfvars.json") && said.contains("line 3"),
        "{said}"
    );
    let url = format!("file://{}/pipelines@main", folder.path().display());
    let output = import(folder.path(), &["infrastructure@main", &url, "--verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn programs_get_json() {
    let folder = checkout();
    let words = ["infrastructure", "pipelines", "--output", "json"];
    let found: Value = serde_json::from_str(&stdout(&import(folder.path(), &words))).unwrap();
    assert_eq!(found["resources"].as_array().unwrap().len(), 10);
    let web = found["resources"].as_array().unwrap().iter().find(|it| it["path"] == "dev/pay-web").unwrap();
    assert_eq!(web["version"], "1.2");
    assert_eq!(web["state"], "s3://acme-dev-state/dev/pay-web/terraform.tfstate");
    let words = [&words[..], &["--verify"]].concat();
    let proved: Value = serde_json::from_str(&stdout(&import(folder.path(), &words))).unwrap();
    assert_eq!(proved["resources"].as_array().unwrap().len(), 8);
    assert_eq!(proved["unreadable"], serde_json::json!([]));
}

#[test]
fn what_is_asked_wrongly_is_refused_with_a_remedy() {
    let folder = checkout();
    for (words, said) in [
        (&["nowhere"][..], "there is no folder `nowhere`"),
        (&["infrastructure@"], "has no branch behind the @"),
        (&["infrastructure/README.md"], "is a file"),
        (&["pipelines/.github"], "nothing of Proton's was found"),
        (&["infrastructure", "--dump", "nowhere"], "there is no folder `nowhere`"),
    ] {
        let output = import(folder.path(), words);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said) && stderr.contains("hint: "), "{stderr}");
        assert!(output.stdout.is_empty());
    }
    let output = import(folder.path(), &["infrastructure@none"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("none") && stderr.contains("git ls-remote"), "{stderr}");
}

#[test]
fn bundles_and_specs_are_written_unless_a_proof_was_asked_for_and_fails() {
    let folder = checkout();
    let written = |name: &str| folder.path().join(name).is_dir();
    let words = ["infrastructure", "pipelines", "--verify", "--write"];
    let output = import(folder.path(), &[&words[..], &["proved"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let files = super::team::read(&folder.path().join("proved"));
    assert!(files.keys().any(|path| path.ends_with("schema/schema.yaml")), "{:?}", files.keys());

    std::fs::write(folder.path().join("infrastructure/prod/proton.auto.tfvars.json"), "{").unwrap();
    let output = import(folder.path(), &[&words[..], &["unproved"]].concat());
    assert_eq!(output.status.code(), Some(4));
    assert!(written("proved") && !written("unproved"));
}
