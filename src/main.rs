//! Argv in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    hadron::cli::main()
}
