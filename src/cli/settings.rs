//! `hadron settings`: every setting, its value and where it comes from; secrets masked.

use std::io::Write;

use anyhow::Context;
use serde_json::json;

use super::{Failure, Form, print};
use crate::settings::{Resolved, Sink};

/// A setting's name, its value, its source and its meaning.
type Row = (String, String, String, &'static str);

pub(super) fn run(settings: &Resolved, form: Form) -> Result<(), Failure> {
    let mut out = print::out();
    if form == Form::Json {
        let rows: Vec<_> = rows(settings)
            .into_iter()
            .map(|(name, value, source, _)| json!({"name": name, "value": value, "source": source}))
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows).context("writing settings as JSON")?)?;
        return Ok(());
    }
    let rows = rows(settings);
    let wide = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (name, value, source) =
        (wide(&|row| row.0.len()), wide(&|row| row.1.chars().count()), wide(&|row| row.2.chars().count()));
    for (called, text, origin, help) in &rows {
        writeln!(out, "{called:<name$}  {text:<value$}  {origin:<source$}  {help}")?;
    }
    Ok(())
}

fn rows(settings: &Resolved) -> Vec<Row> {
    let chosen = settings.describe().into_iter();
    let chosen = chosen.map(|(row, value, source)| (row.name.to_owned(), value, source.to_string(), row.help));
    let sinks = settings.sinks().iter().map(|sink| {
        let source = format!("{} line {}", settings.path().display(), sink.lines.0);
        (format!("events.sink.{}", sink.name), described(sink), source, "where status changes are told")
    });
    chosen.chain(sinks).collect()
}

/// A sink in one line, without its secrets.
fn described(sink: &Sink) -> String {
    let place = match (&sink.path, sink.shown_url()) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(url)) => url,
        (None, None) => sink.bus.clone().unwrap_or_else(|| "default".into()),
    };
    let form = sink.form.as_deref().unwrap_or("aws");
    let all = if sink.pattern.is_some() { "by pattern" } else { "all" };
    format!("{} {place}, form {form}, {all}", sink.kind)
}
