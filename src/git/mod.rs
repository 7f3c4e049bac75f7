//! Git: the only place that starts `git`, so that the user's own credentials, helpers and proxies count.

mod clone;
mod publish;

pub use clone::{Checkout, clone};
pub use publish::{Draft, Published, publish};

use std::io;
use std::path::Path;

/// What Git refused.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// A file of the clone can't be written or read.
    #[error("writing {path}")]
    Io {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no `git`, or it can't be started.
    #[error("git could not be started: install it, or put it on PATH")]
    NotStarted(#[source] io::Error),
    /// It ended with an error; its own words.
    #[error("git {command}: {said}")]
    Failed {
        /// The subcommand.
        command: String,
        /// What it wrote to stderr.
        said: String,
    },
}

/// Runs `git` in a folder; its stdout. It never asks for a password: nobody would be there to answer.
///
/// # Errors
/// [`GitError`].
pub fn git(folder: &Path, words: &[&str]) -> Result<Vec<u8>, GitError> {
    let output = duct::cmd("git", words)
        .dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(GitError::NotStarted)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let command = words.iter().find(|word| !word.starts_with('-')).unwrap_or(&"").to_string();
    Err(GitError::Failed { command, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}
