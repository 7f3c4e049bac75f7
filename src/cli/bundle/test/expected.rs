//! The folder of a case's expected files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::super::Failure;
use crate::domain::Files;

/// The expected files of a case among all files of the bundle's folder; `None` when it has none yet.
pub(super) fn read(files: &Files, case: &str) -> Option<Files> {
    let prefix = folder(case);
    let below = |(path, bytes): (&String, &Vec<u8>)| Some((path.strip_prefix(&prefix)?.to_owned(), bytes.clone()));
    let expected: Files = files.iter().filter_map(below).collect();
    (!expected.is_empty()).then_some(expected)
}

/// Makes the rendered files the expected ones.
pub(super) fn write(bundle: &Path, case: &str, rendered: &Files) -> Result<(), Failure> {
    let folder = bundle.join(folder(case));
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))?;
        }
        _ => {}
    }
    for (path, bytes) in rendered {
        let path: PathBuf = folder.join(path);
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn folder(case: &str) -> String {
    format!("tests/expected/{case}/")
}
