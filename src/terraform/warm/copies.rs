//! The copies: made, laid out, bounded.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::key::{is_provider, lock_digest};
use super::{DATA, LOCK, Warm};
use crate::support::files;
use crate::terraform::tree::{discard, links, links_lead_somewhere, remove, touch, wait_for, walk};
use crate::terraform::{Session, TerraformError, modules};

/// How many copies are kept; the ones that nobody used for the longest time go first.
const MOST: usize = 64;

/// What all copies may take together, providers not counted.
const MOST_BYTES: u64 = 512 << 20;

/// A copy that would take more isn't made.
const LARGEST: u64 = 64 << 20;

impl Warm {
    /// Waits until nobody else runs the init of this key; None once `stop` is cancelled, or where nothing can be locked.
    pub(super) async fn turn(&self, key: &str, stop: &CancellationToken) -> Result<Option<File>, TerraformError> {
        files::create_private_folder(&self.folder).map_err(TerraformError::io("creating", &self.folder))?;
        wait_for(&self.folder.join(format!("{key}.turn")), stop).await
    }

    /// Copies an entry into a work directory that has none; false if there is no such entry, or it can't serve.
    pub(super) fn lay(&self, entry: &str, work: &Path) -> io::Result<bool> {
        let entry = self.folder.join(entry);
        if !entry.join("terraform").exists() {
            return Ok(false);
        }
        let new = work.join(".terraform.new");
        remove(&new)?;
        let copied = copy(&entry.join("terraform"), &new, &mut 0);
        let lock = fs::read(entry.join("lock.hcl"));
        if copied.is_err() || !links_lead_somewhere(&new)? {
            remove(&new)?;
            return Ok(false);
        }
        match lock {
            Ok(bytes) => fs::write(work.join(LOCK), bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::rename(&new, work.join(DATA))?;
        touch(&entry);
        Ok(true)
    }

    /// Keeps what an init came to, for those who begin as it began and for those who begin with its lock file.
    pub(super) fn keep(&self, session: &Session, before: &str) -> Result<(), TerraformError> {
        let broken = |source| TerraformError::io("keeping", &self.folder)(source);
        if !modules::are_settled(&session.work_dir) || session.work_dir.join("terraform.d").exists() {
            return Ok(());
        }
        files::create_private_folder(&self.folder).map_err(broken)?;
        let key = self.key(session)?;
        let after = lock_digest(&session.work_dir);
        for lock in BTreeSet::from([before, after.as_str()]) {
            self.add(&format!("{key}.{lock}"), &session.work_dir, &session.run_dir).map_err(broken)?;
        }
        self.bound(MOST, MOST_BYTES).map_err(broken)
    }

    fn add(&self, name: &str, work: &Path, run_dir: &Path) -> io::Result<()> {
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.folder)?;
        let mut size = 0;
        copy(&work.join(DATA), &new.path().join("terraform"), &mut size)?;
        // A link into this run's directory would lead nowhere later.
        if size > LARGEST || links(new.path())?.iter().any(|(_, to)| !to.is_absolute() || to.starts_with(run_dir)) {
            return Ok(());
        }
        if work.join(LOCK).exists() {
            fs::copy(work.join(LOCK), new.path().join("lock.hcl"))?;
        }
        fs::write(new.path().join("size"), size.to_string())?;
        let place = self.folder.join(name);
        if place.exists() {
            // One that can't serve any more, or somebody else's that is as good.
            discard(&place)?;
        }
        match fs::rename(new.path(), &place) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            renamed => renamed,
        }
    }

    /// Lets go of the copies that nobody used for the longest time.
    fn bound(&self, most: usize, most_bytes: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if let Ok(about) = entry.metadata()
                && about.is_dir()
                && !hidden
            {
                let size = fs::read_to_string(entry.path().join("size")).ok().and_then(|text| text.parse().ok());
                entries.push((about.modified()?, size.unwrap_or(0_u64), entry.path()));
            }
        }
        entries.sort();
        self.clear_leftovers(entries.last().map(|(used, ..)| *used));
        let mut bytes: u64 = entries.iter().map(|(_, size, _)| size).sum();
        let mut count = entries.len();
        for (_, size, path) in entries {
            if count <= most && bytes <= most_bytes {
                break;
            }
            discard(&path)?;
            count -= 1;
            bytes -= size;
        }
        Ok(())
    }

    /// Removes what crashes have left: half copies that are older than an hour.
    fn clear_leftovers(&self, newest: Option<SystemTime>) {
        let Some(before) = newest.and_then(|newest| newest.checked_sub(Duration::from_hours(1))) else { return };
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let old = entry.metadata().and_then(|about| about.modified()).is_ok_and(|changed| changed < before);
            if hidden && old {
                fs::remove_dir_all(entry.path()).ok();
            }
        }
    }
}

/// Copies a tree with its links as they are; programs of providers, which nobody changes, become second names.
fn copy(from: &Path, to: &Path, size: &mut u64) -> io::Result<()> {
    fs::create_dir(to)?;
    let mut made = Vec::new();
    walk(from, &mut |path, kind| {
        let name = path.strip_prefix(from).unwrap_or(path);
        made.push((name.to_owned(), kind));
        Ok(())
    })?;
    for (name, kind) in made {
        let (source, place) = (from.join(&name), to.join(&name));
        if kind.is_dir() {
            fs::create_dir(&place)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &place)?;
        } else if is_provider(&name) {
            fs::hard_link(&source, &place)?;
        } else {
            *size += fs::copy(&source, &place)?;
        }
    }
    Ok(())
}
