//! `hadron bundle check`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::ValueEnum;

use super::super::{Exit, Failure};
use super::{open, print_report, talk, tally};
use crate::domain::Role;
use crate::git::git;
use crate::workbench::{Format, Options, Report, Source, check, read_text};

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// The bundle: its folder, one infrastructure folder, a .zip or a .tar.gz
    #[arg(value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// The bundle of the environment that it runs in: then outputs are checked, too
    #[arg(long, value_name = "DIR")]
    environment: Option<PathBuf>,
    /// An earlier minor version: this one has to accept every spec that it accepts
    #[arg(long, value_name = "DIR", conflicts_with = "previous_git")]
    previous: Option<PathBuf>,
    /// The same, as it is at a revision of the Git repository that the bundle lies in
    #[arg(long, value_name = "REVISION")]
    previous_git: Option<String>,
    /// A spec to check against the schema; may be given several times
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
    /// What an infrastructure folder without a schema provisions, where its code doesn't tell
    #[arg(long, value_enum, value_name = "KIND")]
    part: Option<PartKind>,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
}

/// What an infrastructure folder provisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PartKind {
    Environment,
    Instance,
    Pipeline,
    Component,
}

impl PartKind {
    pub(in crate::cli) fn role(self) -> Role {
        match self {
            Self::Environment => Role::Environment,
            Self::Instance => Role::Instance,
            Self::Pipeline => Role::Pipeline,
            Self::Component => Role::Component,
        }
    }
}

pub(super) fn run(args: &CheckArgs, format: Format) -> Result<Exit, Failure> {
    let (source, report) = match look(args) {
        Ok((source, report)) => (Some(source), report),
        Err(report) => (None, report),
    };
    print_report(&report, format, source.as_ref())?;
    talk(&format!("{}: {}", args.bundle.display(), tally(&report)))?;
    Ok(if report.passes(args.strict) { Exit::Done } else { Exit::InvalidBundle })
}

fn look(args: &CheckArgs) -> Result<(Source, Report), Report> {
    let mut source = open(&args.bundle)?;
    if let Some(kind) = args.part {
        source = source.as_role(kind.role());
    }
    let environment = args.environment.as_deref().map(open).transpose()?;
    let previous = match (&args.previous, &args.previous_git) {
        (Some(path), _) => Some(open(path)?),
        (None, Some(revision)) => Some(at_revision(&source, revision)?),
        (None, None) => None,
    };
    let mut specs = Vec::new();
    for path in &args.spec {
        let text = read_text(path).map_err(Report::of)?;
        let name = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        specs.push((name.display().to_string(), text));
    }
    let options = Options { environment: environment.as_ref(), previous: previous.as_ref(), specs };
    let report = check(&source, &options);
    Ok((source, report))
}

/// The bundle as it was at a revision of the repository around it.
fn at_revision(source: &Source, revision: &str) -> Result<Source, Report> {
    use crate::domain::Problem;
    let refuse = |message: String, remedy: &str| {
        Report::of(Problem::of(source.root.display().to_string(), message, remedy).into())
    };
    let folder: &Path = if source.root.is_dir() { &source.root } else { Path::new(".") };
    let archive = git(folder, &["archive", "--format=tar.gz", revision, "--", "."]).map_err(|error| {
        refuse(format!("can't be had as it was at {revision}: {error}"), "name a revision that has the bundle's folder")
    })?;
    Source::of_archive(&folder.join(format!("@{revision}")), &archive).map_err(Report::of)
}
