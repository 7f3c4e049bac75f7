//! `hadron supervise STEP_DIR`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::terraform;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The step's folder, with the command.json that says what to start
    step_dir: PathBuf,
}

/// Supervises if that is what the agent asks for. It is read by hand: to set up a command line with all its verbs takes
/// longer than everything else that is done here before Terraform begins.
pub(super) fn asked_by_agent() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    match (words.next(), words.next(), words.next()) {
        (Some(verb), Some(step_dir), None) if verb == OsStr::new("supervise") && Path::new(&step_dir).is_absolute() => {
            Some(run(&Args { step_dir: step_dir.into() }))
        }
        _ => None,
    }
}

/// Answers 0 once `exit.json` is written, however Terraform ended.
#[expect(clippy::print_stderr, reason = "stderr is talk, and here it is the step's supervisor.log")]
pub(super) fn run(args: &Args) -> ExitCode {
    match terraform::supervise(&args.step_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {:#}", anyhow::Error::from(error));
            ExitCode::FAILURE
        }
    }
}
