//! A child process that ends with its owner, its output in a file that a failing test shows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A command whose environment holds only what is given here and the search path.
pub(crate) fn command(program: &Path, env: &BTreeMap<String, String>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests play the user who starts programs")]
    let mut command = Command::new(program);
    command.env_clear().env("PATH", search_path()).envs(env).stdin(Stdio::null());
    command
}

/// Where programs are looked for.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// A program that runs until it is dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    lines: Receiver<String>,
}

impl Running {
    /// Starts the command; both its streams go to the log, and stdout also to [`Self::line`].
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let stderr = File::create(log).expect("the log's folder exists");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The reader may have gone; the pipe must be drained all the same.
                drop(sender.send(line));
            }
        });
        Self { child, log: log.to_owned(), lines }
    }

    /// The next line of stdout.
    ///
    /// # Panics
    /// When the process ends or `patience` runs out before; the message holds its stderr.
    pub(crate) fn line(&mut self, patience: Duration) -> String {
        self.lines
            .recv_timeout(patience)
            .unwrap_or_else(|error| panic!("no line came ({error}); the process says:\n{}", self.stderr()))
    }

    /// What the process wrote to stderr until now.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// Asks the process to end and waits until it has.
    ///
    /// # Panics
    /// When it doesn't within `patience`.
    pub(crate) fn terminate(&mut self, patience: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(patience).unwrap_or_else(|| panic!("it ignores SIGTERM; the process says:\n{}", self.stderr()))
    }

    /// Ends the process without a word, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(10)).expect("SIGKILL ends every process");
    }

    /// Waits for the process's own end.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            match self.exited() {
                Some(status) => return Some(status),
                None if began.elapsed() >= patience => return None,
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        let running = self.exited().is_none();
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (true, Some(pid)) = (running, pid) {
            kill_process(pid, signal).expect("a child that wasn't waited for keeps its id");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.wait(Duration::from_secs(3)).is_none() {
            self.signal(Signal::KILL);
            self.wait(Duration::from_secs(10));
        }
        if thread::panicking() {
            let stderr = self.stderr();
            let tail: Vec<&str> = stderr.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            #[expect(clippy::print_stdout, reason = "cargo shows a failing test's stdout")]
            {
                println!("--- end of {}:\n{}", self.log.display(), tail.join("\n"));
            }
        }
    }
}
