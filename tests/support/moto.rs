//! An emulated AWS on a free port, and what exists in it as boto3 sees it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::examples;
use super::process::{Running, command};
use super::tools::{Tools, aws_environment};

/// Lists what the examples create, by kind; see the script.
const INVENTORY: &str = include_str!("inventory.py");

/// moto's server; it forgets everything when it is dropped.
pub(crate) struct Moto {
    endpoint: String,
    home: TempDir,
    _server: Running,
}

impl Moto {
    /// Starts the server and waits until it answers.
    pub(crate) fn start(tools: &Tools) -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let env = BTreeMap::from([
            ("HOME".to_owned(), home.path().display().to_string()),
            // The execution role's policy is one of AWS's own.
            ("MOTO_IAM_LOAD_MANAGED_POLICIES".to_owned(), "true".to_owned()),
            ("PYTHONUNBUFFERED".to_owned(), "1".to_owned()),
        ]);
        let mut server = command(&tools.python(), &env);
        server.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let mut server = Running::start(server, &home.path().join("moto.log"));
        let endpoint = wait_for_address(&mut server);
        Self { endpoint, home, _server: server }
    }

    /// Where it listens, as a URL.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The environment that points AWS clients at it.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let mut env = aws_environment(&self.endpoint);
        env.insert("HOME".into(), self.home.path().display().to_string());
        env
    }

    /// The repository's overlay for moto, with this server's port in place of the usual one.
    pub(crate) fn write_overlay(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("the overlay's folder can be made");
        let name = "provider_override.tf";
        let overlay = fs::read_to_string(examples().join("aws/overlay-moto").join(name)).expect("the overlay is there");
        assert!(overlay.contains("http://127.0.0.1:5000"), "the overlay names moto's usual port");
        fs::write(folder.join(name), overlay.replace("http://127.0.0.1:5000", &self.endpoint))
            .expect("it can be written");
    }

    /// What exists, by kind: `{"clusters": ["dev-cluster"], …}`. Kinds of which there is nothing are left out, so an
    /// empty account is `{}`.
    pub(crate) fn inventory(&self, tools: &Tools) -> Value {
        self.boto3(tools, INVENTORY)
    }

    /// Runs a script that prints JSON. boto3 finds endpoint and credentials in the environment.
    pub(crate) fn boto3(&self, tools: &Tools, script: &str) -> Value {
        let done = command(&tools.python(), &self.env()).args(["-c", script]).output().expect("python starts");
        assert!(done.status.success(), "boto3: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("the script prints JSON")
    }

    /// Removes what moto forgets when it deletes a CloudFormation stack: without this, the VPC's deletion fails.
    pub(crate) fn drop_route_tables(&self, tools: &Tools) {
        self.boto3(tools, include_str!("drop_route_tables.py"));
    }
}

/// The server logs its address once it listens.
fn wait_for_address(server: &mut Running) -> String {
    let began = Instant::now();
    loop {
        let log = server.stderr();
        if let Some(line) = log.lines().find_map(|line| line.split_once("Running on ")) {
            return line.1.trim().to_owned();
        }
        let dead = server.exited().is_some();
        assert!(!dead && began.elapsed() < Duration::from_mins(1), "moto doesn't start:\n{log}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
