//! The command line.
use std::process::ExitCode;

/// Runs the command that argv names.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
