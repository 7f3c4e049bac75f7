//! The command line: one file a verb. stdout is data, stderr is talk.

mod failure;

use std::process::ExitCode;

pub use failure::{Exit, Failure};

/// Runs the command that argv names.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
