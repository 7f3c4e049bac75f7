//! The files of a directory: Proton's values and variables, the author's code, and what people laid beside.

use super::banner;
use super::directory::Directory;
use super::text;
use super::{METADATA, VALUES};
use crate::domain::Target;
use crate::estate::{CodeFile, Generated};

/// A directory's files by what they are.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) generated: Option<Generated>,
    pub(super) code: Vec<CodeFile>,
    /// Values that somebody wrote for Terraform.
    pub(super) own_values: Vec<String>,
    /// Everything else: not imported.
    pub(super) beside: Vec<String>,
    /// Code that can't be: no UTF-8.
    pub(super) no_text: Vec<String>,
    /// Code with a merge in it: the file, and what is wrong.
    pub(super) broken: Option<(String, text::Broken)>,
}

/// Sorts the files of a directory.
pub(super) fn sort(directory: &Directory<'_>, target: &Target, arn: &str) -> Sorted {
    let mut sorted = Sorted::default();
    let mut rest = Vec::new();
    let mut declarations = Vec::new();
    for (&path, &bytes) in &directory.files {
        if path == VALUES || path == METADATA || path.starts_with(".proton/") {
            continue;
        }
        if is_generated(path) {
            declarations.push((path, bytes));
        } else if is_terraforms(path) {
            sorted.take(path, bytes, arn);
        } else {
            rest.push((path, bytes));
        }
    }
    let own = generated_name(target);
    let at = declarations.iter().position(|(path, _)| *path == own).or((!declarations.is_empty()).then_some(0));
    if let Some(at) = at {
        let (path, bytes) = declarations.remove(at);
        sorted.generated(path, bytes, arn);
    }
    sorted.beside.extend(declarations.iter().map(|(path, _)| (*path).to_owned()));
    sorted.rest(&rest);
    sorted.code.sort_by(|a, b| a.path.cmp(&b.path));
    sorted
}

impl Sorted {
    fn take(&mut self, path: &str, bytes: &[u8], arn: &str) {
        if std::str::from_utf8(bytes).is_err() {
            return self.no_text.push(path.to_owned());
        }
        if let Some(broken) = text::merge_leftover(bytes) {
            self.broken.get_or_insert((path.to_owned(), broken));
        }
        let (banner, body) = banner::split(bytes, arn);
        self.code.push(CodeFile { path: path.to_owned(), body, banner });
    }

    fn generated(&mut self, path: &str, bytes: &[u8], arn: &str) {
        if let Some(broken) = text::merge_leftover(bytes) {
            self.broken.get_or_insert((path.to_owned(), broken));
        }
        let (banner, body) = banner::split(bytes, arn);
        match String::from_utf8(body) {
            Ok(body) => self.generated = Some(Generated { name: path.to_owned(), body, banner }),
            Err(_) => self.no_text.push(path.to_owned()),
        }
    }

    /// What isn't Terraform's by its name is code if the code mentions it: Proton itself rendered no such files, but
    /// people laid scripts and modules beside, and Terraform needs them.
    fn rest(&mut self, rest: &[(&str, &[u8])]) {
        for (path, bytes) in rest {
            let name = path.split_once('/').map_or((*path).to_owned(), |(folder, _)| format!("{folder}/"));
            let hidden = path.starts_with('.') || path.contains("/.terraform/");
            let values = !path.contains('/') && (path.ends_with(".tfvars") || path.ends_with(".tfvars.json"));
            if values {
                self.own_values.push((*path).to_owned());
            } else if !hidden && self.mentioned(&name) {
                self.code.push(CodeFile { path: (*path).to_owned(), body: bytes.to_vec(), banner: None });
            } else if !self.beside.contains(&name) {
                self.beside.push(name);
            }
        }
    }

    fn mentioned(&self, name: &str) -> bool {
        let code = self.code.iter().filter(|file| is_terraforms(&file.path));
        code.into_iter().any(|file| String::from_utf8_lossy(&file.body).contains(name))
    }
}

/// Whether Terraform reads a file of the directory by its name.
pub(super) fn is_terraforms(path: &str) -> bool {
    !path.contains('/') && [".tf", ".tf.json"].iter().any(|end| path.ends_with(end))
}

/// Whether a file is one of generated variables.
pub(in crate::estate) fn is_generated(path: &str) -> bool {
    path.starts_with("proton.") && path.ends_with("variables.tf") && !path.contains('/')
}

/// The generated file of each kind.
fn generated_name(target: &Target) -> &'static str {
    match target {
        Target::Environment { .. } => "proton.environment.variables.tf",
        Target::ServiceInstance { .. } => "proton.service_instance.variables.tf",
        Target::ServicePipeline { .. } => "proton.pipeline.variables.tf",
        Target::Component { .. } => "proton.component.variables.tf",
    }
}
