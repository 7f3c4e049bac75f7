//! What of an author's folder belongs into a bundle's archive.

use std::fs;

use super::Source;
use super::layout::FOLDERS;
use crate::domain::{Files, is_left_by_terraform};

/// What editors leave where a folder is written in.
const LEFT_BY_EDITORS: [&str; 2] = ["~", ".swp"];

/// A bundle's files, sorted out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What the archive carries.
    pub files: Files,
    /// What stays at home: files, and whole folders with their slash.
    pub left_out: Vec<String>,
}

/// Sorts a bundle's files out: a deployment sees nothing but the infrastructure folders and the schema, so tests, notes and
/// what a run has left are not packed, and don't make it another archive when they change.
pub fn parcel(source: &Source) -> Parcel {
    let by_editors = |path: &str| LEFT_BY_EDITORS.iter().any(|end| path.ends_with(end));
    let is_left_over = |path: &str| by_editors(path) || is_left_by_terraform(path);
    let (left_over, files): (Files, Files) = source.files.clone().into_iter().partition(|(path, _)| is_left_over(path));
    let mut left_out: Vec<String> = left_over.into_keys().chain(beside(source)).collect();
    left_out.sort();
    Parcel { files, left_out }
}

/// What lies in the bundle's folder and is no part of the bundle. Nothing depends on it, so a folder that can't be read
/// has nothing beside.
fn beside(source: &Source) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(&source.root).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let hidden = name.starts_with('.') || (is_folder && FOLDERS.contains(&name.as_str()));
        (!hidden).then(|| if is_folder { name + "/" } else { name })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_deployment_sees_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "README.md",
            ".gitignore",
            "infrastructure/.terraform/providers/x",
            "infrastructure/.terraform.lock.hcl",
            "infrastructure/.main.tf.swp",
            "infrastructure/main.tf",
            "infrastructure/main.tf~",
            "infrastructure/modules/net/tests/x.tf",
            "infrastructure/terraform.tfstate",
            "infrastructure/terraform.tfstate.backup",
            "schema/schema.yaml",
            "tests/dev.yaml",
            "tests/expected/dev/main.tf",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let parcel = parcel(&Source::open(folder.path()).unwrap());
        assert_eq!(
            parcel.files.keys().collect::<Vec<_>>(),
            [
                "infrastructure/.terraform.lock.hcl",
                "infrastructure/main.tf",
                "infrastructure/modules/net/tests/x.tf",
                "schema/schema.yaml"
            ]
        );
        assert_eq!(
            parcel.left_out,
            [
                "README.md",
                "infrastructure/.main.tf.swp",
                "infrastructure/main.tf~",
                "infrastructure/terraform.tfstate",
                "infrastructure/terraform.tfstate.backup",
                "tests/"
            ]
        );
    }
}
