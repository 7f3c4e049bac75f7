//! Where the server of a data folder is reached: a note that it leaves there while it runs, so that commands in the same
//! folder find it wherever its flags have put it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::settings::Resolved;
use crate::support::files;

/// The note of a server that runs; it goes with the server.
#[derive(Debug)]
pub(super) struct Note {
    path: PathBuf,
    url: String,
}

impl Note {
    /// Leaves it.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(super) fn leave(data: &Path, url: &str) -> io::Result<Self> {
        let note = Self { path: path(data), url: url.to_owned() };
        files::write_atomically(&note.path, note.url.as_bytes())?;
        Ok(note)
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // With PostgreSQL a second server may use the folder, and have left its own.
        if fs::read_to_string(&self.path).is_ok_and(|url| url == self.url) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Where the server of the settings' data folder is reached, if one runs or was killed.
pub(super) fn url(settings: &Resolved) -> Option<String> {
    let data = PathBuf::from(settings.text("data")?);
    fs::read_to_string(path(&data)).ok().filter(|url| !url.is_empty())
}

fn path(data: &Path) -> PathBuf {
    data.join("address")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{File, Surroundings};

    #[test]
    fn a_note_goes_with_its_server_and_with_no_other() {
        let data = tempfile::tempdir().unwrap();
        let flags = [("data", data.path().display().to_string())].into();
        let settings = Resolved::new(flags, Surroundings::default(), File::default());
        let first = Note::leave(data.path(), "http://127.0.0.1:1").unwrap();
        assert_eq!(url(&settings).as_deref(), Some("http://127.0.0.1:1"));
        let second = Note::leave(data.path(), "http://127.0.0.1:2").unwrap();
        drop(first);
        assert_eq!(url(&settings).as_deref(), Some("http://127.0.0.1:2"));
        drop(second);
        assert_eq!(url(&settings), None);
    }
}
