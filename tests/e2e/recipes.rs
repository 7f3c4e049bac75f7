//! The recipes for pipelines: each file has the shape that its service publishes, and its shell steps do what it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::run_dir::Scene;
use crate::support::examples;
use crate::support::plane::binary;
use crate::support::process::{command, search_path};
use crate::support::tools::Tools;

/// A package that carries the services' published schemas.
const SCHEMAS: &str = "check-jsonschema==0.39.0 \
    --hash=sha256:14ce5c94871c551268ea948ffe21e9f1464dc48fb20bf9a4c13deeaaf756cf9b\n";

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

/// Prints what a document breaks of a schema.
const VALIDATE: &str = "
import json, sys, jsonschema
schema, document = (json.load(open(path)) for path in sys.argv[1:])
print(json.dumps([error.message[:300] for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(document)]))
";

fn python(tools: &Tools, script: &str, arguments: &[&Path]) -> Value {
    let done = command(&tools.python(), &BTreeMap::new()).args(["-c", script]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn recipe(name: &str) -> Value {
    python(Tools::get(), AS_JSON, &[&examples().join("ci").join(name)])
}

/// The folder of the services' schemas, installed once.
fn schemas() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("schemas");
        let schemas = folder.join("check_jsonschema/builtin_schemas/vendor");
        if !schemas.exists() {
            fs::create_dir_all(&folder).unwrap();
            let pinned = folder.join("requirements.txt");
            fs::write(&pinned, SCHEMAS).unwrap();
            let new = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
            #[expect(clippy::disallowed_methods, reason = "pip's own configuration may stand in the environment")]
            let mut pip = std::process::Command::new(Tools::get().python());
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--no-deps",
                "--require-hashes",
                "--no-compile",
            ]);
            let done = pip.arg("--target").arg(new.path()).arg("--requirement").arg(&pinned).output().unwrap();
            assert!(done.status.success(), "pip: {}", String::from_utf8_lossy(&done.stderr));
            fs::rename(new.path().join("check_jsonschema"), folder.join("check_jsonschema")).unwrap();
        }
        schemas
    })
}

#[test]
fn each_recipe_has_the_shape_that_its_service_publishes() {
    for (name, schema) in [("github-actions.yml", "github-workflows.json"), ("gitlab.yml", "gitlab-ci.json")] {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("document.json");
        fs::write(&document, recipe(name).to_string()).unwrap();
        let broken = python(Tools::get(), VALIDATE, &[&schemas().join(schema), &document]);
        assert_eq!(broken, json!([]), "{name}");
    }
    // Nobody publishes one of build specifications: what it may hold stands in
    // https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
    let spec = recipe("codebuild.yml");
    assert_eq!(spec["version"], 0.2);
    let within = |value: &Value, known: &[&str]| {
        let unknown: Vec<_> = value.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    };
    within(&spec, &["version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"]);
    let env =
        ["shell", "variables", "parameter-store", "exported-variables", "secrets-manager", "git-credential-helper"];
    within(&spec["env"], &env);
    within(&spec["phases"], &["install", "pre_build", "build", "post_build"]);
    for phase in spec["phases"].as_object().unwrap().values() {
        within(phase, &["run-as", "on-failure", "runtime-versions", "commands", "finally"]);
        assert!(phase["commands"].as_array().unwrap().iter().all(Value::is_string));
    }
    within(&spec["cache"], &["key", "fallback-keys", "action", "paths"]);
}

/// A pipeline's machine: the repository, a binary to download, a search path that steps may add to.
struct Machine {
    scene: Scene,
    home: tempfile::TempDir,
    added: String,
}

impl Machine {
    fn new() -> Self {
        let mut scene = Scene::new();
        let digest = hex::encode(Sha256::digest(fs::read(binary()).unwrap()));
        let home = tempfile::tempdir().unwrap();
        let provided = [
            ("HADRON_URL", format!("file://{}", binary().display())),
            ("HADRON_SHA256", digest),
            ("HOME", home.path().display().to_string()),
            ("RUNNER_TEMP", home.path().display().to_string()),
            ("GITHUB_PATH", home.path().join("path").display().to_string()),
            ("HADRON_PROVIDER_STORE", home.path().join("providers").display().to_string()),
        ];
        scene.env.extend(provided.map(|(name, value)| (name.to_owned(), value)));
        scene.environment("dev", "d-1", "true");
        scene.commit();
        Self { scene, home, added: String::new() }
    }

    /// Runs a step as the service does, and gives what it printed.
    fn step(&mut self, shell: &[&str], script: &str, event: &[(&str, &str)]) -> String {
        let mut step = command(Path::new(shell[0]), &self.scene.env);
        step.env("PATH", format!("{}:{}", self.added, search_path().to_string_lossy()));
        step.envs(event.iter().copied()).args(&shell[1..]).arg(script).current_dir(self.scene.repository());
        let done = step.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}\n{said}");
        self.added = fs::read_to_string(self.home.path().join("path")).unwrap_or_default().trim().replace('\n', ":");
        String::from_utf8(done.stdout).unwrap()
    }
}

fn lines(commands: &[&Value]) -> Vec<String> {
    commands.iter().flat_map(|list| list.as_array().unwrap()).map(|line| line.as_str().unwrap().to_owned()).collect()
}

const PLANNED: &str = "environment dev (dev): planned, 1 to add, 0 to change, 0 to destroy\n";
const APPLIED: &str = "environment dev (dev): applied, 1 added, 0 changed, 0 destroyed\n  not notified: no endpoint is \
    set (HADRON_ENDPOINT)\n";

#[test]
fn the_steps_for_github_plan_a_request_and_apply_a_push() {
    let steps = &recipe("github-actions.yml")["jobs"]["hadron"]["steps"];
    let scripts: Vec<_> = steps.as_array().unwrap().iter().filter_map(|step| step["run"].as_str()).collect();
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
