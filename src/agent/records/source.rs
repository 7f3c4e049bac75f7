//! What a run has said, read from the folders of its steps.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::PIECE;
use crate::agent::workdir::{MOST_PLANS, round_folder};
use crate::terraform::{Event, Step};

/// The steps whose output is a run's record, after init's. The outputs step isn't among them: it prints secrets.
const STEPS: [Step; 3] = [Step::Plan, Step::Apply, Step::Destroy];

/// Init, and then the steps of each round.
const MOST_STEPS: usize = 1 + STEPS.len() * MOST_PLANS;

/// The steps' output files, one after the other.
pub(super) struct Source {
    run_dir: PathBuf,
    /// Which step, see [`Source::folder`], and how far that step's stdout has been read.
    step: usize,
    offset: u64,
}

impl Source {
    pub(super) fn new(run_dir: &Path) -> Self {
        Self { run_dir: run_dir.to_owned(), step: 0, offset: 0 }
    }

    /// Appends complete lines: as they are to `events`, as people read them to `log`. `last` says that nobody writes any
    /// more, so that an incomplete line won't be completed.
    pub(super) fn read(&mut self, last: bool, log: &mut Vec<u8>, events: &mut Vec<u8>) -> io::Result<()> {
        while self.step < MOST_STEPS {
            let folder = self.folder(self.step);
            let ended = last || folder.join("exit.json").exists();
            let more = self.read_stdout(&folder, ended, log, events)?;
            if more {
                return Ok(());
            }
            if !ended {
                // Another one of the later steps may be the one that runs.
                if folder.exists() || !self.later_step_exists() {
                    return Ok(());
                }
            } else if let Ok(stderr) = std::fs::read(folder.join("stderr.log")) {
                log.extend_from_slice(&stderr);
            }
            self.step += 1;
            self.offset = 0;
        }
        Ok(())
    }

    fn later_step_exists(&self) -> bool {
        (self.step + 1..MOST_STEPS).any(|step| self.folder(step).exists())
    }

    fn folder(&self, step: usize) -> PathBuf {
        match step.checked_sub(1) {
            None => self.run_dir.join(Step::Init.folder()),
            Some(later) => round_folder(&self.run_dir, later / STEPS.len()).join(STEPS[later % STEPS.len()].folder()),
        }
    }

    /// Reads at most one piece; true if there may be more.
    fn read_stdout(&mut self, folder: &Path, ended: bool, log: &mut Vec<u8>, events: &mut Vec<u8>) -> io::Result<bool> {
        let mut file = match File::open(folder.join("stdout.jsonl")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = Vec::new();
        file.take(PIECE as u64).read_to_end(&mut text)?;
        let full = text.len() == PIECE;
        let complete = match text.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            // A line longer than a piece is passed on in parts; one that is still being written can wait.
            None if full || ended => text.len(),
            None => 0,
        };
        let complete = if ended && !full { text.len() } else { complete };
        events.extend_from_slice(&text[..complete]);
        for line in String::from_utf8_lossy(&text[..complete]).lines() {
            if let Some(human) = Event::parse(line).human() {
                log.extend_from_slice(human.as_bytes());
                log.push(b'\n');
            }
        }
        self.offset += complete as u64;
        Ok(full)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(source: &mut Source, last: bool) -> (String, String) {
        let (mut log, mut events) = (Vec::new(), Vec::new());
        source.read(last, &mut log, &mut events).unwrap();
        (String::from_utf8(log).unwrap(), String::from_utf8(events).unwrap())
    }

    fn run_dir() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (step, text) in [("1-init", "one\n"), ("2-destroy", "{\"@message\":\"two\"}\nthr")] {
            fs::create_dir(folder.path().join(step)).unwrap();
            fs::write(folder.path().join(step).join("stdout.jsonl"), text).unwrap();
        }
        folder
    }

    #[test]
    fn steps_follow_each_other_and_a_line_waits_until_it_is_complete() {
        let folder = run_dir();
        let mut source = Source::new(folder.path());
        assert_eq!(read(&mut source, false).0, "one\n", "init hasn't ended");
        fs::write(folder.path().join("1-init/exit.json"), "{}").unwrap();
        fs::write(folder.path().join("1-init/stderr.log"), "warned\n").unwrap();
        assert_eq!(read(&mut source, false), ("warned\ntwo\n".into(), "{\"@message\":\"two\"}\n".into()));
        assert_eq!(read(&mut source, false), (String::new(), String::new()));
        assert_eq!(read(&mut source, true), ("thr\n".into(), "thr".into()));
    }
}
