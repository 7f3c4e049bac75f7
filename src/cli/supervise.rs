//! `hadron supervise STEP_DIR`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::terraform;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The step's folder, with the command.json that says what to start
    step_dir: PathBuf,
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
