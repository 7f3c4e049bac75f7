//! The process between the agent and Terraform. Shells stand in for Terraform where only its life matters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hadron::terraform::child::{self, Child};
use hadron::terraform::{Exit, TerraformError};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio_util::sync::CancellationToken;

const HADRON: &str = env!("CARGO_BIN_EXE_hadron");

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn start(step: &Path, script: &str) -> Child {
    let argv = ["/bin/sh", "-c", script].map(ToOwned::to_owned).to_vec();
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    child::start(HADRON.as_ref(), step, argv, &env, step).unwrap()
}

async fn wait(child: Child) -> Result<Exit, TerraformError> {
    child.wait(&CancellationToken::new(), &mut |_| {}).await
}

/// Waits until `done` answers, at most ten seconds.
fn until<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = done() {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn json(path: &Path) -> Option<serde_json::Value> {
    fs::read(path).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

/// The supervised process's number, once it is known.
fn supervised(step: &Path) -> Pid {
    let pid = until(|| json(&step.join("pid.json")))["pid"].as_i64().unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// A field of `/proc/PID/stat`, counted as proc(5) does, from the parent (4) on.
fn stat(pid: Pid, field: usize) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(field - 3).unwrap().parse().unwrap()
}

fn supervisor_of(pid: Pid) -> Pid {
    Pid::from_raw(stat(pid, 4)).unwrap()
}

#[tokio::test]
async fn a_step_tells_its_exit_code_and_keeps_both_streams() {
    let step = folder();
    let mut lines = Vec::new();
    let child = start(step.path(), "echo one; echo two >&2; printf three; exit 7");
    let exit = child.wait(&CancellationToken::new(), &mut |event| lines.push(event.message.clone())).await.unwrap();
    assert_eq!(exit, Exit { code: Some(7), ..Exit::default() });
    assert_eq!(lines, ["one", "three"]);
    assert_eq!(fs::read_to_string(step.path().join("stderr.log")).unwrap(), "two\n");
}

#[tokio::test]
async fn the_supervised_process_leads_its_own_group_in_a_session_of_its_own() {
    let step = folder();
    let child = start(step.path(), "sleep 0.3");
    let pid = supervised(step.path());
    let supervisor = supervisor_of(pid);
    assert_eq!(stat(pid, 5), pid.as_raw_nonzero().get(), "group");
    assert_eq!(stat(pid, 6), supervisor.as_raw_nonzero().get(), "session");
    wait(child).await.unwrap();
}

#[tokio::test]
async fn it_survives_the_death_of_whoever_started_it() {
    use std::os::unix::process::CommandExt;
    let step = folder();
    let script = "sleep 0.5; echo survived";
    let command = serde_json::json!({ "argv": ["/bin/sh", "-c", script], "env": ["PATH"], "cwd": step.path() });
    fs::write(step.path().join("command.json"), command.to_string()).unwrap();
    let agent = duct::cmd!("/bin/sh", "-c", "\"$0\" supervise \"$1\" & wait", HADRON, step.path())
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        })
        .unchecked()
        .start()
        .unwrap();
    supervised(step.path());
    let group = Pid::from_raw(i32::try_from(agent.pids()[0]).unwrap()).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
    agent.wait().unwrap();

    let exit = wait(child::attach(step.path()).unwrap().unwrap()).await.unwrap();
    assert_eq!(exit.code, Some(0));
    assert_eq!(fs::read_to_string(step.path().join("stdout.jsonl")).unwrap(), "survived\n");
}

#[tokio::test]
async fn signals_to_the_supervisor_reach_nobody() {
    let step = folder();
    let child = start(step.path(), "sleep 0.5; echo survived");
    let supervisor = supervisor_of(supervised(step.path()));
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        kill_process(supervisor, signal).unwrap();
    }
    assert_eq!(wait(child).await.unwrap().code, Some(0));
}

#[tokio::test]
async fn sigint_is_sent_exactly_once_also_by_an_agent_that_came_back() {
    let folder = folder();
    let step = folder.path();
    let script = "trap 'echo interrupted' INT; echo ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done";
    let child = start(step, script);
    until(|| fs::read_to_string(step.join("stdout.jsonl")).ok().filter(|text| text.contains("ready")));
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let mut ignore = |_: &hadron::terraform::Event| {};
    tokio::time::timeout(Duration::from_millis(300), child.wait(&cancelled, &mut ignore)).await.unwrap_err();
    let back = child::attach(step).unwrap().unwrap();
    assert_eq!(back.wait(&cancelled, &mut |_| {}).await.unwrap().code, Some(0));
    assert_eq!(fs::read_to_string(step.join("stdout.jsonl")).unwrap(), "ready\ninterrupted\n");
}

#[tokio::test]
async fn a_killed_process_is_told_by_its_signal_and_takes_its_group_along() {
    let step = folder();
    let child = start(step.path(), "sleep 60 & echo $!; wait");
    let pid = supervised(step.path());
    let left =
        until(|| fs::read_to_string(step.path().join("stdout.jsonl")).ok().and_then(|text| text.trim().parse().ok()));
    kill_process(pid, Signal::KILL).unwrap();
    let exit = wait(child).await.unwrap();
    assert_eq!(exit, Exit { signal: Some(9), ..Exit::default() });
    until(|| {
        let stat = fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some::<i32>(left)
    });
}

/// Terraform kills the shell of a provisioner, and what that has started goes on.
#[tokio::test]
async fn nothing_that_an_interrupted_process_has_started_outlives_it() {
    for deaf in ["", "trap '' TERM; "] {
        let step = folder();
        let script = format!("trap 'exit 1' INT; ({deaf}while :; do sleep 0.05; done) & echo $!; wait");
        let child = start(step.path(), &script);
        let left: i32 = until(|| fs::read_to_string(step.path().join("stdout.jsonl")).ok()?.trim().parse().ok());
        let stop = CancellationToken::new();
        stop.cancel();
        let exit = child.wait(&stop, &mut |_| {}).await.unwrap();
        assert_eq!(exit.code, Some(1));
        until(|| {
            let stat = fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }
}

#[tokio::test]
async fn a_lost_supervisor_is_told_once_the_process_it_left_is_gone() {
    let step = folder();
    let child = start(step.path(), "sleep 0.5; touch finished");
    kill_process(supervisor_of(supervised(step.path())), Signal::KILL).unwrap();
    let error = wait(child).await.unwrap_err();
    assert!(matches!(error, TerraformError::SupervisorLost { .. }), "{error:?}");
    assert!(step.path().join("finished").exists(), "the process it left was waited for");
    let error = wait(child::attach(step.path()).unwrap().unwrap()).await.unwrap_err();
    assert!(matches!(error, TerraformError::SupervisorLost { .. }), "{error:?}");
}

#[tokio::test]
async fn a_step_whose_supervisor_never_came_is_given_up_for_good() {
    let step = folder();
    let command = serde_json::json!({ "argv": ["/bin/touch", "ran"], "env": [], "cwd": step.path() });
    fs::write(step.path().join("command.json"), command.to_string()).unwrap();
    let exit = wait(child::attach(step.path()).unwrap().unwrap()).await.unwrap();
    assert!(exit.error.unwrap().contains("ended before it could start it"));

    duct::cmd!(HADRON, "supervise", step.path()).run().unwrap();
    assert!(!step.path().join("ran").exists(), "a supervisor that comes late starts nothing");
}

#[tokio::test]
async fn a_step_that_an_agent_was_killed_over_before_it_began_is_begun_by_the_next() {
    let step = folder();
    let command = serde_json::json!({ "argv": ["/bin/touch", "ran"], "env": [], "cwd": step.path() });
    fs::write(step.path().join("command.json"), command.to_string()).unwrap();
    assert!(child::attach_if_begun(step.path()).unwrap().is_none(), "there is nothing to come back to");
    let child = start(step.path(), "touch ran-$$; sleep 0.2");
    let late = duct::cmd!(HADRON, "supervise", step.path()).start().unwrap();
    assert_eq!(wait(child).await.unwrap().code, Some(0));
    late.wait().unwrap();
    let ran =
        fs::read_dir(step.path()).unwrap().filter(|it| it.as_ref().unwrap().path().to_string_lossy().contains("ran-"));
    assert_eq!(ran.count(), 1, "once, whoever was first");
    assert!(child::attach_if_begun(step.path()).unwrap().is_some());
}

#[tokio::test]
async fn what_cannot_be_started_is_told_with_the_reason() {
    let step = folder();
    let argv = vec!["/nowhere/terraform".to_owned()];
    let child = child::start(HADRON.as_ref(), step.path(), argv, &BTreeMap::new(), step.path()).unwrap();
    let reason = wait(child).await.unwrap().error.unwrap();
    assert_eq!(reason, "starting /nowhere/terraform: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_supervisor_that_is_no_hadron_is_told_by_its_own_words() {
    let step = folder();
    let child = child::start("/bin/ls".as_ref(), step.path(), vec![], &BTreeMap::new(), step.path()).unwrap();
    let reason = wait(child).await.unwrap().error.unwrap();
    assert!(reason.contains("cannot access 'supervise'"), "{reason}");
}

#[tokio::test]
async fn a_relative_folder_is_the_same_folder() {
    let step = folder();
    let relative = step.path().strip_prefix(std::env::current_dir().unwrap()).unwrap();
    assert_eq!(wait(start(relative, "pwd")).await.unwrap().code, Some(0));
    let said = fs::read_to_string(step.path().join("stdout.jsonl")).unwrap();
    assert_eq!(Path::new(said.trim()), step.path());
}

#[tokio::test]
async fn a_folder_that_no_step_began_in_has_nothing_to_come_back_to() {
    assert!(child::attach(folder().path()).unwrap().is_none());
}

/// A control group below our own in which little memory may be used.
struct SmallGroup(std::path::PathBuf);

impl SmallGroup {
    /// None where nobody may make one, or where a group can't account for memory: there the reader's own tests, which
    /// need no kernel, stand alone.
    fn make() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = |controllers: &str| {
            let mut groups = own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
            Some(groups.find(|(names, _)| *names == controllers)?.1.trim_start_matches('/').to_owned())
        };
        let unified = path("").map(|path| (Path::new("/sys/fs/cgroup").join(path), "memory.max"));
        let legacy =
            path("memory").map(|path| (Path::new("/sys/fs/cgroup/memory").join(path), "memory.limit_in_bytes"));
        unified.into_iter().chain(legacy).find_map(|(parent, limit)| {
            let group = Self(parent.join(format!("hadron-test-{}", std::process::id())));
            fs::create_dir(&group.0).ok()?;
            // The kernel makes the file, or the group doesn't account for memory.
            let limit = group.0.join(limit);
            (limit.exists() && fs::write(limit, "67108864").is_ok()).then_some(group)
        })
    }

    /// A `hadron` that moves into the group before it begins.
    fn hadron(&self, folder: &Path) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let script = folder.join("hadron");
        let text = format!("#!/bin/sh\necho $$ > {}/cgroup.procs && exec {HADRON} \"$@\"\n", self.0.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        script
    }
}

impl Drop for SmallGroup {
    fn drop(&mut self) {
        // A member that was killed is gone within moments.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test]
async fn what_the_kernel_kills_for_memory_is_told_as_such_and_nothing_else_is() {
    let Some(group) = SmallGroup::make() else { return };
    let folder = folder();
    let run = |name: &str, script: &str| {
        let argv = ["/bin/sh", "-c", script].map(ToOwned::to_owned).to_vec();
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        child::start(&group.hadron(folder.path()), &folder.path().join(name), argv, &env, folder.path()).unwrap()
    };
    // `tail` keeps what has no line end; should the group not hold it, it is to fail by itself before the machine does.
    let greedy = wait(run("greedy", "ulimit -v 400000; exec tail /dev/zero")).await.unwrap();
    assert_eq!(greedy, Exit { signal: Some(9), oom: true, ..Exit::default() });
    let usage = json(&folder.path().join("greedy/usage.json")).unwrap();
    assert_eq!(usage["limit"], 67_108_864);
    assert!(
        usage["peak_rss"].as_u64().unwrap() > 20 << 20 && usage["group_peak"].as_u64().unwrap() > 20 << 20,
        "{usage}"
    );
    let below = wait(run("below", "ulimit -v 400000; tail /dev/zero; exit 7")).await.unwrap();
    assert_eq!(below, Exit { code: Some(7), oom: true, ..Exit::default() }, "a process below it was killed");
    let killed = wait(run("killed", "kill -9 $$")).await.unwrap();
    assert_eq!(killed, Exit { signal: Some(9), ..Exit::default() }, "the kernel has killed here before, but not now");
}

#[tokio::test]
async fn the_memory_that_a_step_took_is_written_down() {
    let step = folder();
    wait(start(step.path(), "head -c 30000000 /dev/zero | tail -c 29000000 | wc -c")).await.unwrap();
    let usage = json(&step.path().join("usage.json")).unwrap();
    assert!(usage["peak_rss"].as_u64().unwrap() > 25_000_000, "{usage}");
}
