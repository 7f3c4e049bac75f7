//! Plain Terraform in a directory as Proton hands it over: the author's files, the generated variables, the inputs.
//!
//! Written by hand, without Hadron's renderer, so that the examples are proved by themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::process::command;

/// The variable file that Proton generates beside a template of this kind.
pub(crate) const ENVIRONMENT: &str = r#"
variable "environment" {
  type = object({
    inputs = any
    name   = string
  })
  default = null
}
"#;
/// Beside a service instance.
pub(crate) const SERVICE_INSTANCE: &str = r#"
variable "environment" {
  type = object({
    account_id = string
    name       = string
    outputs    = map(string)
  })
  default = null
}

variable "service" {
  type = object({
    name                      = string
    branch_name               = string
    repository_connection_arn = string
    repository_id             = string
  })
}

variable "service_instance" {
  type = object({
    name       = string
    inputs     = any
    components = map(any)
  })
  default = null
}
"#;
/// Beside a pipeline.
pub(crate) const PIPELINE: &str = r#"
variable "service_instances" {
  type = list(
    object({
      name    = string
      inputs  = any
      outputs = map(string)
      environment = object({
        account_id = string
        name       = string
        outputs    = map(string)
      })
    })
  )
}

variable "service" {
  type = object({
    name                      = string
    branch_name               = string
    repository_connection_arn = string
    repository_id             = string
  })
  default = null
}

variable "pipeline" {
  type = object({
    inputs = any
  })
  default = null
}
"#;
/// Beside a component.
pub(crate) const COMPONENT: &str = r#"
variable "component" {
  type = object({
    name = string
  })
}

variable "environment" {
  type = object({
    account_id = string
    name       = string
    outputs    = map(string)
  })
}

variable "service" {
  type = object({
    name = string
  })
  default = null
}

variable "service_instance" {
  type = object({
    name   = string
    inputs = any
  })
  default = null
}
"#;
/// Beside all of them.
const TAGS: &str = r#"
variable "proton_tags" {
  type    = map(string)
  default = null
}
"#;

/// Outputs by name, as text.
pub(crate) type Outputs = BTreeMap<String, String>;

/// A directory in which Terraform works, its state beside the files.
pub(crate) struct Directory {
    folder: TempDir,
    env: BTreeMap<String, String>,
}

impl Directory {
    /// A copy of the template's folder with the generated variables. `env` is all that Terraform sees.
    pub(crate) fn new(template: &Path, variables: &str, env: BTreeMap<String, String>) -> Self {
        let folder = TempDir::new().unwrap();
        copy(template, folder.path());
        fs::write(folder.path().join("proton.variables.tf"), [variables, TAGS].concat()).unwrap();
        Self { folder, env }
    }

    /// Where it is, for more files.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Applies the template with these inputs and gives the outputs as Proton keeps them.
    pub(crate) fn apply(&self, inputs: &Value) -> Outputs {
        fs::write(self.path().join("proton.auto.tfvars.json"), inputs.to_string()).unwrap();
        if !self.path().join(".terraform").exists() {
            self.terraform(&["init", "-input=false"]);
        }
        self.terraform(&["apply", "-auto-approve", "-input=false"]);
        let outputs: Map<String, Value> = serde_json::from_str(&self.terraform(&["output", "-json"])).unwrap();
        outputs.into_iter().map(|(name, output)| (name, as_text(&output["value"]))).collect()
    }

    /// Destroys everything again.
    pub(crate) fn destroy(&self) {
        self.terraform(&["destroy", "-auto-approve", "-input=false"]);
        assert_eq!(self.terraform(&["state", "list"]), "");
    }

    /// Runs one command, which must succeed and warn of nothing.
    fn terraform(&self, arguments: &[&str]) -> String {
        let mut terraform = command(Path::new("terraform"), &self.env);
        terraform.args(arguments).arg("-no-color").current_dir(self.path()).env("HOME", self.path());
        terraform.env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
        // `state list` and `output` don't know every flag that the others do, but all know -no-color.
        if arguments[0] == "state" {
            terraform = command(Path::new("terraform"), &self.env);
            terraform.args(arguments).current_dir(self.path());
        }
        let done = terraform.output().expect("terraform is on PATH");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "terraform {arguments:?}\n{}\n{}", said(&done.stdout), said(&done.stderr));
        said(&done.stdout)
    }
}

/// Copies a folder and all below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Proton's outputs are text: scalars as they are, everything else as JSON.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
