//! The recipes for pipelines: each file has the shape that its service publishes, and its shell steps do what it says.

mod shapes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::client::{Client, environment_bundle};
use crate::run_dir::Scene;
use crate::support::examples;
use crate::support::plane::{Plane, Start, binary};
use crate::support::process::{command, search_path};
use crate::support::tools::Tools;

/// Prints a YAML file as JSON. `on` is a key here, and no truth value.
const AS_JSON: &str = "
import json, sys, yaml
class Loader(yaml.SafeLoader): pass
Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != 'tag:yaml.org,2002:bool']
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver('tag:yaml.org,2002:bool', __import__('re').compile('^(true|false)$'), list('tf'))
print(json.dumps(yaml.load(open(sys.argv[1]), Loader)))
";

fn python(tools: &Tools, script: &str, arguments: &[&Path]) -> Value {
    let done = command(&tools.python(), &BTreeMap::new()).args(["-c", script]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn recipe(name: &str) -> Value {
    python(Tools::get(), AS_JSON, &[&examples().join("ci").join(name)])
}

/// A pipeline's machine: a folder, a binary to download, a search path that steps may add to.
struct Machine {
    _scene: Option<Scene>,
    env: BTreeMap<String, String>,
    folder: PathBuf,
    home: tempfile::TempDir,
    added: String,
}

impl Machine {
    /// One that has a provisioning repository.
    fn new() -> Self {
        let scene = Scene::new();
        scene.environment("dev", "d-1", "true");
        scene.commit();
        let mut machine = Self::bare();
        machine.env.extend(scene.env.clone());
        machine.env.extend(provided(machine.home.path()));
        Self { folder: scene.repository(), _scene: Some(scene), ..machine }
    }

    /// One without any.
    fn bare() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("work");
        fs::create_dir(&folder).unwrap();
        Self { _scene: None, env: provided(home.path()), folder, home, added: String::new() }
    }

    /// Runs a step as the service does, and gives what it printed.
    fn step(&mut self, shell: &[&str], script: &str, event: &[(&str, &str)]) -> String {
        let mut step = command(Path::new(shell[0]), &self.env);
        step.env("PATH", format!("{}:{}", self.added, search_path().to_string_lossy()));
        step.envs(event.iter().copied()).args(&shell[1..]).arg(script).current_dir(&self.folder);
        let done = step.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}\n{said}");
        self.added = fs::read_to_string(self.home.path().join("path")).unwrap_or_default().trim().replace('\n', ":");
        String::from_utf8(done.stdout).unwrap()
    }
}

/// What a service and a team's variables provide.
fn provided(home: &Path) -> BTreeMap<String, String> {
    let digest = hex::encode(Sha256::digest(fs::read(binary()).unwrap()));
    let provided = [
        ("HADRON_URL", format!("file://{}", binary().display())),
        ("HADRON_SHA256", digest),
        ("HOME", home.display().to_string()),
        ("RUNNER_TEMP", home.display().to_string()),
        ("GITHUB_PATH", home.join("path").display().to_string()),
        ("HADRON_PROVIDER_STORE", home.join("providers").display().to_string()),
    ];
    provided.map(|(name, value)| (name.to_owned(), value)).into()
}

fn lines(commands: &[&Value]) -> Vec<String> {
    commands.iter().flat_map(|list| list.as_array().unwrap()).map(|line| line.as_str().unwrap().to_owned()).collect()
}

const PLANNED: &str = "environment dev (dev): planned, 1 to add, 0 to change, 0 to destroy\n";
const APPLIED: &str = "environment dev (dev): applied, 1 added, 0 changed, 0 destroyed\n  not notified: no endpoint is \
    set (HADRON_ENDPOINT)\n";

#[test]
fn the_steps_for_github_plan_a_request_and_apply_a_push() {
    let scripts = scripts(&recipe("github-actions.yml"), "hadron");
    let mut machine = Machine::new();
    let mut job = |event: &[(&str, &str)]| {
        let bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"];
        scripts.iter().map(|script| machine.step(&bash, script, event)).collect::<String>()
    };
    let on = |name, reference| [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", name), ("GITHUB_REF", reference)];
    assert_eq!(job(&on("pull_request", "refs/pull/1/merge")), PLANNED);
    assert_eq!(job(&on("push", "refs/heads/main")), APPLIED);
}

#[test]
fn the_job_for_gitlab_plans_a_merge_request_and_applies_the_default_branch() {
    let recipe = recipe("gitlab.yml");
    let script = lines(&[&recipe[".hadron"]["before_script"], &recipe[".hadron"]["script"]]).join("\n");
    let mut machine = Machine::new();
    let common = [("GITLAB_CI", "true"), ("CI_DEFAULT_BRANCH", "main")];
    let mut job = |more: &[(&str, &str)]| machine.step(&["sh", "-ec"], &script, &[&common[..], more].concat());
    assert_eq!(job(&[("CI_MERGE_REQUEST_IID", "4")]), PLANNED);
    assert_eq!(job(&[("CI_COMMIT_BRANCH", "main")]), APPLIED);
}

#[test]
fn the_phases_for_codebuild_plan_a_request_and_apply_a_push() {
    let phases = recipe("codebuild.yml")["phases"].clone();
    let commands = lines(&[&phases["install"]["commands"], &phases["build"]["commands"]]);
    let mut machine = Machine::new();
    let mut build = |more: &[(&str, &str)]| {
        let event = [&[("CODEBUILD_BUILD_ID", "hadron:1")], more].concat();
        commands.iter().map(|line| machine.step(&["sh", "-c"], line, &event)).collect::<String>()
    };
    // Its base is the commit before, since this repository has no other.
    assert_eq!(build(&[("CODEBUILD_WEBHOOK_EVENT", "PULL_REQUEST_CREATED")]), PLANNED);
    let push = [("CODEBUILD_WEBHOOK_EVENT", "PUSH"), ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/main")];
    assert_eq!(build(&push), APPLIED);
}

/// The scripts of a workflow's only job.
fn scripts(workflow: &Value, job: &str) -> Vec<String> {
    let steps = workflow["jobs"][job]["steps"].as_array().unwrap().iter();
    steps.filter_map(|step| Some(step["run"].as_str()?.to_owned())).collect()
}

/// A job for a one-shot agent: the shell that its service starts for each script, and the scripts.
fn one_shots() -> [(&'static [&'static str], Vec<String>); 3] {
    let gitlab = recipe("gitlab-agent.yml")["agent"].clone();
    let phases = recipe("codebuild-agent.yml")["phases"].clone();
    let job = lines(&[&gitlab["before_script"], &gitlab["script"]]).join("\n");
    let commands = ["install", "build", "post_build"].map(|phase| phases[phase]["commands"].clone());
    [
        (
            &["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"],
            scripts(&recipe("github-actions-agent.yml"), "agent"),
        ),
        (&["sh", "-ec"], vec![job, lines(&[&gitlab["after_script"]]).join("\n")]),
        (&["sh", "-c"], lines(&commands.each_ref())),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_one_shot_agent_deploys_what_is_pending_and_its_last_step_has_nothing_left() {
    let plane = Plane::serve(Start::default());
    let user = Client::of(&plane).await;
    let main = "output \"Name\" {\n  value = var.environment.name\n}\n";
    user.environment_template("net", environment_bundle(&["word"], main)).await;
    for (number, (shell, scripts)) in one_shots().into_iter().enumerate() {
        let name = format!("env-{number}");
        user.create_environment(&name, "net", "word: a").await;
        let mut machine = Machine::bare();
        let exported = plane.exported();
        let token = machine.home.path().join("token").display().to_string();
        let of_the_job = [
            ("HADRON_ENDPOINT", plane.endpoint()),
            ("HADRON_ACCESS_KEY_ID", &exported["AWS_ACCESS_KEY_ID"]),
            ("HADRON_SECRET_ACCESS_KEY", &exported["AWS_SECRET_ACCESS_KEY"]),
            ("DEPLOYMENT", ""),
            ("TOKEN", "a-token"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
        ];
        let printed: String = scripts.iter().map(|script| machine.step(shell, script, &of_the_job)).collect();
        let mut printed = printed.lines();
        let done = printed.next().unwrap();
        assert!(done.starts_with(&format!("environment {name}: done, 0 added, ")), "{done}");
        assert_eq!(printed.collect::<Vec<_>>(), ["nothing to do: no deployment is pending"]);
        user.deployed(&name).await;
    }
}
