//! `environment.md`: every variable that is read, set or let through.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::markdown::{MADE, code, codes, prose, table};
use crate::settings::{LET_THROUGH, TABLE};
use crate::terraform::REFUSED;

/// What is read of the surroundings besides settings.
const READ: &[(&str, &[&str], &str)] = &[
    (
        "AWS",
        &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        "with `AWS_ENDPOINT_URL`, as `hadron up` prints them: what commands sign with where no `HADRON_ACCESS_KEY_ID` is set. \
      Without: credentials of AWS's default chain, for S3, KMS, EventBridge, STS and Terraform",
    ),
    ("AWS", &["AWS_ENDPOINT_URL"], "the server that commands talk to, where no `HADRON_ENDPOINT` is set"),
    ("AWS", &["AWS_REGION"], "see `region`; handed to Terraform"),
    ("AWS", &["AWS_PROFILE"], "a profile of the default chain; `hadron run` then takes it for the pipeline's identity"),
    (
        "AWS",
        &["AWS_CONFIG_FILE"],
        "a file of profiles in place of `~/.aws/config`; what `aws sso login` left for Terraform is looked for in \
         `sso` beside it",
    ),
    ("AWS", &["AWS_WEB_IDENTITY_TOKEN_FILE"], "the file of an identity token, with which `hadron run` takes a role"),
    ("AWS", &["AWS_EC2_METADATA_SERVICE_ENDPOINT"], "where Spot notices are asked for, if not at EC2's own address"),
    ("the machine", &["PATH"], "where `terraform`, `tofu` and `git` are looked for"),
    ("the machine", &["HOME"], "where `~/.aws` lies"),
    (
        "the terminal",
        &["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"],
        "whether the log on stderr is coloured: never with `NO_COLOR`, always with `CLICOLOR_FORCE`, else on a terminal \
         that is none of `dumb`",
    ),
    (
        "the build",
        &["HADRON_BUILD_COMMIT"],
        "read when Hadron is compiled: the commit that `hadron version` names, where there is no Git",
    ),
    (
        "the host",
        &["ECS_CONTAINER_METADATA_URI_V4", "KUBERNETES_SERVICE_HOST", "INVOCATION_ID", "SYSTEMD_EXEC_PID"],
        "by which ECS, Kubernetes and systemd are known ([who ends us, and how](../shutdown.md#hosts))",
    ),
    ("the host", &["ECS_AGENT_URI"], "where a task of ECS asks for protection from scale-in"),
    (
        "GitHub Actions",
        &["GITHUB_ACTIONS"],
        "`true`: problems become annotations, and `hadron run` goes by the variables below",
    ),
    (
        "GitHub Actions",
        &["GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REF"],
        "whether `hadron run` plans or applies, and since when",
    ),
    ("GitHub Actions", &["GITHUB_STEP_SUMMARY"], "the file that gets a table of the deployments"),
    (
        "GitHub Actions",
        &["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        "where `hadron run` asks for the job's identity token",
    ),
    ("GitLab CI", &["GITLAB_CI"], "`true`: `hadron run` goes by the variables below"),
    (
        "GitLab CI",
        &["CI_COMMIT_BRANCH", "CI_DEFAULT_BRANCH", "CI_MERGE_REQUEST_IID"],
        "whether `hadron run` plans or applies",
    ),
    ("GitLab CI", &["CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA"], "where the change begins"),
    ("GitLab CI", &["CI_JOB_URL"], "the address of the job, for the endpoint"),
    ("CodeBuild", &["CODEBUILD_BUILD_ID"], "set: `hadron run` goes by the variables below"),
    (
        "CodeBuild",
        &["CODEBUILD_WEBHOOK_EVENT", "CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_WEBHOOK_BASE_REF"],
        "whether `hadron run` plans or applies",
    ),
    ("CodeBuild", &["CODEBUILD_WEBHOOK_PREV_COMMIT", "CODEBUILD_SOURCE_VERSION"], "where the change begins"),
    ("CodeBuild", &["CODEBUILD_BUILD_URL", "CODEBUILD_PUBLIC_BUILD_URL"], "the address of the build, for the endpoint"),
];

#[test]
fn the_published_variables_are_those_that_are_read() {
    super::published("environment.md", &page());
}

fn page() -> String {
    let mut text = format!("{MADE}# Environment variables\n\n## Settings\n\n");
    text += "Each sets the [setting](settings.md) beside it.\n\n";
    let settings: BTreeMap<&str, &str> =
        TABLE.iter().flat_map(|setting| setting.variables.iter().map(|name| (*name, setting.name))).collect();
    text += &table(["variable", "setting"], settings.iter().map(|(name, setting)| [code(name), code(setting)]));
    text += "\n## What else is read\n\n";
    let rows =
        READ.iter().map(|(of, names, means)| [(*of).to_owned(), codes(names.iter().copied()), (*means).to_owned()]);
    text += &table(["of", "variable", "for"], rows);
    text += "\n## What Terraform gets\n\nTerraform's environment starts empty. These reach it, where they are set; a `*` stands \
             for any ending. What `[agent.env]` holds is added.\n\n";
    for name in LET_THROUGH {
        text += &format!("- {}\n", code(name));
    }
    text += "\nThese never do, and one in `[agent.env]` fails the deployment:\n\n";
    text + &table(["beginning with", "since"], REFUSED.iter().map(|(name, why)| [code(name), prose(why)]))
}

#[test]
fn every_variable_that_the_code_reads_is_on_the_page() {
    let page = page();
    let read = Regex::new(r#"\b(?:variable|get|set|has|is_true)\("([A-Z][A-Z0-9_]{2,})"\)"#).unwrap();
    let own = Regex::new(r#""(HADRON_[A-Z0-9_]+[A-Z0-9])""#).unwrap();
    let mut found = BTreeSet::new();
    for (path, text) in super::files("src", ".rs") {
        if path.contains("tests") || path.contains("reference/") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        found.extend([&read, &own].iter().flat_map(|kind| kind.captures_iter(code)).map(|name| name[1].to_owned()));
    }
    // It tells a process only that it was started in the place of the first one.
    found.remove(crate::settings::UNDER_PID_1);
    // The build tells them the compiler.
    found
        .retain(|name| !["DIRTY", "PROFILE", "RUSTC", "TARGET"].iter().any(|it| *name == format!("HADRON_BUILD_{it}")));
    let missing: Vec<&String> = found.iter().filter(|name| !page.contains(&code(name))).collect();
    assert!(found.len() > 60 && missing.is_empty(), "not on the page: {missing:?}");
}
