//! `hadron completions`: what makes a shell complete our commands.

use std::io::Write;

use anyhow::anyhow;
use clap::Args;
use clap_complete::Shell;

use super::tree::tree;
use super::{Exit, Failure, OutputForm, print};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell that is to complete
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs, output: OutputForm) -> Result<Exit, Failure> {
    if output != OutputForm::Text {
        let error = anyhow!("a completion script has a form of its own");
        return Err(Failure::new(Exit::Usage, error).hint("leave --output out"));
    }
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut tree(), "hadron", &mut script);
    print::out().write_all(&script)?;
    Ok(Exit::Done)
}
