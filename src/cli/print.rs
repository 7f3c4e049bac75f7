//! How data is printed: tables for people, JSON for programs.

use std::fmt::Write as _;
use std::io::{self, StdoutLock, Write};

use anyhow::Context;
use hadron_model::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::{Failure, Form};

/// Stdout, as long as somebody reads it. What nobody reads any more (`hadron logs ID | head`) is dropped, so that a command
/// ends as its work ended.
pub(super) struct Out(StdoutLock<'static>);

/// Stdout for data.
pub(super) fn out() -> Out {
    Out(io::stdout().lock())
}

/// Whether whoever read stdout has gone, which a pipe tells even if nothing is written.
pub(super) fn nobody_reads() -> bool {
    let stdout = io::stdout();
    let mut pipe = [PollFd::new(&stdout, PollFlags::empty())];
    poll(&mut pipe, Some(&Timespec::default())).is_ok() && pipe[0].revents().contains(PollFlags::ERR)
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).context("writing the answer as JSON")?;
    Ok(writeln!(out(), "{text}")?)
}

/// Prints text as it is.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    Ok(out().write_all(text.as_bytes())?)
}

/// Prints values as JSON, or as a table with a row for each.
pub(super) fn list<T: Serialize, const N: usize>(
    form: Form,
    values: &[T],
    headers: [&str; N],
    row: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    match form {
        Form::Json => json(&values),
        Form::Text => text(&table(headers, &values.iter().map(row).collect::<Vec<_>>())),
    }
}

/// Prints a value as JSON, or as lines of names and what they are; what is empty is left out.
pub(super) fn one<T: Serialize>(form: Form, value: &T, lines: &[(&str, String)]) -> Result<(), Failure> {
    if form == Form::Json {
        return json(value);
    }
    text(&self::lines(lines))
}

/// Lines of names and what they are; what is empty is left out.
pub(super) fn lines(lines: &[(&str, String)]) -> String {
    let wide = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<wide$}  {value}").expect("text takes text");
    }
    out
}

/// A moment for people, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0.div_euclid(1000)).map(|moment| moment.to_string()).unwrap_or_default()
}

/// The same of a moment that may not be known.
pub(super) fn maybe(at: Option<Timestamp>) -> String {
    at.map(moment).unwrap_or_default()
}

/// Rows below their headers.
pub(super) fn table<const N: usize>(headers: [&str; N], rows: &[[String; N]]) -> String {
    let headers = headers.map(str::to_owned);
    let rows: Vec<&[String; N]> = std::iter::once(&headers).chain(rows).collect();
    let wide: [usize; N] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default());
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(wide).map(|(cell, wide)| format!("{cell:<wide$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end()).expect("text takes text");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "één".to_owned()], ["longer".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "X"], &rows), "NAME    X\na       één\nlonger\n");
    }

    #[test]
    fn moments_are_told_to_the_second() {
        assert_eq!(moment(Timestamp(1_795_305_600_999)), "2026-11-22T00:00:00Z");
    }
}
