//! `hadron settings`: every setting, its value and where it comes from; secrets masked.

use std::io::{self, Write};

use anyhow::Context;
use serde_json::json;

use super::{Failure, Form};
use crate::settings::{Resolved, Setting};

/// A setting, its value and its source.
type Row = (&'static Setting, String, String);

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
    let rows: Vec<_> =
        settings.describe().into_iter().map(|(row, value, source)| (row, value, source.to_string())).collect();
    let wide = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (name, value, source) =
        (wide(&|row| row.0.name.len()), wide(&|row| row.1.chars().count()), wide(&|row| row.2.chars().count()));
    for (row, text, origin) in &rows {
        writeln!(out, "{:<name$}  {text:<value$}  {origin:<source$}  {}", row.name, row.help)?;
    }
    Ok(())
}
