//! Renderings on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{NO_DEPLOYMENT, Rendering, WorkbenchError};

/// Where a rendering says what it is.
const NOTE: &str = ".proton/deployment-metadata.json";

/// Writes renderings below a folder, each into its own where there are several.
///
/// A folder that holds an earlier rendering is written anew; what Terraform keeps there stays. With `force` any folder is
/// written into, and nothing of it removed.
///
/// # Errors
/// A folder with somebody else's files; whatever the file system refuses.
pub fn lay_out(renderings: &[Rendering], out: &Path, force: bool) -> Result<(), WorkbenchError> {
    let folders: Vec<PathBuf> =
        renderings.iter().map(|it| it.folder.as_ref().map_or_else(|| out.to_owned(), |name| out.join(name))).collect();
    if out.exists() && !out.is_dir() {
        let what = format!("{} is no folder", out.display());
        return Err(WorkbenchError::refused(what, "name another --out"));
    }
    for folder in std::iter::once(out).chain(folders.iter().map(PathBuf::as_path)) {
        if !force && !is_free(folder, folder == out && !folders.iter().any(|it| it == out))? {
            let what = format!("{} holds files that no rendering has written", folder.display());
            return Err(WorkbenchError::refused(what, "name another --out, or write over them by --force"));
        }
    }
    for (rendering, folder) in renderings.iter().zip(&folders) {
        if !force && is_rendering(folder) {
            clear(folder).map_err(|source| unwritable("clearing", folder, source))?;
        }
        for (path, bytes) in &rendering.files {
            let path = folder.join(path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|source| unwritable("creating", parent, source))?;
            fs::write(&path, bytes).map_err(|source| unwritable("writing", &path, source))?;
        }
    }
    Ok(())
}

fn unwritable(doing: &str, path: &Path, source: io::Error) -> WorkbenchError {
    WorkbenchError::Unwritable { what: format!("{doing} {}", path.display()), source }
}

/// Whether a folder is absent, empty, or a rendering's; `around` others it may hold those.
fn is_free(folder: &Path, around: bool) -> Result<bool, WorkbenchError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(unwritable("reading", folder, error)),
    };
    let mut entries = entries.flatten().peekable();
    if entries.peek().is_none() || is_rendering(folder) {
        return Ok(true);
    }
    Ok(around && entries.all(|entry| is_rendering(&entry.path())))
}

/// Whether the files there are a rendering: a deployment's have an id.
fn is_rendering(folder: &Path) -> bool {
    let note = fs::read(folder.join(NOTE)).unwrap_or_default();
    let note: serde_json::Value = serde_json::from_slice(&note).unwrap_or_default();
    note["deploymentId"] == NO_DEPLOYMENT
}

/// Removes an earlier rendering, and leaves alone what Terraform has put there.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".terraform") || name.contains(".tfstate") {
            continue;
        }
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}
