//! What a bundle is for, told by its folders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::{BundleKind, Files, Problem, Role, nearest};

/// The folders that make up a bundle, by their names of today and from before Proton's release.
pub(super) const FOLDERS: [&str; 5] =
    ["schema", "infrastructure", "instance_infrastructure", "pipeline_infrastructure", "pipeline"];

/// The end of a file's name in Terraform's own syntax; Terraform minds the case.
pub(super) const HCL: &str = ".tf";

/// The end of a file's name in JSON.
pub(super) const JSON: &str = ".tf.json";

const SCHEMA: &str = "schema/schema.yaml";

/// Whether a bundle's root is here.
pub(super) fn begins_here(folder: &Path) -> bool {
    if folder.join(SCHEMA).is_file() {
        return true;
    }
    let is = |name: &str| folder.join(name).is_dir();
    let code = FOLDERS[1..4].iter().any(|name| is(name));
    // A module that is called so, inside of a Terraform module, is no bundle.
    (folder.join("schema").exists() && !has_code(folder)) || (code && !has_code(folder))
}

/// A folder of the bundle whose name has a typing error, so that nothing in it would be read.
pub(super) fn misnamed(root: &Path) -> Option<Problem> {
    let manifest = |folder: &PathBuf| folder.join("manifest.yaml").is_file();
    folders_in(root).into_iter().filter(manifest).find_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        if FOLDERS.contains(&name) {
            return None;
        }
        let meant = nearest(name, FOLDERS[1..].iter().copied()).filter(|meant| !root.join(meant).exists())?;
        let (shown, message) = (folder.display().to_string(), "is no folder of a bundle, and nothing in it is read");
        Some(Problem::of(shown, message, format!("rename it to {meant}/")))
    })
}

fn has_code(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name == "manifest.yaml" || name.ends_with(HCL))
}

/// The shallowest folders below that a bundle begins in.
pub(super) fn roots(folder: &Path, deepest: usize) -> Vec<PathBuf> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..deepest {
        let below: Vec<PathBuf> = level.iter().flat_map(|folder| folders_in(folder)).collect();
        let roots: Vec<PathBuf> = below.iter().filter(|folder| begins_here(folder)).cloned().collect();
        if !roots.is_empty() || below.len() > 1000 {
            return roots;
        }
        level = below;
    }
    Vec::new()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<PathBuf> =
        real.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// Whether a file of the top folder is code that Terraform or `CloudFormation` takes.
pub(super) fn is_code(path: &str) -> bool {
    !path.contains('/')
        && (path.ends_with(HCL) || path.ends_with(JSON) || path.to_lowercase().starts_with("cloudformation."))
}

/// The infrastructure folders that there are.
pub(super) fn folders(files: &Files) -> Vec<&'static str> {
    FOLDERS[1..].iter().copied().filter(|folder| files.keys().any(|path| is_below(path, folder))).collect()
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn schema_has(files: &Files, key: &str) -> bool {
    files.get(SCHEMA).is_some_and(|bytes| String::from_utf8_lossy(bytes).lines().any(|line| line.contains(key)))
}

/// What the bundle is for; `None` where no folder of a bundle is.
pub(super) fn kind(files: &Files) -> Option<BundleKind> {
    let folders = folders(files);
    let has = |name: &str| folders.contains(&name);
    if has("instance_infrastructure") || has("pipeline_infrastructure") {
        return Some(BundleKind::Service);
    }
    if !files.keys().any(|path| is_below(path, "schema")) {
        return has("infrastructure").then(|| kind_by_code(files));
    }
    // Before Proton's release a service had `infrastructure/` and `pipeline/`.
    let of_service = schema_has(files, "service_input_type") && !schema_has(files, "environment_input_type");
    Some(if of_service || has("pipeline") { BundleKind::Service } else { BundleKind::Environment })
}

/// What `infrastructure/` without a schema is: a component, unless its code speaks of an environment's own inputs. Then the
/// schema is what is missing.
fn kind_by_code(files: &Files) -> BundleKind {
    let inside = |(path, bytes): (&String, &Vec<u8>)| {
        path.strip_prefix("infrastructure/").map(|path| (path.to_owned(), bytes.clone()))
    };
    match role_by_code(&files.iter().filter_map(inside).collect()) {
        Role::Environment => BundleKind::Environment,
        _ => BundleKind::Component,
    }
}

/// Whether the folder that would provision it isn't there, and the schema doesn't speak of it either.
pub(super) fn is_customer_managed(kind: BundleKind, files: &Files, folders: &[&str]) -> bool {
    match kind {
        BundleKind::Environment => !folders.contains(&"infrastructure"),
        BundleKind::Service => {
            let pipeline = folders.contains(&"pipeline_infrastructure") || folders.contains(&"pipeline");
            !pipeline && !schema_has(files, "pipeline_input_type")
        }
        BundleKind::Component => false,
    }
}

/// What an infrastructure folder of a bundle provisions.
pub(super) fn role(folder: &str, kind: BundleKind) -> Role {
    match (folder, kind) {
        ("pipeline_infrastructure" | "pipeline", _) => Role::Pipeline,
        ("instance_infrastructure", _) | (_, BundleKind::Service) => Role::Instance,
        (_, BundleKind::Component) => Role::Component,
        _ => Role::Environment,
    }
}

/// The folder of a bundle that provisions it.
pub(super) fn folder_of(role: Role) -> &'static str {
    match role {
        Role::Environment | Role::Component => "infrastructure",
        Role::Instance => "instance_infrastructure",
        Role::Pipeline => "pipeline_infrastructure",
    }
}

/// What an infrastructure folder without a schema provisions, by what its code speaks of.
pub(super) fn role_by_code(files: &Files) -> Role {
    let own = files.iter().filter(|(path, _)| is_code(path));
    let text: String = own.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect::<Vec<_>>().join("\n");
    let speaks = |of: &[&str]| of.iter().any(|word| text.contains(word));
    if speaks(&["var.pipeline.", "var.service_instances", "{{ pipeline.", "in service_instances"]) {
        Role::Pipeline
    } else if speaks(&["var.environment.inputs", "environment.inputs."]) {
        Role::Environment
    } else if speaks(&["var.component"]) {
        Role::Component
    } else if speaks(&["service_instance.components", "var.service.repository", "var.service.branch"]) {
        Role::Instance
    } else {
        Role::Component
    }
}
