//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Writes `bytes` beside `path`, syncs them, and renames them into place, so that a reader sees the old file or the new
/// one and a crash leaves one of both.
///
/// # Errors
/// Whatever the file system refuses; `path` is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Every file below a folder with its path from there, in the order of the paths. Links are followed.
///
/// # Errors
/// Whatever the file system refuses, with the path that it is about.
pub fn below(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let about = |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).map_err(|error| about(&next, error))? {
            let path = entry.map_err(|error| about(&next, error))?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).map_err(|error| about(&path, error))?;
                found.push((path.strip_prefix(folder).unwrap_or(&path).to_owned(), bytes));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Makes a rename or a new name in `folder` survive a power cut.
///
/// # Errors
/// Whatever the file system refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Creates a folder that only its owner may enter, with its parents.
///
/// # Errors
/// Whatever the file system refuses.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// The same for the folder of everything, which may be the root of a volume: Kubernetes leaves that to root and lets the
/// pod write there by its group (`fsGroup`). Only who owns a folder may close it, so one of somebody else's stays as it
/// is; what lies in it is closed one by one.
///
/// # Errors
/// Whatever the file system refuses.
pub fn create_data_folder(path: &Path) -> io::Result<()> {
    match create_private_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_somebody_elses(path) => Ok(()),
        made => made,
    }
}

fn is_somebody_elses(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.uid() != rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel lets nobody change the mode of a process's folder, root neither.
    #[test]
    fn a_data_folder_that_belongs_to_somebody_else_is_taken_as_it_is() {
        let refusing = Path::new("/proc/1");
        assert_eq!(create_private_folder(refusing).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(create_data_folder(refusing).is_ok(), is_somebody_elses(refusing));
    }

    #[test]
    fn a_data_folder_of_ours_is_closed_to_others() {
        let here = tempfile::tempdir().unwrap();
        let data = here.path().join("a/b");
        create_data_folder(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
