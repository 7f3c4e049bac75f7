//! A host with an agent: its processes, and every way in which they can end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::support::plane::{Start, hadron};
use crate::support::process::Running;
use crate::world::World;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Agent,
    Supervisor,
    Terraform,
    Provider,
    /// A provisioner's shell, or what that has started.
    Other,
}

/// A process of a host.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) role: Role,
    /// Its command line.
    pub(crate) line: String,
}

/// An agent's folder, and the agent while it runs.
pub(crate) struct Host {
    folder: PathBuf,
    name: String,
    start: Start,
    agent: Option<Running>,
    lives: usize,
}

impl Host {
    /// An agent on a host of its own, with this key and these settings besides the usual ones.
    pub(crate) fn start(
        world: &World,
        folder: &Path,
        name: &str,
        (id, secret): &(String, String),
        settings: &str,
    ) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let rc = world.tools.terraform_rc();
        let (state, keys) = world.state_settings();
        let settings = format!("{settings}\n{state}\n[terraform]\ncli_config = {:?}\n", rc.display().to_string());
        let mut env = BTreeMap::from([
            ("HADRON_ENDPOINT".to_owned(), world.road.url()),
            ("HADRON_ACCESS_KEY_ID".to_owned(), id.clone()),
            ("HADRON_SECRET_ACCESS_KEY".to_owned(), secret.clone()),
            ("HADRON_AGENT_NAME".to_owned(), name.to_owned()),
            ("HADRON_LOG".to_owned(), "info".to_owned()),
        ]);
        env.extend(keys);
        let start = Start { settings, env, ..Start::default() };
        let mut host = Self { folder, name: name.to_owned(), start, agent: None, lives: 0 };
        host.start_agent();
        host
    }

    /// Starts the agent, on the data that its earlier life has left.
    pub(crate) fn start_agent(&mut self) {
        self.lives += 1;
        if let Some((library, file)) = clock_files(&self.folder) {
            self.start.env.insert("LD_PRELOAD".into(), library);
            self.start.env.extend(clock_env(&file));
        }
        let log = self.folder.join(format!("agent-{}.log", self.lives));
        self.agent = Some(Running::start(hadron("agent", &self.start, &self.folder), &log));
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the agent runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.agent.as_mut().is_some_and(|agent| agent.exited().is_none())
    }

    /// All that runs here, the agent included.
    pub(crate) fn processes(&mut self) -> Vec<Process> {
        let agent = self.agent.as_mut().and_then(|agent| agent.exited().is_none().then(|| agent.id()));
        let mut found = below(&self.folder);
        for process in &mut found {
            if agent.is_some_and(|agent| pid(agent) == process.pid) {
                process.role = Role::Agent;
            }
        }
        found
    }

    /// Kills all processes of a role without a word; says how many there were.
    pub(crate) fn kill(&mut self, role: Role) -> usize {
        let victims: Vec<Process> = self.processes().into_iter().filter(|process| process.role == role).collect();
        let killed = victims.iter().filter(|process| kill_process(process.pid, Signal::KILL).is_ok()).count();
        if role == Role::Agent {
            self.agent = None;
        }
        killed
    }

    /// The host loses its power, and what was on its disk.
    pub(crate) fn vanish(&mut self) -> usize {
        let count = self.end();
        fs::remove_dir_all(self.folder.join("data")).ok();
        count
    }

    /// Ends everything here. Whoever is being forked meanwhile is met the next time.
    pub(crate) fn end(&mut self) -> usize {
        let mut count = 0;
        for _ in 0..50 {
            let found = self.processes();
            if found.is_empty() {
                break;
            }
            count += found.iter().filter(|process| kill_process(process.pid, Signal::KILL).is_ok()).count();
            if let Some(agent) = &mut self.agent {
                agent.exited();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.agent = None;
        count
    }

    /// SIGTERM to the agent.
    pub(crate) fn terminate(&mut self) {
        if let Some(agent) = &self.agent {
            kill_process(pid(agent.id()), Signal::TERM).ok();
        }
    }

    /// No file of agent and supervisors may be longer than this; None lets them grow again. Terraform is spared: its
    /// runtime ends at the signal that comes with such a limit, which no full disk sends.
    pub(crate) fn limit_files(&mut self, bytes: Option<u64>) {
        for process in self.processes().iter().filter(|it| matches!(it.role, Role::Agent | Role::Supervisor)) {
            limit_files(process.pid, bytes);
        }
    }

    /// Lets this host's clock be stepped; for the next start.
    pub(crate) fn prepare_clock(&self, library: &str) {
        fs::write(self.folder.join("clock.so"), library).unwrap();
        step_clock(&self.folder, 0);
    }

    /// Steps the clock by so many seconds from what is true.
    pub(crate) fn step_clock(&self, seconds: i64) {
        step_clock(&self.folder, seconds);
    }

    pub(crate) fn log(&self) -> String {
        (1..=self.lives)
            .map(|life| fs::read_to_string(self.folder.join(format!("agent-{life}.log"))).unwrap_or_default())
            .collect::<Vec<_>>()
            .join("--- next life\n")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the soft limit may be set to; the hard one stays, since only some may raise it again.
pub(crate) fn limit_files(process: Pid, bytes: Option<u64>) {
    // The process may have ended.
    prlimit(Some(process), Resource::Fsize, Rlimit { current: bytes, maximum: None }).ok();
}

/// <https://github.com/wolfcw/libfaketime#4c-advanced-features>: the offset is read again from its file each time, and
/// what measures durations isn't stepped, as on a real machine.
pub(crate) fn clock_env(file: &Path) -> BTreeMap<String, String> {
    [
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

pub(crate) fn step_clock(folder: &Path, seconds: i64) {
    fs::write(folder.join("clock"), format!("{seconds:+}s\n")).unwrap();
}

fn clock_files(folder: &Path) -> Option<(String, PathBuf)> {
    let library = fs::read_to_string(folder.join("clock.so")).ok()?;
    Some((library, folder.join("clock")))
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// Every process that works in a folder or was started for one in it.
pub(crate) fn below(folder: &Path) -> Vec<Process> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        // A folder that was removed under it.
        let place = PathBuf::from(place.to_string_lossy().trim_end_matches(" (deleted)").to_owned());
        let ours = place.starts_with(folder) || line.contains(&*folder.to_string_lossy());
        // What has ended but wasn't waited for has no command line any more.
        if ours && !line.is_empty() {
            found.extend(Pid::from_raw(number).map(|pid| Process { pid, role: role(&line), line }));
        }
    }
    found
}

fn role(line: &str) -> Role {
    let program = line.split(' ').next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    match name {
        "hadron" if line.contains(" supervise ") => Role::Supervisor,
        "hadron" if line.contains(" agent ") => Role::Agent,
        "terraform" => Role::Terraform,
        name if name.starts_with("terraform-provider") => Role::Provider,
        _ => Role::Other,
    }
}
