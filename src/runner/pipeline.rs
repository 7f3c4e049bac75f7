//! What the service that runs a pipeline says: plan or apply, since which commit, and where people see it.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>,
//! <https://docs.gitlab.com/ci/variables/predefined_variables/>,
//! <https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html>

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::Intent;

/// The branch that counts as the main one where nobody says.
const MAIN: &str = "main";

/// The commit that a change starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// This one.
    Commit(String),
    /// Where the branch of this change left that one.
    Branch(String),
    /// The first parent of what is checked out: the commit itself, or for a merge all that it brings.
    Parent,
}

/// The service that runs us, and what it runs us for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name for people; None = nobody's, a person at a terminal.
    pub name: Option<&'static str>,
    /// What to do, unless a person says it.
    pub intent: Intent,
    /// Why, in a few words.
    pub because: String,
    /// Where the change starts.
    pub since: Since,
    /// Where people see it at work.
    pub link: Option<String>,
}

/// Variables, where empty ones count as absent: CI services set many to nothing.
struct Variables<'a>(&'a BTreeMap<String, String>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl Pipeline {
    /// Reads the environment, and GitHub's event file, which it names. `main` is the branch that is applied on, if
    /// somebody chose one.
    pub fn of(environment: &BTreeMap<String, String>, main: Option<&str>) -> Self {
        let variables = Variables(environment);
        if variables.is_true("GITHUB_ACTIONS") {
            return github(&variables, main);
        }
        if variables.is_true("GITLAB_CI") {
            return gitlab(&variables, main);
        }
        if variables.get("CODEBUILD_BUILD_ID").is_some() {
            return codebuild(&variables, main);
        }
        Self {
            name: None,
            intent: Intent::Plan,
            because: "this is no pipeline".to_owned(),
            since: Since::Parent,
            link: None,
        }
    }
}

/// Apply on the main branch, plan elsewhere.
fn by_branch(branch: Option<&str>, main: &str) -> (Intent, String) {
    match branch {
        Some(branch) if branch == main => (Intent::Apply, format!("this is the branch {main}")),
        Some(branch) => (Intent::Plan, format!("this is the branch {branch}, and {main} is applied")),
        None => (Intent::Plan, format!("this is no branch, and {main} is applied")),
    }
}

/// A commit by its name; the services write zeros where there is none.
fn commit(name: Option<&str>) -> Option<Since> {
    name.filter(|name| name.chars().any(|digit| digit != '0')).map(|name| Since::Commit(name.to_owned()))
}

fn github(variables: &Variables<'_>, main: Option<&str>) -> Pipeline {
    let event = variables.get("GITHUB_EVENT_PATH").and_then(|path| fs::read(path).ok());
    let event: Value = event.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let main = main.or_else(|| event["repository"]["default_branch"].as_str()).unwrap_or(MAIN);
    let name = variables.get("GITHUB_EVENT_NAME").unwrap_or_default();
    let request = name.starts_with("pull_request") || name == "merge_group";
    let (intent, because) = match request {
        true => (Intent::Plan, format!("the event is {name}")),
        false => by_branch(variables.get("GITHUB_REF").and_then(|it| it.strip_prefix("refs/heads/")), main),
    };
    // A request is checked out as the merge that it would become, whose first parent is the branch that it is for.
    let since = match name {
        "push" => commit(event["before"].as_str()).unwrap_or(Since::Parent),
        "merge_group" => commit(event["merge_group"]["base_sha"].as_str()).unwrap_or(Since::Parent),
        _ => Since::Parent,
    };
    let run = |name: &str| variables.get(name);
    let link = run("GITHUB_SERVER_URL").zip(run("GITHUB_REPOSITORY")).zip(run("GITHUB_RUN_ID"));
    let link = link.map(|((server, repository), run)| format!("{server}/{repository}/actions/runs/{run}"));
    Pipeline { name: Some("GitHub Actions"), intent, because, since, link }
}

fn gitlab(variables: &Variables<'_>, main: Option<&str>) -> Pipeline {
    let main = main.or_else(|| variables.get("CI_DEFAULT_BRANCH")).unwrap_or(MAIN);
    let (intent, because, since) = if let Some(request) = variables.get("CI_MERGE_REQUEST_IID") {
        let since = commit(variables.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"));
        (Intent::Plan, format!("this is merge request {request}"), since)
    } else {
        let (intent, because) = by_branch(variables.get("CI_COMMIT_BRANCH"), main);
        (intent, because, commit(variables.get("CI_COMMIT_BEFORE_SHA")))
    };
    let link = variables.get("CI_JOB_URL").map(str::to_owned);
    Pipeline { name: Some("GitLab CI"), intent, because, since: since.unwrap_or(Since::Parent), link }
}

fn codebuild(variables: &Variables<'_>, main: Option<&str>) -> Pipeline {
    let main = main.unwrap_or(MAIN);
    let event = variables.get("CODEBUILD_WEBHOOK_EVENT").unwrap_or_default();
    let branch = |name: &str| variables.get(name).and_then(|it| it.strip_prefix("refs/heads/"));
    let base = branch("CODEBUILD_WEBHOOK_BASE_REF");
    let (intent, because) = match event {
        "PULL_REQUEST_MERGED" => by_branch(base, main),
        request if request.starts_with("PULL_REQUEST") => (Intent::Plan, format!("the event is {request}")),
        "PUSH" => by_branch(branch("CODEBUILD_WEBHOOK_HEAD_REF"), main),
        // A build that somebody has started names a branch, a tag, a request or a commit.
        _ => by_branch(variables.get("CODEBUILD_SOURCE_VERSION").map(|it| it.trim_start_matches("refs/heads/")), main),
    };
    let since = match (event, base) {
        ("PUSH", _) => commit(variables.get("CODEBUILD_WEBHOOK_PREV_COMMIT")).unwrap_or(Since::Parent),
        (event, Some(base)) if event.starts_with("PULL_REQUEST") && event != "PULL_REQUEST_MERGED" => {
            Since::Branch(format!("origin/{base}"))
        }
        _ => Since::Parent,
    };
    let link = variables.get("CODEBUILD_PUBLIC_BUILD_URL").or_else(|| variables.get("CODEBUILD_BUILD_URL"));
    Pipeline { name: Some("CodeBuild"), intent, because, since, link: link.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(variables: &[(&str, &str)]) -> (Intent, Since) {
        let all = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let pipeline = Pipeline::of(&all, None);
        (pipeline.intent, pipeline.since)
    }

    fn github(event: &str, reference: &str, payload: &str) -> (Intent, Since) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.json");
        fs::write(&path, payload).unwrap();
        pipeline(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REF", reference),
            ("GITHUB_EVENT_PATH", &path.display().to_string()),
        ])
    }

    #[test]
    fn github_plans_requests_and_applies_pushes_to_its_default_branch() {
        const TRUNK: &str = r#"{"before": "abc1", "repository": {"default_branch": "trunk"}}"#;
        let before = Since::Commit("abc1".into());
        assert_eq!(github("pull_request", "refs/pull/7/merge", TRUNK), (Intent::Plan, Since::Parent));
        assert_eq!(github("push", "refs/heads/trunk", TRUNK), (Intent::Apply, before.clone()));
        assert_eq!(github("push", "refs/heads/main", TRUNK), (Intent::Plan, before));
        assert_eq!(github("push", "refs/tags/trunk", "{}"), (Intent::Plan, Since::Parent));
        assert_eq!(github("workflow_dispatch", "refs/heads/main", "no json"), (Intent::Apply, Since::Parent));
        let new = r#"{"before": "0000000000000000000000000000000000000000"}"#;
        assert_eq!(github("push", "refs/heads/main", new), (Intent::Apply, Since::Parent));
        assert_eq!(github("pull_request_target", "refs/heads/main", "{}").0, Intent::Plan);
    }

    #[test]
    fn gitlab_plans_merge_requests_and_applies_its_default_branch() {
        let of = |more: &[(&str, &str)]| {
            let both = [&[("GITLAB_CI", "true"), ("CI_DEFAULT_BRANCH", "main")], more].concat();
            pipeline(&both)
        };
        let request = of(&[("CI_MERGE_REQUEST_IID", "3"), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "b1")]);
        assert_eq!(request, (Intent::Plan, Since::Commit("b1".into())));
        let push = of(&[("CI_COMMIT_BRANCH", "main"), ("CI_COMMIT_BEFORE_SHA", "b2")]);
        assert_eq!(push, (Intent::Apply, Since::Commit("b2".into())));
        assert_eq!(of(&[("CI_COMMIT_TAG", "v1")]).0, Intent::Plan);
    }

    #[test]
    fn codebuild_plans_requests_and_applies_pushes_and_merges_to_main() {
        let of = |more: &[(&str, &str)]| pipeline(&[&[("CODEBUILD_BUILD_ID", "p:1")], more].concat());
        let request = of(&[
            ("CODEBUILD_WEBHOOK_EVENT", "PULL_REQUEST_UPDATED"),
            ("CODEBUILD_WEBHOOK_BASE_REF", "refs/heads/main"),
        ]);
        assert_eq!(request, (Intent::Plan, Since::Branch("origin/main".into())));
        let push = of(&[
            ("CODEBUILD_WEBHOOK_EVENT", "PUSH"),
            ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/main"),
            ("CODEBUILD_WEBHOOK_PREV_COMMIT", "c1"),
        ]);
        assert_eq!(push, (Intent::Apply, Since::Commit("c1".into())));
        let merged = of(&[
            ("CODEBUILD_WEBHOOK_EVENT", "PULL_REQUEST_MERGED"),
            ("CODEBUILD_WEBHOOK_BASE_REF", "refs/heads/main"),
        ]);
        assert_eq!(merged, (Intent::Apply, Since::Parent));
        assert_eq!(of(&[("CODEBUILD_SOURCE_VERSION", "main")]).0, Intent::Apply);
        assert_eq!(of(&[]).0, Intent::Plan);
    }

    #[test]
    fn a_person_at_a_terminal_plans() {
        assert_eq!(pipeline(&[]), (Intent::Plan, Since::Parent));
        let chosen = BTreeMap::from([
            ("GITLAB_CI".to_owned(), "true".to_owned()),
            ("CI_COMMIT_BRANCH".to_owned(), "live".to_owned()),
            ("CI_DEFAULT_BRANCH".to_owned(), "main".to_owned()),
        ]);
        assert_eq!(Pipeline::of(&chosen, Some("live")).intent, Intent::Apply);
    }
}
