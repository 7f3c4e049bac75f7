//! Checked bundle and inputs in, files out; the same input gives the same bytes.
//!
//! What a repository looked like that Proton provisioned into, so does a work directory of Hadron: the bundle's files
//! with a banner, the variables they may use, the values, and a note of what was deployed. A `CloudFormation` template
//! becomes a Terraform module that makes a stack of it.

mod banner;
mod cloudformation;
mod jinja;
mod mention;
mod metadata;
mod pretty;
mod variables;

pub use mention::{Mention, Step, mentions, path_name};

use serde_json::Value;

use crate::domain::{
    Engine, Files, GENERATED_FILES, METADATA_FILE, Part, Problem, Problems, Role, Target, VALUES_FILE, generated_file,
};

/// What is to be rendered.
#[derive(Debug)]
pub struct Request<'a> {
    /// What it provisions.
    pub target: &'a Target,
    /// The target's ARN, as the files name it.
    pub arn: &'a str,
    /// The bundle's files for it.
    pub part: &'a Part,
    /// The tfvars document.
    pub inputs: &'a Value,
    /// What the note of the deployment says.
    pub metadata: Metadata,
    /// Where a `CloudFormation` template can be read that is too large to be handed over as text; see [`Rendered`].
    pub stack_template_url: Option<&'a str>,
}

/// What `.proton/deployment-metadata.json` is made of; ARNs without a version.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// The deployment's id; replaced by a fixed word once the resource is deleted.
    pub deployment_id: String,
    /// Absent for components, which have none.
    pub template_arn: Option<String>,
    /// Major and minor.
    pub template_version: Option<(String, String)>,
    /// Of a service instance and a component.
    pub environment_arn: Option<String>,
    /// Of an attached component.
    pub service_arn: Option<String>,
    /// Of an attached component.
    pub service_instance_arn: Option<String>,
    /// Whether the files serve a destroy.
    pub is_resource_deleted: bool,
}

/// A work directory's files.
#[derive(Debug)]
pub struct Rendered {
    /// By their path in the work directory.
    pub files: Files,
    /// A `CloudFormation` template over 51,200 bytes: it must be uploaded, and [`Request::stack_template_url`] name it in a
    /// second rendering. Absent once it does.
    pub large_template: Option<String>,
}

/// Renders one target.
///
/// # Errors
/// What is wrong with the bundle's templates for these inputs, all of it at once.
pub fn render(request: &Request<'_>) -> Result<Rendered, Problems> {
    let (mut files, large_template) = match request.part.engine {
        Engine::Hcl => (terraform_files(request)?, None),
        Engine::Jinja => cloudformation::files(request)?,
    };
    files.extend([values_file(request.inputs)]);
    let metadata = metadata::document(request);
    files.insert(METADATA_FILE.to_owned(), pretty::print(&metadata).into_bytes());
    Ok(Rendered { files, large_template })
}

/// What a rendered `CloudFormation` template declares: the names of its outputs.
///
/// # Errors
/// Text that is no template.
pub fn stack_outputs(file: &str, text: &str) -> Result<Vec<String>, Problem> {
    cloudformation::outputs(file, text)
}

/// The file that gives the variables their values, for these inputs.
pub fn values_file(inputs: &Value) -> (String, Vec<u8>) {
    (VALUES_FILE.to_owned(), pretty::print(inputs).into_bytes())
}

/// The comments in a target's files that name it and mean nothing to Terraform: what stands at the end of its author's
/// files, and at the beginning of the generated ones.
pub fn comments(arn: &str) -> Vec<String> {
    let texts = [false, true].map(|is_resource_deleted| banner::text(arn, is_resource_deleted));
    texts.iter().flat_map(|text| [format!("\n{text}"), format!("{text}\n")]).collect()
}

/// The files of a part that say which providers and modules it needs, its lock file among them. They depend on no inputs:
/// `init` can look at them, nothing else.
pub fn requirements(part: &Part) -> Files {
    match part.engine {
        Engine::Hcl => part.files.clone(),
        Engine::Jinja => cloudformation::requirements(part),
    }
}

/// The bundle's files, and the declaration of the variables that Proton gives them.
fn terraform_files(request: &Request<'_>) -> Result<Files, Problems> {
    let banner = banner::text(request.arn, request.metadata.is_resource_deleted);
    let generated = Role::of(request.target).variables_file();
    let mut problems = Problems::default();
    let mut files = Files::new();
    for (path, bytes) in &request.part.files {
        if GENERATED_FILES.contains(&path.as_str()) {
            problems.push(generated_file(format!("{}/{path}", request.part.folder)));
        } else if path != generated {
            // A bundle may hold a copy of the generated file, so that its author can run `terraform validate`.
            files.insert(path.clone(), signed(&banner, path, bytes));
        }
    }
    let declarations = variables::declarations(request.target, request.inputs);
    files.insert(generated.to_owned(), [banner.as_bytes(), b"\n", declarations.as_bytes()].concat());
    problems.unless_any(|| files)
}

/// The author's file with the banner behind it: the lines that Terraform names in its messages are then the author's.
fn signed(banner: &str, path: &str, bytes: &[u8]) -> Vec<u8> {
    if path.contains('/') || path.strip_suffix(".tf").is_none() {
        return bytes.to_vec();
    }
    let end: &[u8] = if bytes.ends_with(b"\n") || bytes.is_empty() { b"" } else { b"\n" };
    [bytes, end, b"\n", banner.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
