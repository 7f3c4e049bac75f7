//! `hadron supervise STEP_DIR`: a small process that starts Terraform, waits, and writes down how it ended.
//!
//! It leads a session of its own and doesn't react to signals, so that nothing which ends the agent (a key press, a
//! restart, a crash) reaches Terraform. Nothing here needs a runtime: it starts in about a millisecond.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::TerraformError;
use super::memory::MemoryGroup;
use super::process::ProcessId;
use super::step::{Command, Exit, StepDir, Usage};

/// By how much a step that can wait stands back; the kernel takes this for the most there is.
const BEHIND: i32 = 19;

/// How long what an interrupted Terraform has left may take to end once it is asked to, and how often it is looked for.
const GRACE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// Starts the Terraform that `step_dir/command.json` describes and waits until it ends. Whatever happens is written to
/// `exit.json`; a step that already has one is left alone.
///
/// # Errors
/// Only when not even `exit.json` can be written.
pub fn supervise(step_dir: &Path) -> Result<(), TerraformError> {
    let step = StepDir::new(step_dir);
    let _alone = step.supervise_alone()?;
    if step.exit()?.is_some() {
        return Ok(());
    }
    let exit = run(&step).unwrap_or_else(|error| Exit::never_ran(with_cause(&error)));
    step.write_exit(&exit)
}

fn run(step: &StepDir) -> Result<Exit, TerraformError> {
    let Some(command) = step.command()? else {
        return Ok(Exit::never_ran("its folder holds no command.json"));
    };
    catch_signals().map_err(TerraformError::Session)?;
    rustix::process::setsid().map_err(|error| TerraformError::Session(error.into()))?;
    if step.can_wait() {
        // It is as good without.
        rustix::process::nice(BEHIND).ok();
    }
    let group = MemoryGroup::own();
    let kills = || group.as_ref().and_then(MemoryGroup::kills);
    let killed_before = kills();
    let terraform = start(step, &command)?;
    let output = terraform.wait().map_err(TerraformError::io("waiting for", Path::new(&command.argv[0])))?;
    // The kernel counts before it kills, so whoever is dead has been counted.
    let oom = killed_before.zip(kills()).is_some_and(|(before, now)| now > before);
    let exit = Exit { code: output.status.code(), signal: output.status.signal(), oom, ..Exit::default() };
    clear_up(step, &terraform, output.status);
    // It is told beside the exit; a full disk must not take the exit along.
    step.write_usage(&usage(group.as_ref())).ok();
    Ok(exit)
}

/// What Terraform and all that it waited for have taken.
fn usage(group: Option<&MemoryGroup>) -> Usage {
    let kilobytes = getrusage(UsageWho::RUSAGE_CHILDREN).ok().and_then(|usage| u64::try_from(usage.max_rss()).ok());
    Usage {
        peak_rss: kilobytes.map(|kilobytes| kilobytes * 1024),
        limit: group.and_then(MemoryGroup::limit),
        group_peak: group.and_then(MemoryGroup::peak),
    }
}

/// Handlers that do nothing, rather than ignoring: what is ignored stays ignored in Terraform, a handler does not.
fn catch_signals() -> std::io::Result<()> {
    let unread = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&unread))?;
    }
    Ok(())
}

/// Starts Terraform and writes `pid.json`.
fn start(step: &StepDir, command: &Command) -> Result<duct::Handle, TerraformError> {
    let Some((program, args)) = command.argv.split_first() else {
        return Err(TerraformError::NotStarted { reason: "the command is empty".to_owned() });
    };
    let create = |path: &Path| File::create(path).map_err(TerraformError::io("creating", path));
    let terraform = duct::cmd(program, args)
        .full_env(environment(&command.env)?)
        .dir(&command.cwd)
        .stdin_null()
        .stdout_file(create(&step.stdout())?)
        .stderr_file(create(&step.stderr())?)
        .unchecked()
        // A group of its own, so that what it leaves behind can be found.
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        })
        .start()
        .map_err(TerraformError::io("starting", Path::new(program)))?;
    if let Some(process) = pid_of(&terraform).and_then(|pid| ProcessId::of(pid).ok()) {
        step.write_terraform(process)?;
    }
    Ok(terraform)
}

/// The named variables, out of the supervisor's own environment.
fn environment(names: &[String]) -> Result<BTreeMap<String, String>, TerraformError> {
    let mut own: BTreeMap<String, String> = std::env::vars().collect();
    names
        .iter()
        .map(|name| match own.remove(name) {
            Some(value) => Ok((name.clone(), value)),
            None => {
                Err(TerraformError::NotStarted { reason: format!("the variable {name} didn't reach the supervisor") })
            }
        })
        .collect()
}

/// Ends what a Terraform has left that didn't end in peace, for it would go on changing things unobserved, beside the target's
/// next run. A killed one leaves its providers; an interrupted one kills the shells of its provisioners, and leaves what
/// these have started. What any other has left, an author's provisioner has started on purpose.
fn clear_up(step: &StepDir, terraform: &duct::Handle, status: ExitStatus) {
    if status.signal().is_some() {
        if let Some(group) = pid_of(terraform).and_then(Pid::from_raw) {
            // Usually nobody is left, which is an error here and fine.
            rustix::process::kill_process_group(group, Signal::KILL).ok();
        }
    } else if step.interrupted() && !status.success() {
        // Whatever keeps us from reading who it was, how it ended must be told.
        step.terraform().ok().flatten().inspect(|terraform| ask_to_end(*terraform));
    }
}

/// Asks everybody in the process group to end, and kills who doesn't.
fn ask_to_end(terraform: ProcessId) {
    if !terraform.has_left_somebody() {
        return;
    }
    terraform.signal_group(Signal::TERM);
    let until = Instant::now() + GRACE;
    while terraform.has_left_somebody() {
        if Instant::now() >= until {
            return terraform.signal_group(Signal::KILL);
        }
        std::thread::sleep(LOOK);
    }
}

fn pid_of(terraform: &duct::Handle) -> Option<i32> {
    terraform.pids().first().and_then(|pid| i32::try_from(*pid).ok())
}

fn with_cause(error: &TerraformError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
