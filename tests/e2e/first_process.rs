//! `hadron agent` as the first process of a container: it buries who dies, hands signals on, and when the agent is killed
//! puts another in its place, before the kernel takes Terraform as well.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, environment_bundle, eventually};
use crate::support::plane::{Plane, Start, agent_folder, hadron};
use crate::support::process::{Running, command};

/// Leaves an orphan that ends soon, and goes on until it is let go.
const ORPHANS: &str = r#"
resource "terraform_data" "one" {
  provisioner "local-exec" {
    command = "cd '${var.environment.inputs.folder}' && (sleep 0.2 >/dev/null 2>&1 &) && echo ran >> count; while ! test -e go; do sleep 0.05; done"
  }
}
"#;

/// The command in a namespace of processes of its own, as a container has; without being root that needs one of users too.
fn contained(inner: &Command) -> Command {
    let mut outer = command("unshare".as_ref(), &std::collections::BTreeMap::new());
    if !rustix::process::geteuid().is_root() {
        outer.args(["--user", "--map-root-user"]);
    }
    outer.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(inner.get_current_dir().unwrap());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

fn children(of: Pid) -> Vec<Pid> {
    let number = of.as_raw_nonzero();
    let text = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

fn is_zombie(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

fn works(process: Pid) -> bool {
    let words = fs::read(format!("/proc/{}/cmdline", process.as_raw_nonzero())).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(b"agent")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_process_of_a_container_buries_replaces_and_hands_signals_on() {
    let plane = Plane::serve(Start::default());
    let user = Client::of(&plane).await;
    user.environment_template("orphans", environment_bundle(&["folder"], ORPHANS)).await;
    let folder = agent_folder(&plane, "contained");
    fs::create_dir_all(&folder).unwrap();
    let mut inner = hadron("agent", &Start::default(), &folder);
    let exported = plane.exported();
    inner.env("HADRON_ENDPOINT", plane.endpoint()).env("HADRON_ACCESS_KEY_ID", &exported["AWS_ACCESS_KEY_ID"]);
    inner.env("HADRON_SECRET_ACCESS_KEY", &exported["AWS_SECRET_ACCESS_KEY"]);
    let mut outer = Running::start(contained(&inner), &folder.join("agent.log"));
    let outside = Pid::from_raw(i32::try_from(outer.id()).unwrap()).unwrap();
    user.create_environment("dev", "orphans", &format!("folder: {}", folder.display())).await;
    eventually(async || folder.join("count").exists()).await;

    let first = children(outside)[0];
    let worker = || children(first).into_iter().find(|child| works(*child));
    let killed = worker().unwrap();
    kill_process(killed, Signal::KILL).unwrap();
    eventually(async || worker().is_some_and(|it| it != killed)).await;
    eventually(async || outer.stderr().contains("came back to the run")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let zombies: Vec<Pid> = children(first).into_iter().filter(|child| is_zombie(*child)).collect();
    assert!(zombies.is_empty(), "nobody buried {zombies:?}");

    fs::write(folder.join("go"), "").unwrap();
    user.deployed("dev").await;
    assert_eq!(fs::read_to_string(folder.join("count")).unwrap(), "ran\n", "Terraform wasn't killed with its agent");

    kill_process(first, Signal::TERM).unwrap();
    let ended = outer.wait(Duration::from_secs(10)).expect("the signal reaches the agent");
    assert_eq!(ended.code(), Some(0), "its exit code is the agent's: {}", outer.stderr());
}

#[test]
fn a_server_that_is_the_first_process_leaves_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let listen = ["--listen", "127.0.0.1:0"].map(str::to_owned).to_vec();
    let inner = hadron("serve", &Start { flags: listen, ..Start::default() }, folder.path());
    let mut outer = Running::start(contained(&inner), &folder.path().join("serve.log"));
    outer.line(Duration::from_secs(30));
    let outside = Pid::from_raw(i32::try_from(outer.id()).unwrap()).unwrap();
    let first = children(outside)[0];
    assert_eq!(children(first).len(), 1, "the first process has the server beside it");
    kill_process(first, Signal::TERM).unwrap();
    let ended = outer.wait(Duration::from_secs(10)).expect("the signal reaches the server");
    assert_eq!(ended.code(), Some(0), "its exit code is the server's: {}", outer.stderr());
}
