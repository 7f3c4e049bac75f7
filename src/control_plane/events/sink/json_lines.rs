//! A file that gets one line an event.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Outcome, Sink};
use crate::control_plane::events::outbox::Letter;

/// So many lines share one sync of the disk.
const BATCH: usize = 64;

/// A file. It is opened anew each time, so that it can be rotated by renaming.
pub(super) struct JsonLines {
    path: PathBuf,
}

impl JsonLines {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl Sink for JsonLines {
    fn batch(&self) -> usize {
        BATCH
    }

    /// What is appended must not mix.
    fn at_once(&self) -> usize {
        1
    }

    async fn deliver(&self, letters: &[&Letter]) -> Vec<Outcome> {
        let mut lines = Vec::new();
        for letter in letters {
            if let Err(error) = serde_json::to_writer(&mut lines, &letter.event) {
                return letters.iter().map(|_| Outcome::never(error.to_string())).collect();
            }
            lines.push(b'\n');
        }
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || append(&path, &lines)).await;
        let outcome = match written.map_err(io::Error::other).flatten() {
            Ok(()) => Outcome::Delivered,
            Err(error) => Outcome::later(format!("{}: {error}", self.path.display())),
        };
        letters.iter().map(|_| outcome.clone()).collect()
    }
}

/// Appends whole lines in one write and waits until they are on the disk.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let before = file.metadata()?.len();
    // A full disk or a power cut may have left half a line: the next one must not continue it.
    let begun = ends_within_a_line(&mut file, before)?;
    let written = if begun { file.write_all(&[b"\n", lines].concat()) } else { file.write_all(lines) };
    if let Err(error) = written {
        // What didn't fit comes again whole.
        drop(file.set_len(before));
        return Err(error);
    }
    file.sync_data()
}

fn ends_within_a_line(file: &mut std::fs::File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_whole_behind_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        append(&path, b"{\"a\":1}\n").unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"torn\":").unwrap();
        append(&path, b"{\"b\":2}\n{\"c\":3}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"torn\":\n{\"b\":2}\n{\"c\":3}\n");
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_and_no_panic() {
        assert!(append(Path::new("/nowhere/events.jsonl"), b"{}\n").is_err());
    }
}
