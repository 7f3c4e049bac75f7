//! `hadron settings`: every setting, its value and where it comes from; secrets masked.

use std::io::{self, Write};

use anyhow::Context;
use serde_json::json;

use super::{Failure, Form};
use crate::settings::Resolved;

pub(super) fn run(settings: &Resolved, form: Form) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if form == Form::Json {
        let rows: Vec<_> = settings
            .describe()
            .into_iter()
            .map(|(row, value, source)| json!({"name": row.name, "value": value, "source": source.to_string()}))
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows).context("writing settings as JSON")?)?;
        return Ok(());
    }
    for (row, value, source) in settings.describe() {
        writeln!(out, "{:<22} {:<24} {:<28} {}", row.name, value, source.to_string(), row.help)?;
    }
    Ok(())
}
