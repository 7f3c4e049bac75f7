//! Follows a file that another process writes, line by line.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Longer lines are cut: one of this length is no event that we would keep in memory.
const LONGEST_LINE: usize = 32 << 20;

/// A reader that remembers how far it came, and what it has of a line that isn't complete yet.
pub(super) struct Tail {
    path: PathBuf,
    file: Option<File>,
    lines: Lines,
}

/// Cuts bytes into lines, to the same ones however the bytes come in.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
    skipping: bool,
}

impl Tail {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, lines: Lines::default() }
    }

    /// Hands on every line that has been completed since the last call. A file that isn't there yet has none.
    pub(super) fn read(&mut self, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut piece = vec![0; 64 << 10];
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            self.lines.take(&piece[..length], on_line);
        }
    }

    /// The same, and then what stands after the last line end: the writer is gone and won't complete it.
    pub(super) fn finish(&mut self, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
        self.read(on_line)?;
        self.lines.finish(on_line);
        Ok(())
    }
}

impl Lines {
    /// Hands on every line that these bytes complete, without its end; empty ones are left out.
    pub fn take(&mut self, piece: &[u8], on_line: &mut dyn FnMut(&str)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            if !self.skipping {
                self.pending.extend_from_slice(text);
            }
            if self.pending.len() > LONGEST_LINE {
                self.pending.truncate(LONGEST_LINE);
                hand_on(&std::mem::take(&mut self.pending), on_line);
                self.skipping = true;
            } else if complete && !self.skipping {
                hand_on(&self.pending, on_line);
                self.pending.clear();
            }
            if complete {
                self.skipping = false;
            }
        }
    }

    /// Hands on what stands after the last line end: nobody will complete it.
    pub fn finish(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.pending.is_empty() {
            hand_on(&std::mem::take(&mut self.pending), on_line);
        }
    }
}

fn hand_on(line: &[u8], on_line: &mut dyn FnMut(&str)) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    if !text.is_empty() {
        on_line(text);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(of: impl FnOnce(&mut dyn FnMut(&str))) -> Vec<String> {
        let mut lines = Vec::new();
        of(&mut |line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn a_line_is_handed_on_once_it_is_complete() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut tail = Tail::new(file.path().to_owned());
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(lines(|on| tail.read(on).unwrap()), ["one"]);
        file.write_all(b"o\r\n\nthree").unwrap();
        assert_eq!(lines(|on| tail.read(on).unwrap()), ["two"]);
        assert_eq!(lines(|on| tail.finish(on).unwrap()), ["three"]);
        assert_eq!(lines(|on| tail.finish(on).unwrap()), [""; 0]);
    }

    #[test]
    fn a_line_of_several_megabytes_arrives_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let long = "x".repeat(5 << 20);
        write!(file, "{long}\nnext\n").unwrap();
        let read = lines(|on| Tail::new(file.path().to_owned()).finish(on).unwrap());
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].len(), long.len());
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_is_whole() {
        let mut cut = Lines::default();
        let read = lines(|on| {
            cut.take(&vec![b'x'; LONGEST_LINE + 1], on);
            cut.take(b"yyy\nnext\n", on);
        });
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].len(), read[1].as_str()), (LONGEST_LINE, "next"));
    }

    #[test]
    fn a_file_that_is_not_there_yet_has_no_lines() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lines(|on| Tail::new(folder.path().join("later")).finish(on).unwrap()), [""; 0]);
    }
}
