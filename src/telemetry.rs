//! Logs: readable lines on a terminal, JSON where machines read; always on stderr, stdout is for data.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;

use crate::settings::{Resolved, SettingsError};

/// Starts logging as the settings `log.level` and `log.format` say. Logging that has started already is left alone.
///
/// # Errors
/// A level that is none.
pub fn start(settings: &Resolved) -> Result<(), SettingsError> {
    let level: tracing::Level = settings.value("log.level")?;
    // The AWS SDK tells at `info` what we tell ourselves; its warnings are wanted. To s3s every 404 is an error.
    let filter = EnvFilter::new(format!("warn,s3s=off,hadron={level}"));
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started = match settings.text("log.format").as_deref() {
        Some("json") => builder.json().flatten_event(true).try_init(),
        _ => builder.with_ansi(settings.coloured(io::stderr().is_terminal())).try_init(),
    };
    // Only a second start in one process fails, and then logging works.
    drop(started);
    Ok(())
}
