//! `hadron migrate`: brings the record's schema up to date, or tells whether it is.
//!
//! `serve` does the same when it starts. This is for those who want it done, or known, at a time of their own.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use super::serve::{Database, data_folder};
use super::{Exit, Failure, Form, print};
use crate::settings::Resolved;

/// What to migrate.
#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    /// The record: sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Only say whether the schema is current; exits 3 if it isn't
    #[arg(long)]
    check: bool,
}

/// Migrates, or with `--check` only looks, and says from which schema to which.
pub(super) fn run(settings: &Resolved, args: &MigrateArgs, form: Form) -> Result<Exit, Failure> {
    // Looking makes no folder.
    let data = match args.check {
        true => PathBuf::from(settings.value::<String>("data")?),
        false => data_folder(settings)?,
    };
    let database = Database::of(settings, &data)?;
    let before = database.schema()?;
    if !args.check {
        drop(database.open()?);
    }
    let after = if args.check { before } else { database.schema()? };
    let current = after.found == after.known;
    let mut out = print::out();
    let place = database.shown();
    match form {
        Form::Json => {
            let told = json!({
                "database": place, "from": before.found, "to": after.found, "known": after.known, "current": current
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&told).context("writing the schema as JSON")?)?;
        }
        Form::Text if !current => {
            writeln!(out, "{place} has schema {}, this hadron needs {}", after.found, after.known)?;
        }
        Form::Text if before == after => writeln!(out, "{place} has schema {} and needs nothing", after.found)?,
        Form::Text => writeln!(out, "{place} is migrated from schema {} to {}", before.found, after.found)?,
    }
    Ok(if current { Exit::Done } else { Exit::Settings })
}
