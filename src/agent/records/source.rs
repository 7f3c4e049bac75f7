//! What a run has said, read from the folders of its steps.
//!
//! Both streams are functions of these files alone, however they are read: an agent that comes back makes the same bytes
//! again, and goes on behind those that have arrived.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::PIECE;
use crate::agent::workdir::{MOST_PLANS, round_folder};
use crate::terraform::{Event, EventKind, Lines, Phase, SET_ASIDE, Step};

/// The steps whose output is a run's record, after init's. The outputs step isn't among them: it prints secrets.
const STEPS: [Step; 3] = [Step::Plan, Step::Apply, Step::Destroy];

/// Init; what was set aside, and the init after it; then the steps of each round.
const SECOND_INIT: usize = 1 + STEPS.len();
const ROUNDS: usize = SECOND_INIT + 1;

/// The folder of a run's step, counted from init on, and which it is.
fn step(run_dir: &Path, number: usize) -> (PathBuf, Step) {
    let (folder, step) = match number {
        0 => (run_dir.to_owned(), Step::Init),
        SECOND_INIT => (run_dir.join(SET_ASIDE), Step::Init),
        number if number < SECOND_INIT => (run_dir.join(SET_ASIDE), STEPS[number - 1]),
        number => {
            let later = number - ROUNDS;
            (round_folder(run_dir, later / STEPS.len()), STEPS[later % STEPS.len()])
        }
    };
    (folder.join(step.folder()), step)
}

/// The number behind the last step that there can be by now: rounds follow each other without a gap.
fn end(run_dir: &Path) -> usize {
    let later = (1..MOST_PLANS).take_while(|round| round_folder(run_dir, *round).exists()).count();
    ROUNDS + STEPS.len() * (1 + later)
}

/// The steps that a run has, in their order.
pub(super) fn steps(run_dir: &Path) -> impl Iterator<Item = (PathBuf, Step)> {
    (0..end(run_dir)).map(|number| step(run_dir, number)).filter(|(folder, _)| folder.exists())
}

/// What was read at once.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// As people read it.
    pub(super) log: Vec<u8>,
    /// As Terraform wrote it.
    pub(super) events: Vec<u8>,
    /// Whether a resource began or ended: whoever takes a vanished host's run over has nothing but these events.
    pub(super) urgent: bool,
}

impl Said {
    fn line(&mut self, line: &str) {
        let event = Event::parse(line);
        if let Some(human) = event.human() {
            self.log.extend_from_slice(human.as_bytes());
            self.log.push(b'\n');
        }
        let changes = |phase| matches!(phase, Phase::Start | Phase::Complete | Phase::Errored);
        self.urgent |= matches!(event.kind, EventKind::Apply(phase, _) if changes(phase));
    }
}

/// The steps' output files, one after the other.
#[derive(Debug)]
pub(super) struct Source {
    run_dir: PathBuf,
    /// Which step, and how far that step's stdout has been read.
    step: usize,
    offset: u64,
    /// The line that isn't complete yet.
    lines: Lines,
    /// Whether what may have been set aside was looked for behind us.
    looked_back: bool,
}

impl Source {
    pub(super) fn new(run_dir: &Path) -> Self {
        Self { run_dir: run_dir.to_owned(), step: 0, offset: 0, lines: Lines::default(), looked_back: false }
    }

    /// Goes back to a step that was set aside, as far as it has been read, and then on to the init after it.
    fn look_back(&mut self) {
        let aside = (1..SECOND_INIT).find(|number| step(&self.run_dir, *number).0.exists());
        let Some(aside) = aside.filter(|_| self.step >= ROUNDS && !self.looked_back) else { return };
        self.looked_back = true;
        if self.step == aside - 1 + ROUNDS {
            self.step = aside;
        } else {
            (self.step, self.offset) = (SECOND_INIT, 0);
        }
    }

    /// Reads on, at most one piece. `last` says that nobody writes any more, so that an incomplete line won't be
    /// completed.
    pub(super) fn read(&mut self, last: bool, said: &mut Said) -> io::Result<()> {
        self.look_back();
        let end = end(&self.run_dir);
        while self.step < end {
            let (folder, _) = step(&self.run_dir, self.step);
            let ended = last || folder.join("exit.json").exists();
            if self.read_stdout(&folder, ended, said)? {
                return Ok(());
            }
            if ended {
                self.lines.finish(&mut |line| said.line(line));
                said.log.extend(std::fs::read(folder.join("stderr.log")).unwrap_or_default());
            } else if folder.exists() || !self.later_step_exists(end) {
                return Ok(());
            }
            // Whoever has come by here in order has read it.
            self.looked_back |= (1..=SECOND_INIT).contains(&self.step) && folder.exists();
            // Where it hasn't ended, another one of the later steps is the one that runs.
            self.step += 1;
            self.offset = 0;
        }
        Ok(())
    }

    fn later_step_exists(&self, end: usize) -> bool {
        (self.step + 1..end).any(|number| step(&self.run_dir, number).0.exists())
    }

    /// Takes in whole lines, as long as more can be hoped for; true if there may be more now.
    fn read_stdout(&mut self, folder: &Path, ended: bool, said: &mut Said) -> io::Result<bool> {
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
            Some(end) if full || !ended => end + 1,
            None if !full && !ended => 0,
            _ => text.len(),
        };
        said.events.extend_from_slice(&text[..complete]);
        self.lines.take(&text[..complete], &mut |line| said.line(line));
        self.offset += complete as u64;
        Ok(full)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(source: &mut Source, last: bool) -> (String, String) {
        let mut said = Said::default();
        source.read(last, &mut said).unwrap();
        (String::from_utf8(said.log).unwrap(), String::from_utf8(said.events).unwrap())
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
        let folders: Vec<_> = steps(folder.path()).map(|(_, step)| step).collect();
        assert_eq!(folders, [Step::Init, Step::Destroy]);
    }

    #[test]
    fn the_log_is_the_same_however_the_bytes_came_in() {
        let folder = run_dir();
        let file = folder.path().join("2-destroy/stdout.jsonl");
        let long = format!("{{\"@message\":\"{}\"}}\n", "é".repeat(PIECE));
        let text = [long.as_bytes(), b"plain \xff text\r\n\n{\"@message\":\"end\"}"].concat();
        fs::write(folder.path().join("1-init/exit.json"), "{}").unwrap();
        let all = |steps: &[usize]| {
            fs::write(&file, "").unwrap();
            let (mut source, mut said) = (Source::new(folder.path()), Said::default());
            for end in steps {
                fs::write(&file, &text[..*end]).unwrap();
                source.read(false, &mut said).unwrap();
            }
            fs::write(&file, &text).unwrap();
            (0..4).for_each(|_| source.read(true, &mut said).unwrap());
            (said.log, said.events)
        };
        let whole = all(&[]);
        assert_eq!(whole.1, [b"one\n", text.as_slice()].concat());
        assert_eq!(all(&[3, 4000, long.len() / 2, long.len() + 9, text.len() - 1]), whole);
    }

    #[test]
    fn only_what_changes_resources_is_urgent() {
        let urgent = |kind: &str| {
            let mut said = Said::default();
            said.line(&format!(r#"{{"type":"{kind}","hook":{{"resource":{{"addr":"a"}},"action":"create"}}}}"#));
            said.urgent
        };
        assert!(urgent("apply_start") && urgent("apply_complete") && urgent("apply_errored"));
        assert!(!urgent("apply_progress") && !urgent("refresh_complete") && !urgent("later"));
    }

    #[test]
    fn a_step_that_was_set_aside_comes_before_the_init_after_it_whenever_that_is_noticed() {
        let write = |folder: &Path, text: &str| {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("stdout.jsonl"), text).unwrap();
            fs::write(folder.join("exit.json"), "{}").unwrap();
        };
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("2-apply"), "in vain\n");
        let mut live = Source::new(folder.path());
        let mut seen = read(&mut live, false).0;
        write(&folder.path().join("0-warm/1-init"), "init\n");
        seen += &read(&mut live, false).0;
        fs::rename(folder.path().join("2-apply"), folder.path().join("0-warm/2-apply")).unwrap();
        write(&folder.path().join("2-apply"), "applied\n");
        seen += &read(&mut live, false).0;
        seen += &read(&mut live, true).0;
        assert_eq!(seen, "in vain\ninit\napplied\n");
        assert_eq!(read(&mut Source::new(folder.path()), true).0, seen, "a later life reads the same");
    }
}
