//! Bundles in a team's template repository, told apart by what they render.
//!
//! Proton's minor versions stand in no repository, so a bundle is matched to a version by its bytes: the Terraform files
//! that it renders are those that lie in the version's directories.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::rebuild::{Users, code, note};
use super::{Place, Resource, Tree, Trouble};
use crate::domain::{Bundle, BundleKind, Engine, Files, Part, check_alone, has_pipeline};

/// A bundle that passes.
pub(super) struct Candidate {
    /// Where its root is.
    pub(super) place: Place,
    pub(super) kind: BundleKind,
    pub(super) bundle: Bundle,
    /// Its files, by their paths in the bundle.
    pub(super) files: Files,
    /// What its registration file says.
    pub(super) registration: Registration,
}

/// `.template-registration.yaml`, or `.compatible-envs` from before.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-template-sync-configs.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Registration {
    /// Environment templates: name and major version.
    pub(super) compatible_environments: BTreeSet<(String, u32)>,
    /// `DIRECTLY_DEFINED`, or nothing.
    pub(super) component_sources: BTreeSet<String>,
}

const FOLDERS: [&str; 5] =
    ["schema/", "infrastructure/", "instance_infrastructure/", "pipeline_infrastructure/", "pipeline/"];

const SCHEMA_FILE: &str = "schema/schema.yaml";

/// The bundles of all trees; of folders that look like one and aren't, a note says why.
pub(super) fn candidates(trees: &[Tree], troubles: &mut Vec<Trouble>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for tree in trees {
        for root in roots(&tree.files) {
            let files = bundle_files(&tree.files, root);
            if !files.keys().any(|path| !path.starts_with("schema/")) {
                continue;
            }
            let place = Place { repository: tree.name.clone(), path: root.trim_end_matches('/').to_owned() };
            match open(&files) {
                Ok((kind, bundle)) => {
                    let registration = registration(&tree.files, root);
                    found.push(Candidate { place, kind, bundle, files, registration });
                }
                Err(why) => troubles.push(note(&place, format!("looks like a bundle and isn't: {why}"))),
            }
        }
    }
    found
}

/// What stands before `schema/schema.yaml`, with its slash.
fn roots(files: &Files) -> impl Iterator<Item = &str> {
    files.keys().filter_map(|path| path.strip_suffix(SCHEMA_FILE)).filter(|root| root.is_empty() || root.ends_with('/'))
}

fn bundle_files(files: &Files, root: &str) -> Files {
    let below = files.range(root.to_owned()..).take_while(|(path, _)| path.starts_with(root));
    below
        .filter_map(|(path, bytes)| Some((path.strip_prefix(root)?, bytes)))
        .filter(|(path, _)| FOLDERS.iter().any(|folder| path.starts_with(folder)))
        .map(|(path, bytes)| (path.to_owned(), bytes.clone()))
        .collect()
}

/// The bundle, as an environment's or service's by its folders.
fn open(files: &Files) -> Result<(BundleKind, Bundle), String> {
    let has = |folder: &str| files.keys().any(|path| path.starts_with(folder));
    let schema = files.get(SCHEMA_FILE).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let pipeline = has_pipeline(files);
    let of_services = has("instance_infrastructure/") || pipeline || schema.contains("service_input_type");
    let kind = if of_services { BundleKind::Service } else { BundleKind::Environment };
    let bundle = check_alone(kind, files.clone());
    bundle.map(|bundle| (kind, bundle)).map_err(|problems| problems.within(400))
}

fn registration(files: &Files, root: &str) -> Registration {
    let text = [".template-registration.yaml", ".template-registration.yml", ".compatible-envs"]
        .iter()
        .find_map(|name| files.get(&format!("{root}{name}")))
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut found = Registration::default();
    let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || "[],\"'".contains(c)));
    for word in words.map(|word| word.trim_start_matches('-')) {
        if word == "DIRECTLY_DEFINED" {
            found.component_sources.insert(word.to_owned());
        }
        if let Some((name, major)) = word.split_once(':')
            && let Ok(major) = major.parse()
            && !name.is_empty()
        {
            found.compatible_environments.insert((name.to_owned(), major));
        }
    }
    found
}

impl Candidate {
    /// How many of a version's directories it renders; `None` unless it renders one of each kind that there is.
    pub(super) fn matches(&self, users: &Users<'_>) -> Option<usize> {
        let main = self.bundle.infrastructure.as_ref().or(self.bundle.instance.as_ref());
        let counts =
            [(main, &users.main), (self.bundle.pipeline.as_ref(), &users.pipelines)].map(|(part, resources)| {
                if resources.is_empty() {
                    return Some(0);
                }
                let rendered = rendered(part?)?;
                Some(resources.iter().filter(|resource| same(&rendered, resource)).count()).filter(|count| *count > 0)
            });
        let [main, pipelines] = counts;
        Some(main? + pipelines?)
    }

    /// How far its path is from the layout of template sync, `TEMPLATE/vMAJOR`; 0 is exactly that.
    pub(super) fn distance_from(&self, template: &str, major: u32) -> usize {
        let parts: Vec<&str> = self.place.path.split('/').collect();
        let version = format!("v{major}");
        match parts[..] {
            [.., name, last] if name == template && last == version => 0,
            _ if parts.contains(&template) && parts.contains(&version.as_str()) => 1,
            _ if parts.contains(&template) => 2,
            _ => 3,
        }
    }
}

/// What Proton made of a part: its selected Terraform files, without the copy of the generated one that authors keep.
fn rendered(part: &Part) -> Option<BTreeMap<&str, Cow<'_, [u8]>>> {
    let generated = |path: &str| path.starts_with("proton.") && path.ends_with(".variables.tf");
    let files = part.files.iter().filter(|(path, _)| !path.contains('/') && !generated(path));
    let files = files.filter(|(path, _)| path.strip_suffix(".tf").is_some());
    (part.engine == Engine::Hcl).then(|| files.map(|(path, bytes)| (path.as_str(), code::normal(bytes))).collect())
}

fn same(rendered: &BTreeMap<&str, Cow<'_, [u8]>>, resource: &Resource) -> bool {
    *rendered == code::rendered(resource)
}
