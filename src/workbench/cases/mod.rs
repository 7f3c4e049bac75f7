//! Cases of a bundle's own tests: what it is given, and what is to come of it.
//!
//! A case is a YAML file of `tests/`; everything it names lies relative to it.

mod diff;
mod expect;
mod junit;
mod plan;
mod read;
mod update;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

pub use diff::differences;
pub use junit::{Outcome, Suite, junit};
pub use plan::{Change, PlanSeen};
pub use update::with_counts;

use crate::domain::Problems;

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file's name without its end.
    pub name: String,
    /// The path of its file in the bundle, as problems name it.
    pub file: String,
    /// What it is about.
    pub description: Option<String>,
    /// What is deployed.
    pub target: CaseTarget,
    /// The spec, as a file or as it stands.
    pub spec: Option<Given>,
    /// What a deployment would get from elsewhere, in the shape of `proton.auto.tfvars.json`.
    pub values: Option<Given>,
    /// What is to come of it.
    pub expect: Expect,
}

/// Which part of a service a case deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseTarget {
    /// The environment, the component, or the spec's only instance.
    TheOne,
    /// An instance by its name.
    Instance(String),
    /// The pipeline.
    Pipeline,
}

/// A document that a case names, or holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A path, relative to the case's file.
    File(String),
    /// The document itself.
    Here(Value),
}

/// What is to come of a case. Without a word it is to render.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// All files are those of `tests/expected/<case>/`.
    pub snapshot: bool,
    /// Rules by the path of a rendered file.
    pub files: BTreeMap<String, FileRule>,
    /// The bundle refuses what it is given, for these reasons and no others.
    pub refused: Vec<Refusal>,
    /// What Terraform plans, from nothing.
    pub plan: Option<PlanRule>,
}

/// What a rendered file is to be.
#[derive(Debug, Clone)]
pub enum FileRule {
    /// Not there at all.
    Absent,
    /// There, and like this.
    Present(Vec<TextRule>),
}

/// A rule for the text of a file.
#[derive(Debug, Clone)]
pub enum TextRule {
    /// This stands in it.
    Contains(String),
    /// This doesn't.
    Lacks(String),
    /// This regular expression matches somewhere; `^` and `$` are the ends of a line.
    Matches(Regex),
    /// It is this text, but for space at the end.
    Equals(String),
    /// It is JSON with these members, perhaps among others.
    Json(Value),
}

/// One expected problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A part of its message.
    pub says: String,
    /// `file`, `file:line` or `file:line:column`.
    pub at: Option<String>,
}

/// What a plan is to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanRule {
    /// How many resources by what is done with them: `create`, `update`, `replace`, `delete`.
    pub counts: BTreeMap<String, u64>,
    /// The addresses of all that is changed.
    pub addresses: Option<Vec<String>>,
    /// Rules by the address of a resource.
    pub resources: BTreeMap<String, ResourceRule>,
    /// Outputs and their values, as far as they are known before an apply.
    pub outputs: Map<String, Value>,
    /// Terraform refuses to plan, and says this.
    pub fails: Option<String>,
}

/// What is planned for a resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResourceRule {
    /// `create`, `update`, `replace`, `delete`, `read` or `no-op`.
    pub action: Option<String>,
    /// Attributes that it has, perhaps among others.
    pub values: Map<String, Value>,
}

impl Case {
    /// Reads a case; `file` is its path in the bundle.
    ///
    /// # Errors
    /// Every mistake, with line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read::case(file, text)
    }

    /// The name of the case in a file: the file's, without its folder and its end.
    pub fn name_of(file: &str) -> String {
        let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
        name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name).to_owned()
    }
}

#[cfg(test)]
mod tests;
