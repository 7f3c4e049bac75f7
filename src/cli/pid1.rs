//! The first process of a container: it buries whoever dies, hands signals on, and lets another process do the work.
//!
//! Written here rather than taken from a crate: those at hand send SIGKILL some seconds after SIGTERM, and that is never
//! ours to do.

use std::ffi::c_int;
use std::io;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::settings::UNDER_PID_1;

/// Where this is process 1: starts the same command once more, looks after all processes until that one ends, and gives
/// its exit code. Elsewhere None.
pub(super) fn stand_in() -> Option<ExitCode> {
    (std::process::id() == 1).then(|| look_after().unwrap_or(ExitCode::FAILURE))
}

fn look_after() -> io::Result<ExitCode> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD])?;
    let mut worker = start()?;
    let mut asked_to_leave = false;
    loop {
        for signal in signals.wait() {
            if signal != SIGCHLD {
                asked_to_leave = true;
                hand_on(worker, signal);
            }
        }
        while let Some(ended) = bury(worker)? {
            let Ended::Worker { status, others_live } = ended else { continue };
            // Terraform would be killed with us. The worker's next life takes it over.
            if others_live && status.signaled() && !asked_to_leave {
                worker = start()?;
            } else {
                return Ok(exit_code(status));
            }
        }
    }
}

/// The same command, as any process but the first.
fn start() -> io::Result<Pid> {
    #[expect(clippy::disallowed_methods, reason = "this is no tool that is run, it is this program itself")]
    let child =
        Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(UNDER_PID_1, "1").spawn()?;
    // It is waited for among all others, so the handle may go.
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("a child without a number"))
}

fn hand_on(worker: Pid, signal: c_int) {
    let signal = if signal == SIGINT { Signal::INT } else { Signal::TERM };
    // It may have ended just now, which its SIGCHLD tells.
    kill_process(worker, signal).ok();
}

enum Ended {
    Worker { status: WaitStatus, others_live: bool },
    Other,
}

/// Waits for one process that has ended, if there is one.
fn bury(worker: Pid) -> io::Result<Option<Ended>> {
    match wait(WaitOptions::NOHANG) {
        Ok(Some((pid, status))) if pid == worker => Ok(Some(Ended::Worker { status, others_live: others_live() })),
        Ok(Some(_)) => Ok(Some(Ended::Other)),
        Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether any child is left that runs; those that don't are buried.
fn others_live() -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// As a shell has it: 128 and the signal's number.
fn exit_code(status: WaitStatus) -> ExitCode {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
