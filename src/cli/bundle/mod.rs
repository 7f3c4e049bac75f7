//! `hadron bundle`: an author's tools over a bundle's folder, one file a verb.

mod folder;
mod pack;
mod push;

use std::io::{self, Write};

use anyhow::anyhow;
use clap::Subcommand;

use super::{Exit, Failure, Form};
use crate::domain::Problems;
use crate::settings::Resolved;

#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Make the archive that registration takes; the same files give the same bytes
    Pack(pack::PackArgs),
    /// Pack, upload, register, wait, and publish if asked to
    Push(push::PushArgs),
}

pub(super) fn run(settings: &Resolved, command: &BundleCommand, form: Form) -> Result<Exit, Failure> {
    match command {
        BundleCommand::Pack(args) => pack::run(args, form),
        BundleCommand::Push(args) => super::wait_for(push::run(settings, args, form)),
    }
}

/// A bundle that isn't sound: every problem on a line of its own, as registration writes them.
fn refused(problems: &Problems) -> Failure {
    let count = problems.0.len();
    let plural = if count == 1 { "" } else { "s" };
    Failure::new(Exit::InvalidBundle, anyhow!("the bundle has {count} problem{plural}\n{problems}"))
}

/// Says something beside the data.
fn talk(words: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stderr(), "{words}")?)
}
