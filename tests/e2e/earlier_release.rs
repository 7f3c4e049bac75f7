//! From one release to the next: the data folder that the previous one left, with a run in flight, is opened by this one;
//! what a later release has written is refused, and left as it is.
//!
//! The folder lies packed in `tests/fixtures`, with its own keys, which protect nothing. It is made anew, by the release
//! that is to be the previous one, with
//!
//! ```text
//! HADRON_FIXTURE=write cargo test --test e2e earlier_release
//! ```

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_proton::types::{DeploymentStatus, DeploymentUpdateType};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rustix::process::{Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::client::{Client, ask, environment_bundle, eventually};
use crate::dead_agent::parent;
use crate::support::plane::{Plane, Start, hadron};

/// What the release before this one left; there is none yet, so this one has made it.
const FIXTURE: &str = "tests/fixtures/data-0.1.0.tar.gz";

/// `done` is deployed; `dev` has made its first resource and hangs at the second, where its file tells it to. Where the
/// folder isn't there any more, nothing hangs.
const TEMPLATE: &str = r#"
resource "terraform_data" "first" {
  input = "made by the release before"
}

resource "terraform_data" "second" {
  depends_on = [terraform_data.first]

  provisioner "local-exec" {
    command = "if mkdir '${var.environment.inputs.folder}/hung'; then sleep 600; fi"
  }
}

output "First" {
  value = terraform_data.first.output
}

output "Secret" {
  value     = "sealed by the release before"
  sensitive = true
}
"#;

/// The agent's id is of its name, which mustn't be the machine's.
fn start() -> Start {
    let env = [("HADRON_AGENT_NAME", "fixture")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Start { env, ..Start::default() }
}

/// A folder `data` of the release before, unpacked; made by this one if that is asked for.
async fn folder() -> TempDir {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(FIXTURE);
    if std::env::var_os("HADRON_FIXTURE").is_some_and(|wish| wish == "write") {
        MADE.get_or_init(|| make(&archive)).await;
    }
    let folder = TempDir::new().unwrap();
    let packed = File::open(&archive).unwrap_or_else(|error| panic!("{}: {error}", archive.display()));
    tar::Archive::new(GzDecoder::new(packed)).unpack(folder.path()).unwrap();
    folder
}

/// Plays what the fixture is about, and packs the data folder as a power cut left it.
async fn make(archive: &Path) {
    let keys = r#"{"admin":["HADRONFIXTUREADMIN00","an-admin-of-nothing"],"agent":["HADRONFIXTUREAGENT00","an-agent-of-nothing"]}"#;
    let data = vec![("keys.json", keys.into()), ("master.key", vec![b'h'; 32])];
    let mut plane = Plane::up(Start { data, port: free().await, ..start() });
    let (user, there) = (Client::of(&plane).await, TempDir::new().unwrap());
    user.environment_template("kept", environment_bundle(&["folder"], TEMPLATE)).await;
    user.create_environment("done", "kept", "folder: /nowhere").await;
    user.deployed("done").await;
    user.create_environment("dev", "kept", &format!("folder: {}", there.path().display())).await;
    eventually(async || there.path().join("hung").exists()).await;
    let applying = terraform_of(&plane.data(), "dev");
    // What Terraform said by now has arrived in the record.
    tokio::time::sleep(Duration::from_secs(4)).await;
    plane.process().kill();
    kill_process(parent(applying), Signal::KILL).unwrap();
    kill_process_group(applying, Signal::KILL).unwrap();
    let database = rusqlite::Connection::open(plane.data().join("hadron.db")).unwrap();
    // Small to keep: the write-ahead log is ten times the record.
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(database);
    let mut packed = tar::Builder::new(GzEncoder::new(File::create(archive).unwrap(), Compression::best()));
    packed.follow_symlinks(false);
    packed.append_dir_all("data", plane.data()).unwrap();
    packed.into_inner().unwrap().finish().unwrap();
}

/// The apply's process of an environment.
fn terraform_of(data: &Path, environment: &str) -> rustix::process::Pid {
    let run = run_dirs(data).into_iter().find(|run| record(run)["candidate"]["environment"] == environment).unwrap();
    let process: Value = serde_json::from_slice(&fs::read(run.join("2-apply/pid.json")).unwrap()).unwrap();
    rustix::process::Pid::from_raw(i32::try_from(process["pid"].as_i64().unwrap()).unwrap()).unwrap()
}

fn record(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// All run directories.
fn run_dirs(data: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    below(data.join("runs")).into_iter().flat_map(below).collect()
}

/// A server keeps its address from release to release: what holds a lock signs with it. This one is out of the way of
/// other tests' ports; another checkout's test may have it for a moment.
async fn free() -> u16 {
    const PORT: u16 = 19_440;
    eventually(async || TcpListener::bind(("127.0.0.1", PORT)).is_ok()).await;
    PORT
}

/// Every file below, by its path; locks and SQLite's shared memory say nothing.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if !path.to_string_lossy().ends_with("-shm") && path.extension().is_none_or(|end| end != "lock") {
            found.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
    found
}

/// Answers of a plane on an unpacked folder.
struct Told<'a>(&'a Plane);

impl Told<'_> {
    fn json(&self, verb: &str, flags: &[&str]) -> Value {
        let flags = flags.iter().chain(&["--output", "json"]).map(|flag| (*flag).to_owned()).collect();
        let mut command = hadron(verb, &Start { flags, ..start() }, self.0.data().parent().unwrap());
        let done = command.env("HADRON_ENDPOINT", self.0.endpoint()).output().unwrap();
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|error| panic!("{verb}: {error}: {}", String::from_utf8_lossy(&done.stderr)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_release_before_left_goes_on_under_this_one() {
    let folder = folder().await;
    let keys: Value = serde_json::from_slice(&fs::read(folder.path().join("data/keys.json")).unwrap()).unwrap();
    let runs = run_dirs(&folder.path().join("data"));
    let plane = Plane::up_in(folder, Start { port: free().await, ..start() });
    let (user, told) = (Client::of(&plane).await, Told(&plane));
    assert_eq!(plane.exported()["AWS_ACCESS_KEY_ID"], keys["admin"][0].as_str().unwrap());

    // The run whose Terraform died with its agent is taken up by the directory that it left, and settled.
    let (status, message) = user.settled("dev").await;
    assert_eq!(status, DeploymentStatus::Succeeded, "{message}");
    assert!(runs.iter().all(|run| run.join("reported").exists()), "every run is understood and ended");

    let done = ask!(user.proton.list_environment_outputs().environment_name("done")).outputs;
    let done: BTreeMap<_, _> =
        done.iter().filter_map(|it| Some((it.key.as_deref()?, it.value_string.as_deref()?))).collect();
    assert_eq!(done, BTreeMap::from([("First", "made by the release before"), ("Secret", "***")]));
    for environment in ["environment/done", "environment/dev"] {
        let state = told.json("state", &["pull", environment]);
        assert_eq!(state["outputs"]["Secret"]["value"], "sealed by the release before", "{environment}");
    }
    let runs = told.json("runs", &[]);
    assert_eq!(runs.as_array().unwrap().len(), 2, "{runs}");
    assert_eq!(told.json("audit", &["verify"])["intact"], true);

    let update = user.proton.update_environment().name("done");
    ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion));
    user.deployed("done").await;
}

/// Starts a verb on a folder, which must refuse it with these words and change nothing.
fn refused(folder: &TempDir, verb: &str, words: &[&str]) {
    let before = contents(&folder.path().join("data"));
    let flags: &[&str] = match verb {
        "serve" => &["--listen", "127.0.0.1:0"],
        "agent" => &["--once"],
        _ => &[],
    };
    let start = Start { flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..start() };
    let mut command = hadron(verb, &start, folder.path());
    let done = command.env("HADRON_ENDPOINT", "http://127.0.0.1:9").output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(3), &b""[..]), "{verb}: {said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    let after = contents(&folder.path().join("data"));
    let changed: Vec<&PathBuf> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
    assert!(changed.is_empty(), "{verb} has changed {changed:?}");
}

/// Changes the record of a folder as a later release would.
fn stamped(folder: &TempDir, sql: &str) {
    let record = rusqlite::Connection::open(folder.path().join("data/hadron.db")).unwrap();
    record.execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_release_has_written_is_refused_with_the_remedy_and_left_alone() {
    let later = folder().await;
    stamped(&later, "PRAGMA user_version = 99");
    refused(&later, "serve", &["has schema 99, this hadron knows up to", "use the newer hadron", "made before"]);
    refused(&later, "migrate", &["use the newer hadron"]);

    let later = folder().await;
    stamped(&later, r#"UPDATE records SET body = '{"terms":99}' WHERE kind = 'indexed'"#);
    refused(&later, "serve", &["terms 99, this hadron knows up to", "use the newer hadron"]);

    let later = folder().await;
    fs::write(later.path().join("data/runs.format"), "2\n").unwrap();
    refused(&later, "agent", &["have format 2, this hadron knows up to 1", "use the newer hadron"]);
}
