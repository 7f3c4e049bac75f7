//! What a command of the operator's prints, within a time.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// More than any answer of use; a command that prints without end is stopped here.
const LONGEST: u64 = 64 * 1024;

/// How often an end is looked for that no closed pipe announces.
const LOOK: Duration = Duration::from_millis(20);

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The shell can't be started.
    #[error("it can't be started")]
    Start(#[source] std::io::Error),
    /// It ended as it shouldn't.
    #[error("it ended with {0}")]
    Failed(ExitStatus),
    /// It didn't end.
    #[error("it hasn't ended within {} s, and was stopped", .0.as_secs())]
    TooSlow(Duration),
}

/// Runs a line of shell in this process's environment, its stderr going to ours, and returns what it printed. It is
/// killed, and whatever it has started, after `patience`.
///
/// # Errors
/// See [`AnswerError`].
pub fn answer(line: &str, patience: Duration) -> Result<Vec<u8>, AnswerError> {
    let until = Instant::now() + patience;
    #[expect(clippy::disallowed_methods, reason = "duct sets no bound to what is read")]
    let mut shell = Command::new("/bin/sh");
    // A group of its own, so that what it starts ends with it.
    shell.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut child = shell.spawn().map_err(AnswerError::Start)?;
    let (sender, printed) = mpsc::channel();
    let pipe = child.stdout.take();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map_or(Ok(0), |pipe| pipe.take(LONGEST).read_to_end(&mut bytes));
        // Nobody listens any more to a command that was stopped.
        drop(sender.send(read.map(|_| bytes)));
    });
    let ended = printed.recv_timeout(patience).ok().and_then(Result::ok).zip(wait(&mut child, until));
    match ended {
        Some((bytes, status)) if status.success() => Ok(bytes),
        Some((_, status)) => Err(AnswerError::Failed(status)),
        None => {
            stop(&mut child);
            Err(AnswerError::TooSlow(patience))
        }
    }
}

fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn stop(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = group.map(|group| rustix::process::kill_process_group(group, Signal::KILL)) {
        tracing::warn!(%error, "a command that took too long can't be stopped");
    }
    // Killed, it is gone at once.
    drop(child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn it_is_what_the_command_printed() {
        assert_eq!(answer("printf 'a b'; printf c >/dev/null", LONG).unwrap(), b"a b");
        assert!(matches!(answer("echo x; exit 3", LONG), Err(AnswerError::Failed(status)) if status.code() == Some(3)));
        assert!(matches!(answer("/no/such/program 2>/dev/null", LONG), Err(AnswerError::Failed(_))));
    }

    #[test]
    fn one_that_hangs_is_stopped_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        // The inner shell holds the pipe open, and would write the mark if it were left alone.
        let line = format!("(sleep 1; touch {}) & wait", mark.display());
        let error = answer(&line, Duration::from_millis(200)).unwrap_err();
        assert!(matches!(error, AnswerError::TooSlow(_)), "{error}");
        thread::sleep(Duration::from_millis(1200));
        assert!(!mark.exists());
        assert!(matches!(
            answer("yes", Duration::from_millis(500)),
            Err(AnswerError::Failed(_) | AnswerError::TooSlow(_))
        ));
    }
}
