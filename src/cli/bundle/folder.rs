//! A bundle's folder, read.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::super::{Exit, Failure};
use crate::domain::Files;

/// Folders that a working copy has and a bundle doesn't mean.
const JUNK: [&str; 3] = [".git", ".terraform", "node_modules"];

/// The most that is read: an archive's own limits are far below.
const MOST_FILES: usize = 20_000;

/// All files of a folder, by their paths relative to it.
pub(super) fn read(folder: &Path) -> Result<Files, Failure> {
    if !folder.is_dir() {
        return Err(Failure::new(Exit::Usage, anyhow!("{} is no folder", folder.display())));
    }
    let mut files = Files::new();
    below(folder, "", &mut files)?;
    Ok(files)
}

fn below(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), Failure> {
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name().into_string().map_err(|name| {
            Failure::new(Exit::InvalidBundle, anyhow!("{} isn't UTF-8", Path::new(&name).display()))
                .hint("use plain letters in file names")
        })?;
        if JUNK.contains(&name.as_str()) || name == ".DS_Store" || name.starts_with("._") {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().with_context(reading)?;
        if kind.is_dir() {
            below(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
            files.insert(path, bytes);
        } else {
            return Err(Failure::new(
                Exit::InvalidBundle,
                anyhow!("{path} is a link or a device, and a bundle has only files"),
            )
            .hint("put a copy of the file there"));
        }
        if files.len() > MOST_FILES {
            return Err(Failure::new(
                Exit::InvalidBundle,
                anyhow!("{} has more than {MOST_FILES} files", folder.display()),
            )
            .hint("name the folder of the bundle, which has schema/ in it"));
        }
    }
    Ok(())
}
