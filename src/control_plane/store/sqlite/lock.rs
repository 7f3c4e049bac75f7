//! One process per database: `SQLite` would let two share it, but leases, wake-ups and the object store's files assume
//! that everything goes through one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use super::refused;
use crate::control_plane::store::StoreError;

/// Held for as long as the database is open, or a clone of this lives; the system takes it back from a process that dies.
#[derive(Debug, Clone)]
pub struct DataLock(#[expect(dead_code, reason = "closing it unlocks")] Arc<File>);

impl DataLock {
    /// Takes the lock that lies beside the database at `path`, and leaves this process's id in it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while somebody else holds it.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let file = path.with_added_extension("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file);
        let mut file = open.map_err(refused("creating its lock file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(refused("locking it")(error)),
        }
        sign(&mut file).map_err(refused("writing its lock file"))?;
        Ok(Self(Arc::new(file)))
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn in_use(path: &Path, file: &mut File) -> StoreError {
    let mut holder = String::new();
    // The id only serves the message; without it the message is still true.
    if file.read_to_string(&mut holder).is_err() || holder.is_empty() {
        "unknown".clone_into(&mut holder);
    }
    StoreError::InUse { path: path.display().to_string(), holder }
}
