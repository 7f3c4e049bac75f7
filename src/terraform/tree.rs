//! Folders that several runs share: locked, walked, taken away.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, utimensat};
use tokio_util::sync::CancellationToken;

use super::TerraformError;

/// How often one who waits for another's init looks.
const LOOK: Duration = Duration::from_millis(10);

/// Takes the lock of a file as soon as nobody else has it; None once `stop` is cancelled.
pub(super) async fn wait_for(path: &Path, stop: &CancellationToken) -> Result<Option<File>, TerraformError> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = opened.map_err(TerraformError::io("opening", path))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(TerraformError::io("locking", path)(error.into())),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Visits everything below a folder, a folder before what it holds; links aren't followed.
pub(super) fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, fs::FileType) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        visit(&path, kind)?;
        if kind.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

pub(super) fn links(folder: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    walk(folder, &mut |path, kind| {
        if kind.is_symlink() {
            found.push((path.to_owned(), fs::read_link(path)?));
        }
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn links_lead_somewhere(folder: &Path) -> io::Result<bool> {
    Ok(links(folder)?.iter().all(|(link, _)| link.exists()))
}

/// Takes a copy's name away first, so that nobody begins to read what is going.
pub(super) fn discard(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let going = tempfile::Builder::new().prefix(".old-").tempdir_in(folder)?;
    match fs::rename(path, going.path().join("entry")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Notes that a copy was used; one that can't be noted is only let go of sooner.
pub(super) fn touch(entry: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    utimensat(CWD, entry, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty()).ok();
}
