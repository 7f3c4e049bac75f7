//! A folder of a bundle that is no part of it, read whole.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::super::{Exit, Failure};
use crate::domain::Files;

/// More than any bundle's tests have.
const MOST_FILES: usize = 20_000;

/// All files of a folder of the bundle, by their paths relative to the bundle's root; none if the folder isn't there.
pub(super) fn read(root: &Path, folder: &str) -> Result<Files, Failure> {
    let mut files = Files::new();
    match fs::symlink_metadata(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => below(&root.join(folder), &format!("{folder}/"), &mut files)?,
    }
    Ok(files)
}

fn below(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), Failure> {
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // A link isn't followed: it may lead anywhere, and round in circles.
        let kind = entry.file_type().with_context(reading)?;
        if kind.is_dir() {
            below(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
            files.insert(path, bytes);
        }
        if files.len() > MOST_FILES {
            let words = anyhow!("{} has more than {MOST_FILES} files", folder.display());
            return Err(Failure::new(Exit::Usage, words));
        }
    }
    Ok(())
}
