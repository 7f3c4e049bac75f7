//! The command line.

mod supervise;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Proton after Proton: a Terraform provisioning agent and a Proton-compatible control plane
#[derive(Parser)]
#[command(name = "hadron", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run one step of Terraform and write down how it ended; the agent starts this by itself
    #[command(hide = true)]
    Supervise(supervise::Args),
}

/// Runs the command that argv names. `supervise` comes first: it must cost next to nothing and needs no runtime.
pub fn main() -> ExitCode {
    match Arguments::parse().verb {
        Verb::Supervise(args) => supervise::run(&args),
    }
}
