//! Processes that aren't our children, known by their number and the moment they began.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// A process. Numbers are used again, so the number alone names nobody: with the start time beside it a stranger that got
/// the number later is not taken for ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    /// The kernel's number.
    pub(super) pid: i32,
    /// When it began, in clock ticks since the machine started.
    pub(super) start_time: u64,
}

impl ProcessId {
    /// Names the process that has this number now.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let (_, start_time) = stat(pid)?;
        Ok(Self { pid, start_time })
    }

    /// Whether it still runs. A zombie doesn't: nobody may be left to bury it.
    pub(super) fn lives(self) -> bool {
        stat(self.pid).is_ok_and(|(state, start_time)| start_time == self.start_time && !matches!(state, 'Z' | 'X'))
    }

    /// Kills what a Terraform that is gone has left in its process group: providers, which would go on changing things
    /// unobserved. Only processes with the same HOME count, since a group's number is used again too.
    pub(super) fn end_group(self, home: &Path) {
        for pid in self.others().filter(|pid| has_home(*pid, home)).filter_map(Pid::from_raw) {
            // One that has just gone is fine.
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
    }

    /// Whether anybody but it is at work in its process group. A zombie isn't, and may stay where nobody buries it.
    pub(super) fn has_left_somebody(self) -> bool {
        let works = |pid| stat(pid).is_ok_and(|(state, _)| !matches!(state, 'Z' | 'X'));
        self.others().any(works)
    }

    /// The other processes of its group.
    fn others(self) -> impl Iterator<Item = i32> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(move |pid| *pid != self.pid && group(*pid) == Some(self.pid))
    }

    /// Sends a signal to whoever is left in its process group.
    pub(super) fn signal_group(self, signal: Signal) {
        if let Some(leader) = Pid::from_raw(self.pid) {
            // Nobody may be left by now, which is fine.
            rustix::process::kill_process_group(leader, signal).ok();
        }
    }

    /// Sends SIGINT, if the process is still the one that was meant.
    pub(super) fn interrupt(self) -> io::Result<()> {
        match Pid::from_raw(self.pid) {
            Some(pid) if self.lives() => Ok(rustix::process::kill_process(pid, Signal::INT)?),
            _ => Ok(()),
        }
    }
}

/// What this machine is called.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The process group: field 5 of `/proc/PID/stat`.
fn group(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

fn has_home(pid: i32, home: &Path) -> bool {
    let wanted = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    env.split(|byte| *byte == 0).any(|variable| variable == wanted)
}

/// State and start time of `/proc/PID/stat` (fields 3 and 22 of proc(5)). The name before them may hold anything, closing
/// parentheses included.
fn stat(pid: i32) -> io::Result<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let state = fields.first().and_then(|field| field.chars().next());
    let start_time = fields.get(19).and_then(|field| field.parse().ok());
    state.zip(start_time).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unexpected form of /proc/PID/stat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_under_its_own_start_time_only() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = ProcessId::of(pid).unwrap();
        assert!(own.lives());
        let earlier = ProcessId { start_time: own.start_time - 1, ..own };
        assert!(!earlier.lives());
        earlier.interrupt().unwrap();
    }
}
