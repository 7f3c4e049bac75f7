//! What may come out of an archive: how much, and where to.

use std::io::{self, Read};

use super::Files;
use crate::domain::{Problem, Problems};

/// Largest archive, in bytes: Proton's own limit.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
pub(super) const LARGEST_ARCHIVE: usize = 10 << 20;

/// Largest file of a bundle, in bytes: Proton's own limit.
pub(super) const LARGEST_FILE: u64 = 2 << 20;

/// Most files of a bundle: Proton's own limit.
pub(super) const MOST_FILES: usize = 500;

/// Most bytes that one archive is unpacked to, its headers included. Ours: what a full-sized archive of text makes.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// What problems of the archive as a whole name as their file.
pub(super) const BUNDLE: &str = "bundle";

/// Folders that a working copy has and a bundle doesn't mean: version control, Terraform's providers and stale state
/// settings, macOS's metadata.
const JUNK_FOLDERS: [&str; 3] = [".git", ".terraform", "__MACOSX"];

/// Takes the files of an archive or a folder in, one after the other, within the quotas.
pub struct Intake {
    pub(super) files: Files,
    pub(super) problems: Problems,
    bytes: u64,
    pub(super) most_bytes: u64,
    /// A quota of the whole is exceeded: nothing more is read.
    pub(super) full: bool,
}

impl Default for Intake {
    fn default() -> Self {
        Self::new(MOST_BYTES)
    }
}

impl Intake {
    pub(super) fn new(most_bytes: u64) -> Self {
        Self { files: Files::new(), problems: Problems::default(), bytes: 0, most_bytes, full: false }
    }

    /// Whether a quota of the whole is exceeded, so that nothing more needs to be offered.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// What was taken in, by the paths that were given.
    ///
    /// # Errors
    /// Everything that was refused.
    pub fn finish(self) -> Result<Files, Problems> {
        self.problems.unless_any(|| self.files)
    }

    /// Where an entry belongs; `None` for what isn't wanted, and for what is refused, which is noted.
    pub fn path(&mut self, name: &str) -> Option<String> {
        match clean(name) {
            Ok(path) => path,
            Err((why, remedy)) => {
                self.refuse(name, why, remedy);
                None
            }
        }
    }

    /// Reads a file, but never more of it than the quotas allow.
    pub fn file(&mut self, path: String, content: impl Read) {
        if self.files.len() >= MOST_FILES {
            self.refuse(BUNDLE, format!("has more than {MOST_FILES} files"), "leave out what the templates don't need");
            self.full = true;
            return;
        }
        let mut bytes = Vec::new();
        if let Err(error) = content.take(LARGEST_FILE + 1).read_to_end(&mut bytes) {
            self.unreadable(&error);
            return;
        }
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        if length > LARGEST_FILE {
            self.too_large(&path);
        } else if let Some(twice) = self.files.insert(path.clone(), bytes).map(|_| path) {
            self.refuse(twice, "is in the archive twice", "pack the bundle afresh");
        }
        if self.bytes > self.most_bytes {
            self.too_much();
        }
    }

    pub(super) fn too_large(&mut self, path: &str) {
        let message = format!("is larger than {} MiB", LARGEST_FILE >> 20);
        self.refuse(path, message, "keep large files in a bucket and refer to them");
    }

    pub(super) fn too_much(&mut self) {
        let message = format!("unpacks to more than {} MiB", self.most_bytes >> 20);
        self.refuse(BUNDLE, message, "leave out what the templates don't need");
        self.full = true;
    }

    /// The archive breaks off or is damaged: what follows can't be found any more.
    pub(super) fn unreadable(&mut self, error: &io::Error) {
        if self.full {
            return;
        }
        self.full = true;
        if error.kind() == io::ErrorKind::FileTooLarge {
            self.too_much();
        } else {
            self.refuse(BUNDLE, format!("can't be unpacked: {error}"), "pack the bundle afresh, as .zip or .tar.gz");
        }
    }

    /// Notes a problem of a file.
    pub fn refuse(&mut self, file: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::of(file, message, remedy));
    }
}

/// A path without `.` and empty components; `None` for junk.
fn clean(name: &str) -> Result<Option<String>, (&'static str, &'static str)> {
    const PACK: &str = "pack the bundle with paths below its own folder";
    if name.chars().any(char::is_control) || name.contains('\\') {
        return Err(("its name has a character that no path should have", "rename it"));
    }
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return Err(("is an absolute path", PACK));
    }
    let components: Vec<&str> = name.split('/').filter(|component| !matches!(*component, "" | ".")).collect();
    if components.contains(&"..") {
        return Err(("leads out of the bundle", PACK));
    }
    if components.iter().any(|component| component.len() > 255) || name.len() > 1024 {
        return Err(("its name is too long for a file system", "shorten it"));
    }
    let Some(last) = components.last() else { return Ok(None) };
    let junk = last.starts_with("._") || *last == ".DS_Store" || components.iter().any(|c| JUNK_FOLDERS.contains(c));
    Ok((!junk).then(|| components.join("/")))
}

/// A reader that fails with [`io::ErrorKind::FileTooLarge`] instead of giving more than `left` bytes.
pub(super) struct Limited<R> {
    pub(super) inner: R,
    pub(super) left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let length = u64::try_from(read).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_junk_is_dropped_and_escapes_are_refused() {
        for (name, path) in [
            ("./schema//schema.yaml", "schema/schema.yaml"),
            ("infrastructure/.terraform.lock.hcl", "infrastructure/.terraform.lock.hcl"),
            ("..a/b..", "..a/b.."),
        ] {
            assert_eq!(clean(name), Ok(Some(path.to_owned())));
        }
        for name in ["__MACOSX/schema/._schema.yaml", "a/._b", ".DS_Store", "i/.terraform/x", ".git/HEAD", "./", ""] {
            assert_eq!(clean(name), Ok(None), "{name}");
        }
        for name in ["/etc/passwd", "../x", "a/../../x", "C:/x", "a\\b", "a\nb", "a\0b", &"a/".repeat(600)] {
            assert!(clean(name).is_err(), "{name}");
        }
    }
}
