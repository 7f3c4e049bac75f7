//! A copy of `modules/` beside an emulated AWS, in which Terraform works as a user's would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::permissions;
use crate::plain::copy;
use crate::support::moto::Moto;
use crate::support::process::command;
use crate::support::tools::Tools;

/// The folder of the modules in this repository.
pub(super) fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("modules")
}

/// What Terraform said.
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// The modules and Terraform, set to work in one folder.
pub(super) struct Workplace {
    copied: TempDir,
    folder: PathBuf,
    pub(super) env: BTreeMap<String, String>,
}

impl Workplace {
    /// In this folder below `modules/`.
    pub(super) fn new(folder: &str) -> Self {
        let copied = TempDir::new().unwrap();
        copy(&modules(), copied.path());
        let set = |name: &str, value: String| (name.to_owned(), value);
        let env = [
            set("TF_CLI_CONFIG_FILE", Tools::get().terraform_rc().display().to_string()),
            set("AWS_REGION", "us-east-1".into()),
            set("HOME", copied.path().display().to_string()),
            set("CHECKPOINT_DISABLE", "1".into()),
            set("TF_IN_AUTOMATION", "1".into()),
        ];
        let folder = copied.path().join(folder);
        Self { copied, folder, env: env.into() }
    }

    pub(super) fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where nothing else lies.
    pub(super) fn scratch(&self) -> PathBuf {
        self.copied.path().join("scratch")
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Said {
        let mut terraform = command(Path::new("terraform"), &self.env);
        let done = terraform.args(arguments).current_dir(&self.folder).output().expect("terraform is on PATH");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: done.status.code().unwrap_or(-1), out: text(&done.stdout), err: text(&done.stderr) }
    }

    pub(super) fn ok(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "terraform {arguments:?}\n{}\n{}", said.out, said.err);
        said.out
    }
}

/// A module's example, in an account of its own.
pub(super) struct Example {
    pub(super) moto: Moto,
    pub(super) place: Workplace,
}

/// A resource as the account has it.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) address: String,
    pub(super) values: Value,
}

impl Example {
    pub(super) fn of(module: &str) -> Self {
        let moto = Moto::start(Tools::get());
        let mut place = Workplace::new(&format!("{module}/examples/basic"));
        moto.write_overlay(place.folder());
        place.ok(&["init", "-input=false", "-no-color"]);
        // The provider tells then what it asks.
        place.env.insert("TF_LOG".into(), "DEBUG".into());
        place.env.insert("TF_LOG_PATH".into(), place.folder().join("terraform.log").display().to_string());
        // Only the examples that have tasks ask for a network.
        if ["agent", "control-plane"].contains(&module) {
            let given = moto.boto3(Tools::get(), include_str!("network.py"));
            let given = given.as_object().unwrap().iter();
            place.env.extend(given.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())));
        }
        Self { moto, place }
    }

    /// Applies it, and gives what there is then. Nothing is warned of, and a second plan has nothing to do.
    pub(super) fn apply(&self) -> Vec<Resource> {
        let verdict: Value = serde_json::from_str(&self.place.ok(&["validate", "-json"])).unwrap();
        assert_eq!((&verdict["valid"], &verdict["diagnostics"]), (&json!(true), &json!([])), "{verdict:#}");
        self.place.ok(&["apply", "-auto-approve", "-input=false", "-no-color"]);
        let again = self.place.run(&["plan", "-detailed-exitcode", "-input=false", "-no-color"]);
        assert_eq!(again.code, 0, "a second plan changes something\n{}\n{}", again.out, again.err);
        let shown: Value = serde_json::from_str(&self.place.ok(&["show", "-json"])).unwrap();
        resources(&shown["values"]["root_module"])
    }

    /// Destroys it, and looks that nothing is left, and that all of it took what the module's README says and no more.
    pub(super) fn destroy(&self) {
        self.place.ok(&["destroy", "-auto-approve", "-input=false", "-no-color"]);
        assert_eq!(self.moto.boto3(Tools::get(), include_str!("left.py")), json!({}));
        let readme = fs::read_to_string(self.place.folder().join("../../README.md")).unwrap();
        let log = fs::read_to_string(self.place.folder().join("terraform.log")).unwrap();
        assert_eq!(permissions::told(&readme), permissions::asked(&log));
    }
}

fn resources(module: &Value) -> Vec<Resource> {
    let own = module["resources"].as_array().into_iter().flatten().map(|it| Resource {
        kind: it["type"].as_str().unwrap().to_owned(),
        address: it["address"].as_str().unwrap().to_owned(),
        values: it["values"].clone(),
    });
    let below = module["child_modules"].as_array().into_iter().flatten().flat_map(resources);
    own.chain(below).collect()
}

/// The one resource of this kind whose address ends like this.
pub(super) fn one<'a>(resources: &'a [Resource], kind: &str, ending: &str) -> &'a Value {
    let mut found = resources.iter().filter(|it| it.kind == kind && it.address.ends_with(ending));
    let first = found.next().unwrap_or_else(|| panic!("no {kind} …{ending} in {resources:#?}"));
    assert!(found.next().is_none(), "several {kind} …{ending}");
    &first.values
}

/// A policy, or another document that stands as JSON in a resource.
pub(super) fn document(value: &Value) -> Value {
    serde_json::from_str(value.as_str().unwrap_or_else(|| panic!("{value} is no text"))).unwrap()
}
