//! Files that are laid beside the rendered ones for one run, and taken away after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::files;

/// Where variables stand that the site adds. Terraform reads such files in the order of their names, and this one comes
/// before Proton's, so that the site never changes what Proton says.
const VARIABLES: &str = "hadron_site.auto.tfvars.json";

/// What was laid down; dropping it takes everything away again.
#[derive(Debug, Default)]
pub(super) struct Beside(Vec<PathBuf>);

impl Beside {
    /// Writes a file of ours, whatever an interrupted run has left there.
    pub(super) fn ours(&mut self, folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        self.0.push(path);
        Ok(())
    }

    /// Takes away later what somebody else is about to write.
    pub(super) fn expect(&mut self, path: PathBuf) {
        self.0.push(path);
    }

    /// Writes those of the site's variables that the directory declares.
    pub(super) fn variables(&mut self, folder: &Path, values: &BTreeMap<String, String>) -> io::Result<()> {
        let declared = declared(folder)?;
        let known: BTreeMap<_, _> = values.iter().filter(|(name, _)| declared.contains(*name)).collect();
        if known.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&known).expect("text can be written as JSON");
        self.ours(folder, VARIABLES, &text)
    }

    /// Copies the overlay's files, sub-folders included. One that is there already with another content is a mistake.
    pub(super) fn overlay(&mut self, overlay: &Path, folder: &Path) -> io::Result<()> {
        for (name, bytes) in files::below(overlay)? {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(there) if there != bytes => {
                    let message = "the overlay would replace it; overlays only add files";
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{}: {message}", path.display())));
                }
                // Somebody's own, which is to stay.
                Ok(_) => continue,
                Err(_) => {
                    fs::create_dir_all(path.parent().unwrap_or(folder))?;
                    fs::write(&path, bytes)?;
                }
            }
            self.0.push(path);
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "{} stays behind", path.display());
            }
        }
    }
}

/// The variables that a directory's files declare. What can't be read as HCL is Terraform's to complain about.
fn declared(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // As Terraform tells them: by the letters, on every system.
        if name.strip_suffix(".tf").is_some() {
            let body = hcl::parse(&fs::read_to_string(&path)?).unwrap_or_default();
            let blocks = body.blocks().filter(|block| block.identifier() == "variable");
            names.extend(blocks.filter_map(|block| Some(block.labels().first()?.as_str().to_owned())));
        } else if name.strip_suffix(".tf.json").is_some() {
            let document: Value = serde_json::from_slice(&fs::read(&path)?).unwrap_or_default();
            names.extend(document["variable"].as_object().into_iter().flat_map(|all| all.keys().cloned()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_variables_are_given_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("main.tf"), "variable \"aws_region\" {\n  type = string\n}\n").unwrap();
        fs::write(path.join("more.tf.json"), r#"{"variable": {"team": {}}}"#).unwrap();
        fs::write(path.join("broken.tf"), "variable {{").unwrap();
        let overlay = tempfile::tempdir().unwrap();
        fs::create_dir(overlay.path().join("sub")).unwrap();
        fs::write(overlay.path().join("sub/x"), "x").unwrap();
        let values = ["aws_region", "team", "other"].map(|name| (name.to_owned(), "v".to_owned())).into();
        let mut beside = Beside::default();
        beside.variables(path, &values).unwrap();
        beside.overlay(overlay.path(), path).unwrap();
        let given = fs::read_to_string(path.join(VARIABLES)).unwrap();
        assert!(given.contains("aws_region") && given.contains("team") && !given.contains("other"), "{given}");
        assert!(path.join("sub/x").exists());
        drop(beside);
        assert!(!path.join(VARIABLES).exists() && !path.join("sub/x").exists());
        assert!(path.join("main.tf").exists());
    }

    #[test]
    fn an_overlay_replaces_nothing() {
        let (folder, overlay) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("main.tf"), "# author's").unwrap();
        fs::write(overlay.path().join("main.tf"), "# site's").unwrap();
        let error = Beside::default().overlay(overlay.path(), folder.path()).unwrap_err();
        assert!(error.to_string().contains("only add files"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("main.tf")).unwrap(), "# author's");
    }
}
