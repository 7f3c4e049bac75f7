//! Template bundles: an archive of a schema and of the infrastructure code that it feeds.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-template-authoring.html>

mod archive;
mod checked;
mod component;
mod intake;
mod layout;
mod left_over;
mod manifest;
mod pack;
mod terraform;

use std::collections::BTreeMap;

pub use archive::unpack;
pub use checked::{check_alone, check_bundle, check_part, examine_bundle, has_pipeline, open_bundle, open_bundle_of};
pub use component::pack_component;
pub use intake::Intake;
pub use left_over::is_left_by_terraform;
pub use pack::pack;

use super::{Problem, Schema, Target};

/// Files by their path, which is relative and separated by `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Terraform's dependency lock file, at the root of a part's folder: which version of each provider it is deployed with.
///
/// <https://developer.hashicorp.com/terraform/language/files/dependency-lock>
pub const LOCK_FILE: &str = ".terraform.lock.hcl";

/// The values of the generated variables, beside an author's files.
pub const VALUES_FILE: &str = "proton.auto.tfvars.json";

/// The note of what was deployed.
pub const METADATA_FILE: &str = ".proton/deployment-metadata.json";

/// Where the state is kept. Terraform merges override files in the order of their names, so ours has one that comes late.
///
/// <https://developer.hashicorp.com/terraform/language/files/override>
pub const BACKEND_FILE: &str = "zzzz_hadron_backend_override.tf.json";

/// Files that are generated for every deployment of Terraform code, and that a bundle can't bring along.
pub const GENERATED_FILES: [&str; 3] = [VALUES_FILE, METADATA_FILE, BACKEND_FILE];

/// What a bundle is told that brings one of [`GENERATED_FILES`] along.
pub fn generated_file(file: String) -> Problem {
    Problem::of(file, "is a file that Proton generates", "rename it or take it out of the bundle")
}

/// The key, in a bundle's bucket, of the lock that the first deployment of a part has recorded.
pub fn lock_key(digest: &str, role: Role) -> String {
    format!("locks/sha256/{digest}/{}.hcl", role.name())
}

/// What a bundle is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// `schema/` and `infrastructure/`.
    Environment,
    /// `schema/`, `instance_infrastructure/` and, unless the customer manages it, `pipeline_infrastructure/`.
    Service,
    /// `infrastructure/` alone, made by [`pack_component`].
    Component,
}

impl BundleKind {
    /// What a target's bundle is for.
    pub fn of(target: &Target) -> Self {
        match target {
            Target::Environment { .. } => Self::Environment,
            Target::ServiceInstance { .. } | Target::ServicePipeline { .. } => Self::Service,
            Target::Component { .. } => Self::Component,
        }
    }
}

/// What a part provisions, and so which variables it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Role {
    Environment,
    Instance,
    Pipeline,
    Component,
}

impl Role {
    /// What provisions a target.
    pub fn of(target: &Target) -> Self {
        match target {
            Target::Environment { .. } => Self::Environment,
            Target::ServiceInstance { .. } => Self::Instance,
            Target::ServicePipeline { .. } => Self::Pipeline,
            Target::Component { .. } => Self::Component,
        }
    }

    /// The role in a word, as keys of objects have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Instance => "instance",
            Self::Pipeline => "pipeline",
            Self::Component => "component",
        }
    }

    /// The name of the generated file that declares the variables. A bundle may hold a copy of it, so that its author can
    /// run `terraform validate`.
    pub fn variables_file(self) -> &'static str {
        match self {
            Self::Environment => "proton.environment.variables.tf",
            Self::Instance => "proton.service_instance.variables.tf",
            Self::Pipeline => "proton.pipeline.variables.tf",
            Self::Component => "proton.component.variables.tf",
        }
    }

    /// The names of the variables that the generated file declares.
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Environment => &["environment", "proton_tags"],
            Self::Instance => &["environment", "service", "service_instance", "proton_tags"],
            Self::Pipeline => &["service_instances", "service", "pipeline", "proton_tags"],
            Self::Component => &["component", "environment", "service", "service_instance", "proton_tags"],
        }
    }
}

/// What turns a part's files into infrastructure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A Terraform module, which gets its inputs as variables.
    Hcl,
    /// One `CloudFormation` template with Jinja2 in it.
    Jinja,
}

/// One infrastructure folder of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The folder's name in the bundle.
    pub folder: String,
    /// The manifest's `rendering_engine`.
    pub engine: Engine,
    /// The paths that the manifest selects, relative to the folder, in order.
    pub templates: Vec<String>,
    /// What is to be laid out: the templates and whatever lies beside and below them, without the manifest and without
    /// Terraform files of the folder itself that the manifest doesn't select. Relative to the folder.
    pub files: Files,
}

/// A checked bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Absent in components only.
    pub schema: Option<Schema>,
    /// The schema as it was written.
    pub schema_text: Option<String>,
    /// Of an environment (unless the customer manages it) or a component.
    pub infrastructure: Option<Part>,
    /// Of a service.
    pub instance: Option<Part>,
    /// Of a service with a pipeline.
    pub pipeline: Option<Part>,
}

impl Bundle {
    /// Every part with what it provisions. `infrastructure` is a component's where there is no schema.
    pub fn parts(&self) -> Vec<(Role, &Part)> {
        let first = if self.schema_text.is_some() { Role::Environment } else { Role::Component };
        let parts = [(first, &self.infrastructure), (Role::Instance, &self.instance), (Role::Pipeline, &self.pipeline)];
        parts.into_iter().filter_map(|(role, part)| Some((role, part.as_ref()?))).collect()
    }

    /// The part that provisions a target.
    pub fn part_for(&self, target: &Target) -> Option<&Part> {
        match target {
            Target::Environment { .. } | Target::Component { .. } => self.infrastructure.as_ref(),
            Target::ServiceInstance { .. } => self.instance.as_ref(),
            Target::ServicePipeline { .. } => self.pipeline.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests;
