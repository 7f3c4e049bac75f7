//! `hadron bundle`: the tools of template authors. They need neither a server nor a network.

mod check;
mod folder;
mod init;
mod pack;
mod plan;
mod push;
mod render;
mod test;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Subcommand;

use super::{Exit, Failure, OutputForm, print};
use crate::domain::Problems;
use crate::settings::Resolved;
use crate::workbench::{Format, Report, Source, WorkbenchError, write_report};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Begin a bundle: of a kind and an engine, or around a Terraform module
    Init(init::InitArgs),
    /// Say everything that is wrong with a bundle, as registration would and beyond
    Check(check::CheckArgs),
    /// Write the files that a deployment would get
    Render(render::RenderArgs),
    /// Render, and have Terraform plan it where nothing is yet
    Plan(plan::PlanArgs),
    /// Run the cases in the bundle's own tests/
    Test(test::TestArgs),
    /// Make the archive that registration takes; the same files give the same bytes
    Pack(pack::PackArgs),
    /// Pack, upload, register, wait, and publish if asked to
    Push(push::PushArgs),
}

/// Runs a verb.
pub(super) fn run(settings: &Resolved, command: &BundleCommand, output: OutputForm) -> Result<Exit, Failure> {
    match command {
        BundleCommand::Init(args) => super::wait_for(init::run(settings, args, output.format())),
        BundleCommand::Check(args) => check::run(args, output.format()),
        BundleCommand::Render(args) => render::run(args, output.format()),
        BundleCommand::Plan(args) => super::wait_for(plan::run(settings, args, output)),
        BundleCommand::Test(args) => super::wait_for(test::run(settings, args, output.form()?)),
        BundleCommand::Pack(args) => pack::run(args, output.form()?),
        BundleCommand::Push(args) => super::wait_for(push::run(settings, args, output.form()?)),
    }
}

/// A bundle that isn't sound: every problem on a line of its own, as registration writes them.
fn refused(problems: &Problems) -> Failure {
    let count = problems.0.len();
    let plural = if count == 1 { "" } else { "s" };
    Failure::new(Exit::InvalidBundle, anyhow!("the bundle has {count} problem{plural}\n{problems}"))
}

/// Reads a bundle, or the report of why it can't be read.
fn open(path: &Path) -> Result<Source, Report> {
    Source::open(path).map_err(Report::of)
}

/// Prints a report about a bundle; its file names become paths that its reader can open.
fn print_report(report: &Report, format: Format, source: Option<&Source>) -> Result<(), Failure> {
    print::text(&report_text(report, format, source))
}

fn report_text(report: &Report, format: Format, source: Option<&Source>) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    write_report(report, format, |file| {
        let shown = source.map_or_else(|| file.to_owned(), |source| source.shown(file));
        // Specs come by their whole paths, so that they aren't taken for files of the bundle.
        match Path::new(&shown).strip_prefix(&here) {
            Ok(path) if path != Path::new("") => path.display().to_string(),
            _ => shown,
        }
    })
}

/// How a report ends, in one line.
fn tally(report: &Report) -> String {
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (report.errors(), report.warnings()) {
        (0, 0) => "nothing wrong".to_owned(),
        (0, warnings) => count(warnings, "warning"),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

/// What kept a tool from its work, as the reader is told: an invalid bundle by its whole report.
fn failed(
    error: WorkbenchError,
    format: Format,
    source: Option<&Source>,
    spec: Option<&PathBuf>,
) -> Result<Exit, Failure> {
    match error {
        WorkbenchError::Invalid(mut report) => {
            if let Some(spec) = spec {
                let named = report.findings.iter_mut().filter(|finding| finding.problem.file == "spec");
                named.for_each(|finding| {
                    finding.problem.file =
                        std::path::absolute(spec).unwrap_or_else(|_| spec.clone()).display().to_string();
                });
            }
            print_report(&report, format, source)?;
            talk(&tally(&report))?;
            Ok(Exit::InvalidBundle)
        }
        WorkbenchError::Refused { ref remedy, .. } => {
            let hint = remedy.clone();
            let failure = Failure::new(Exit::Usage, anyhow::Error::new(error));
            Err(if hint.is_empty() { failure } else { failure.hint(hint) })
        }
        error @ WorkbenchError::Unwritable { .. } => Err(Failure::new(Exit::Unexpected, error)),
    }
}

/// Says something beside the data.
fn talk(words: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stderr().lock(), "{words}")?)
}
