//! From files to a bundle that can be rendered, or every mistake that keeps it from being one.

use super::manifest::{MANIFEST, Manifest};
use super::{Bundle, BundleKind, Engine, Files, Part, Role, is_left_by_terraform, terraform, unpack};
use crate::domain::schema::SCHEMA_FILE;
use crate::domain::{Problem, Problems, Schema, Target, nearest};

/// Unpacks and checks a bundle: its schema, its manifests, the files that they name, and the syntax of Terraform files.
///
/// `customer_managed` is the template's `provisioning` or `pipelineProvisioning`.
///
/// # Errors
/// Every mistake at once, with file, line, column and remedy.
pub fn open_bundle(kind: BundleKind, archive: &[u8], customer_managed: bool) -> Result<Bundle, Problems> {
    check_bundle(kind, unpack(archive)?, customer_managed)
}

/// [`open_bundle`] for files that are unpacked already, with paths relative to the bundle's root.
///
/// # Errors
/// As [`open_bundle`].
pub fn check_bundle(kind: BundleKind, files: Files, customer_managed: bool) -> Result<Bundle, Problems> {
    let (bundle, problems) = examine_bundle(kind, files, customer_managed);
    problems.unless_any(|| bundle)
}

/// Unpacks and checks the bundle of something that is deployed. The registrar has asked for a pipeline where the template
/// needs one; whether it does isn't known here, and an instance can do without.
///
/// # Errors
/// As [`open_bundle`].
pub fn open_bundle_of(target: &Target, archive: &[u8]) -> Result<Bundle, Problems> {
    check_alone(BundleKind::of(target), unpack(archive)?)
}

/// [`check_bundle`] without the template: whether a service's pipeline is its customer's matter shows by the folders.
///
/// # Errors
/// As [`open_bundle`].
pub fn check_alone(kind: BundleKind, files: Files) -> Result<Bundle, Problems> {
    let customer_managed = kind == BundleKind::Service && !has_pipeline(&files);
    check_bundle(kind, files, customer_managed)
}

/// Whether a bundle has code for a pipeline, by whichever of the names that Proton takes.
pub fn has_pipeline(files: &Files) -> bool {
    files.keys().any(|path| path.split_once('/').is_some_and(|(folder, _)| PIPELINE.contains(&folder)))
}

/// One infrastructure folder by itself: its manifest and its Terraform files. The paths of `files` begin with the folder.
///
/// # Errors
/// Every mistake at once.
pub fn check_part(folder: &str, role: Role, files: Files) -> Result<Part, Problems> {
    let mut check = Check { files, problems: Problems::default() };
    let part = check.part(folder, role);
    match part {
        Some(part) => check.problems.in_order().unless_any(|| part),
        None => Err(check.problems.in_order()),
    }
}

/// [`check_bundle`] for those who look further: what could be read, and every mistake.
pub fn examine_bundle(kind: BundleKind, files: Files, customer_managed: bool) -> (Bundle, Problems) {
    let mut check = Check { files, problems: Problems::default() };
    let mut bundle = Bundle { schema: None, schema_text: None, infrastructure: None, instance: None, pipeline: None };
    match kind {
        BundleKind::Environment => {
            check.schema(&mut bundle, kind, false, customer_managed);
            if customer_managed {
                check.refuse_folder("infrastructure", "the template is CUSTOMER_MANAGED: its bundle has only a schema");
            } else {
                bundle.infrastructure = check.required(&["infrastructure"], Role::Environment);
            }
        }
        BundleKind::Service => {
            let pipeline = check.folder(&PIPELINE);
            check.schema(&mut bundle, kind, pipeline.is_some(), customer_managed);
            bundle.instance = check.required(&INSTANCE, Role::Instance);
            if !customer_managed {
                bundle.pipeline = check.required(&PIPELINE, Role::Pipeline);
            } else if let Some(folder) = pipeline {
                check.refuse_folder(folder, "the template's pipeline is CUSTOMER_MANAGED");
            }
        }
        BundleKind::Component => {
            bundle.infrastructure = check.required(&["infrastructure"], Role::Component);
        }
    }
    (bundle, check.problems.in_order())
}

/// The folder with a manifest that was probably meant to be called `name`.
fn misnamed<'f>(files: &'f Files, name: &str) -> Option<&'f str> {
    let with_manifest = files.keys().filter_map(|path| path.strip_suffix(MANIFEST)?.strip_suffix('/'));
    let known = ["infrastructure", INSTANCE[0], PIPELINE[0], PIPELINE[1]];
    with_manifest
        .filter(|folder| !folder.contains('/') && !known.contains(folder))
        .find(|folder| nearest(folder, known) == Some(name))
}

/// The folder's name, and the one from before Proton's release.
const INSTANCE: [&str; 2] = ["instance_infrastructure", "infrastructure"];
const PIPELINE: [&str; 2] = ["pipeline_infrastructure", "pipeline"];

/// Most characters of a schema: those that `GetEnvironmentTemplateVersion` and its like can answer with.
///
/// <https://docs.aws.amazon.com/proton/latest/APIReference/API_EnvironmentTemplateVersion.html>
const LONGEST_SCHEMA: usize = 51_200;

struct Check {
    files: Files,
    problems: Problems,
}

impl Check {
    fn schema(&mut self, bundle: &mut Bundle, kind: BundleKind, has_pipeline: bool, customer_managed: bool) {
        let Some(bytes) = self.files.get(SCHEMA_FILE) else {
            let near =
                ["schema/schema.yml", "schema/schema.json"].into_iter().find(|name| self.files.contains_key(*name));
            let remedy = match near {
                Some(near) => format!("rename {near}"),
                None => "add it, and pack the folder that has schema/ in it".into(),
            };
            return self.problems.push(Problem::of(SCHEMA_FILE, "is missing", remedy));
        };
        let Ok(text) = String::from_utf8(bytes.clone()) else {
            return self.problems.push(Problem::of(SCHEMA_FILE, "isn't UTF-8", "save it as UTF-8"));
        };
        let length = text.chars().count();
        if length > LONGEST_SCHEMA {
            let message = format!("has {length} characters, and Proton's API gives out at most {LONGEST_SCHEMA}");
            return self.problems.push(Problem::of(SCHEMA_FILE, message, "shorten it, or share types by $ref"));
        }
        bundle.schema = self.problems.note(Schema::parse(&text, kind, has_pipeline, customer_managed));
        bundle.schema_text = Some(text);
    }

    /// The first of these folders that the bundle has.
    fn folder(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| {
            let prefix = format!("{name}/");
            self.files.keys().any(|path| path.starts_with(&prefix))
        })
    }

    fn refuse_folder(&mut self, folder: &str, why: &str) {
        let prefix = format!("{folder}/");
        if self.files.keys().any(|path| path.starts_with(&prefix)) {
            let remedy = format!("remove {prefix}, or create the template without CUSTOMER_MANAGED");
            self.problems.push(Problem::of(prefix, why, remedy));
        }
    }

    /// The part in the first of these folders, which has to be there.
    fn required(&mut self, names: &[&'static str], role: Role) -> Option<Part> {
        let Some(folder) = self.folder(names) else {
            if let Some(other) = misnamed(&self.files, names[0]) {
                self.problems.push(Problem::of(format!("{}/", names[0]), "is missing", format!("rename {other}/")));
                return None;
            }
            let mut remedy = format!("add the folder with a {MANIFEST}");
            if names[0] == PIPELINE[0] {
                remedy += ", or create the template with pipelineProvisioning CUSTOMER_MANAGED";
            }
            self.problems.push(Problem::of(format!("{}/", names[0]), "is missing", remedy));
            return None;
        };
        self.part(folder, role)
    }

    /// The part in a folder, if its manifest can be read.
    fn part(&mut self, folder: &str, role: Role) -> Option<Part> {
        let prefix = format!("{folder}/");
        let below = |(path, bytes): (&String, &Vec<u8>)| Some((path.strip_prefix(&prefix)?.to_owned(), bytes.clone()));
        let mut files: Files = self.files.iter().filter_map(below).collect();
        files.retain(|path, _| !is_left_by_terraform(path));
        let name = format!("{folder}/{MANIFEST}");
        let manifest = match files.remove(MANIFEST).map(String::from_utf8) {
            Some(Ok(text)) => {
                Manifest::parse(&name, &text).and_then(|manifest| Ok((manifest.select(&files)?, manifest)))
            }
            Some(Err(_)) => Err(Problem::of(name, "isn't UTF-8", "save it as UTF-8").into()),
            None => {
                let other = files.keys().find(|path| is_manifest_by_another_name(path));
                let remedy = match other {
                    Some(other) => format!("rename {folder}/{other}"),
                    None => "add it; it names the engine and the templates".into(),
                };
                Err(Problem::of(name, "is missing", remedy).into())
            }
        };
        let read = self.problems.note(manifest);
        let engine = read.as_ref().map_or(Engine::Hcl, |(_, manifest)| manifest.engine);
        if let Some((templates, manifest)) = &read
            && engine == Engine::Hcl
            && !manifest.selects_all()
        {
            files.retain(|path, _| templates.contains(path) || !is_terraforms(path));
        }
        if let Some((templates, manifest)) = &read
            && engine == Engine::Hcl
            && terraform::is_generated_alone(templates, role)
        {
            let message = format!("`{}` is a file that Proton generates", role.variables_file());
            self.problems.0.extend(manifest.problem(message, "give the template another name"));
        }
        let readable = read.is_some();
        let templates = read.map(|(templates, _)| templates).unwrap_or_default();
        let part = Part { folder: folder.to_owned(), engine, templates, files };
        if engine == Engine::Hcl {
            // Also without a manifest: the files' own mistakes are worth telling in the same round.
            self.problems.append(terraform::check(&part, role));
        }
        readable.then_some(part)
    }
}

/// Whether a file was probably meant to be the manifest: `manifest.yml`, `Manifest.yaml`, `manifest.json`.
fn is_manifest_by_another_name(path: &str) -> bool {
    matches!(path.to_lowercase().as_str(), "manifest.yaml" | "manifest.yml" | "manifest.json")
}

/// Whether Terraform reads a file of the folder itself by its name alone, so that it has to stay out unless it's
/// selected. Everything else may be a module, or a file that a template reads.
fn is_terraforms(path: &str) -> bool {
    !path.contains('/') && (path.ends_with(terraform::HCL) || path.ends_with(terraform::JSON))
}
