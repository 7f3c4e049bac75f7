//! The real `hadron` binary, on a free port and in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Running, command};

/// The binary that cargo built for these tests.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hadron"))
}

/// What a `hadron` process is started with.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// The contents of its settings file.
    pub(crate) settings: String,
    /// Flags behind the verb.
    pub(crate) flags: Vec<String>,
    /// Its environment, besides the search path and a home.
    pub(crate) env: BTreeMap<String, String>,
    /// Files that lie in its data folder before it starts.
    pub(crate) data: Vec<(&'static str, Vec<u8>)>,
    /// The port of a plane that must be found again after a restart, see [`free_port`]; 0 means any.
    pub(crate) port: u16,
}

/// A running control plane, perhaps with an agent inside.
pub(crate) struct Plane {
    folder: TempDir,
    start: Start,
    verb: &'static str,
    listen: String,
    exported: BTreeMap<String, String>,
    process: Running,
}

impl Plane {
    /// `hadron up`: control plane, object store and agent in one process.
    pub(crate) fn up(start: Start) -> Self {
        Self::launch("up", start)
    }

    /// `hadron serve`: the control plane alone.
    pub(crate) fn serve(start: Start) -> Self {
        Self::launch("serve", start)
    }

    /// `hadron up` on a folder that holds its `data` already.
    pub(crate) fn up_in(folder: TempDir, start: Start) -> Self {
        Self::launch_in(folder, "up", start)
    }

    fn launch(verb: &'static str, start: Start) -> Self {
        Self::launch_in(TempDir::new().expect("a temporary folder"), verb, start)
    }

    fn launch_in(folder: TempDir, verb: &'static str, start: Start) -> Self {
        let listen = format!("127.0.0.1:{}", if start.port == 0 { free_port() } else { start.port });
        let data = folder.path().join("data");
        for (name, bytes) in &start.data {
            fs::create_dir_all(&data).expect("the data folder can be made");
            fs::write(data.join(name), bytes).expect("a file can be laid into it");
        }
        let (process, exported) = run(verb, &start, folder.path(), &listen);
        Self { folder, start, verb, listen, exported, process }
    }

    /// Ends the process as a crash would and starts it again on the same data and the same port.
    pub(crate) fn crash_and_restart(&mut self) {
        self.process.kill();
        self.restart();
    }

    /// Starts the process again, which has ended.
    pub(crate) fn restart(&mut self) {
        (self.process, self.exported) = run(self.verb, &self.start, self.folder.path(), &self.listen);
    }

    /// Starts the process again, which has ended, with other settings or another environment.
    pub(crate) fn restart_with(&mut self, start: Start) {
        self.start = start;
        self.restart();
    }

    /// What the printed `export` lines set.
    pub(crate) fn exported(&self) -> &BTreeMap<String, String> {
        &self.exported
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> &str {
        &self.exported["AWS_ENDPOINT_URL"]
    }

    /// Its `--data` folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its process's id.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The process itself.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.process
    }
}

/// A port that nobody listens on, and that no outgoing connection is ever given: it lies below the system's ephemeral
/// range, so that a plane finds it free again after a restart. Where to begin differs by process, so that two don't race for
/// the same.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 600).expect("it is small") * 10;
    loop {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 6000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Where an agent's folder lies: `agent.log`, and its data in `data`.
pub(crate) fn agent_folder(plane: &Plane, name: &str) -> PathBuf {
    plane.folder.path().join(name)
}

/// `hadron agent`, pointed at a plane by the key that the plane printed.
///
/// Each agent has its own data folder below the plane's, so that several can run.
pub(crate) fn agent(plane: &Plane, name: &str, start: &Start) -> Running {
    let folder = agent_folder(plane, name);
    fs::create_dir_all(&folder).expect("a folder for the agent");
    let mut agent = hadron("agent", start, &folder);
    let (key, secret) = (&plane.exported["AWS_ACCESS_KEY_ID"], &plane.exported["AWS_SECRET_ACCESS_KEY"]);
    let own = [
        ("HADRON_ENDPOINT", plane.endpoint()),
        ("HADRON_ACCESS_KEY_ID", key),
        ("HADRON_SECRET_ACCESS_KEY", secret),
        ("HADRON_AGENT_NAME", name),
    ];
    // What the test chose counts more.
    for (variable, value) in own.into_iter().filter(|(variable, _)| !start.env.contains_key(*variable)) {
        agent.env(variable, value);
    }
    Running::start(agent, &folder.join("agent.log"))
}

/// A `hadron` command with its settings file and data below `folder`, and nothing inherited but the search path.
pub(crate) fn hadron(verb: &str, start: &Start, folder: &Path) -> std::process::Command {
    let settings = folder.join("hadron.toml");
    fs::write(&settings, &start.settings).expect("the settings file can be written");
    let mut command = command(binary(), &start.env);
    command
        .env("HOME", folder)
        .current_dir(folder)
        .args([verb, "--config"])
        .arg(settings)
        .arg("--data")
        .arg(folder.join("data"))
        .args(&start.flags);
    command
}

fn run(verb: &str, start: &Start, folder: &Path, listen: &str) -> (Running, BTreeMap<String, String>) {
    let mut command = hadron(verb, start, folder);
    command.args(["--listen", listen]);
    let mut process = Running::start(command, &folder.join("hadron.log"));
    let mut exported = BTreeMap::new();
    // One line for the endpoint and one for the key, printed once it accepts connections.
    while !(exported.contains_key("AWS_ENDPOINT_URL") && exported.contains_key("AWS_SECRET_ACCESS_KEY")) {
        exported.extend(parse_export(&process.line(Duration::from_secs(30))));
    }
    (process, exported)
}

/// The variables of an `export A=1 B=2` line.
fn parse_export(line: &str) -> BTreeMap<String, String> {
    let assignments = line.strip_prefix("export ").unwrap_or_default().split_whitespace();
    assignments.filter_map(|one| one.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}
