//! What a provisioning repository says, as it says it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::{Files, Scope, Target};

/// The files of one repository at one commit, handed in by whoever read it.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The repository as the user named it, for messages.
    pub name: String,
    /// Path within the repository to content. Symbolic links that lead out of the tree aren't here; they are in `skipped`.
    pub files: Files,
    /// What could not be read, and why: links out of the tree, files that are too large.
    pub skipped: Vec<(String, String)>,
}

/// Where something lies: a repository, and a path in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// [`Tree::name`].
    pub repository: String,
    /// Path within it, without a slash at either end; empty for the root.
    pub path: String,
}

/// Everything that was found in all repositories.
#[derive(Debug, Clone, Default)]
pub struct Estate {
    /// Every directory of Proton's that could be read, deleted ones included, in the order of place.
    pub resources: Vec<Resource>,
    /// `env_config.json` of each repository that has one.
    pub configs: Vec<EnvConfig>,
    /// What is wrong or doubtful, each with its place. Nothing that could be read is left out because of it.
    pub troubles: Vec<Trouble>,
}

/// One directory that Proton rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The directory.
    pub place: Place,
    /// The resource's ARN by its metadata; a pipeline's without the id that it may carry there.
    pub arn: String,
    /// Account and region of the ARN.
    pub scope: Scope,
    /// What the ARN names.
    pub target: Target,
    /// The template and version; components have none.
    pub version: Option<VersionRef>,
    /// The last deployment's id; `None` where Proton wrote `<proton-resource-deleted>`.
    pub deployment_id: Option<String>,
    /// `isResourceDeleted`, or the sentinel, or the banner says so.
    pub deleted: bool,
    /// Name of the environment: of itself, or the one it lies in. `None` for pipelines.
    pub environment: Option<String>,
    /// Inputs from the spec: of the environment, the instance or the pipeline.
    pub inputs: Map<String, Value>,
    /// What the values say of the service; instances and pipelines.
    pub service: Option<ServiceValues>,
    /// Components only.
    pub component: Option<ComponentFacts>,
    /// `proton.auto.tfvars.json`, whole, keys in the order of the file.
    pub values: Value,
    /// The generated variables file.
    pub generated: Option<Generated>,
    /// The author's files, without banner.
    pub code: Vec<CodeFile>,
    /// `.proton/deployment-metadata.json`, whole.
    pub metadata: Value,
}

/// A template version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionRef {
    /// Unversioned ARN of the template.
    pub template_arn: String,
    /// The template's name.
    pub template: String,
    /// Major and minor, as Proton writes them: decimal text.
    pub major: String,
    /// Minor version.
    pub minor: String,
}

/// `service` of the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceValues {
    /// The service's name.
    pub name: String,
    /// Branch; empty without a pipeline.
    pub branch_name: String,
    /// CodeStar connection or Proton repository; empty without a pipeline.
    pub repository_connection_arn: String,
    /// The repository's id; empty without a pipeline.
    pub repository_id: String,
}

/// What only components have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentFacts {
    /// `componentType`: `default`, or `CUSTOM_ISOLATED` in the preview.
    pub kind: Option<String>,
    /// The service that it is attached to.
    pub service: Option<String>,
    /// The instance that it is attached to.
    pub instance: Option<String>,
}

/// An author's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFile {
    /// Path within the directory.
    pub path: String,
    /// Content without banner.
    pub body: Vec<u8>,
    /// The banner that stood above it.
    pub banner: Option<Banner>,
}

/// Proton's comment above a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// The text, `/*` to `*/`, line ends normalised.
    pub text: String,
    /// It says that the resource has been deleted.
    pub deleted: bool,
}

/// `proton.*.variables.tf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// File name.
    pub name: String,
    /// Content without banner.
    pub body: String,
    /// The banner that stood above it.
    pub banner: Option<Banner>,
}

/// `env_config.json`: by environment, `*` or `pipeline`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvConfig {
    /// [`Tree::name`] of the repository that it lies in.
    pub repository: String,
    /// Key to region, role and state bucket.
    pub entries: BTreeMap<String, SiteEntry>,
}

/// An entry of `env_config.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteEntry {
    /// Role that the workflow assumed.
    pub role: Option<String>,
    /// Region of the resources, and of the state bucket.
    pub region: Option<String>,
    /// Bucket of Terraform's state.
    pub state_bucket: Option<String>,
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// How bad it is.
    pub kind: TroubleKind,
    /// Where.
    pub place: Place,
    /// Line in the file, from 1, where known.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// The directory couldn't be read; everything else was.
    Unreadable,
    /// Things contradict each other; what was taken is said.
    Inconsistent,
    /// Good to know.
    Note,
}
