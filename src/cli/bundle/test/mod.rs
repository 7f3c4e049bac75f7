//! `hadron bundle test`: the cases of a bundle's own `tests/`.

mod attempt;
mod expected;
pub(super) mod plan;
mod report;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::Args;

use self::attempt::{Attempt, Ended};
use super::super::{Exit, Failure, Form};
use super::{folder, pack, refused};
use crate::domain::Files;
use crate::settings::Resolved;
use crate::workbench::Source;
use crate::workbench::cases::{Case, Outcome, Suite, junit};

#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    /// The bundle's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Write what is so now where it was expected otherwise: snapshots, and the counts of plans
    #[arg(long)]
    update: bool,
    /// Write a report that a CI reads
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Only cases whose name has this in it
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Leave out what needs Terraform
    #[arg(long)]
    no_plan: bool,
}

/// Where cases lie in a bundle.
const CASES: &str = "tests/";

pub(super) async fn run(settings: &Resolved, args: &TestArgs, form: Form) -> Result<Exit, Failure> {
    let source = Source::open(&args.dir).map_err(|problems| refused(&problems))?;
    let files = folder::read(&source.root, "tests")?;
    let names = cases(&files, args)?;
    let mut suite = Suite { name: pack::name_of(&source.root)?, cases: Vec::new() };
    let attempt = Attempt { settings, args, files: &files, source };
    let mut worst = Exit::Done;
    for file in names {
        let began = Instant::now();
        let text = String::from_utf8_lossy(&files[file]).into_owned();
        let (name, ended) = match Case::parse(file, &text) {
            Ok(case) => (case.name.clone(), attempt.run(&case, &text).await?),
            Err(problems) => {
                let misses = problems.0.iter().map(ToString::to_string).collect();
                (Case::name_of(file), Ended::of(Outcome::Failed(misses)))
            }
        };
        worst = match (worst, &ended) {
            (Exit::InvalidBundle, _) | (_, Ended { outcome: Outcome::Passed | Outcome::PassedPartly(_), .. }) => worst,
            (_, Ended { only_the_plan: true, .. }) => Exit::PlanFailed,
            _ => Exit::InvalidBundle,
        };
        report::case(form, &name, &ended)?;
        suite.cases.push((name, file.to_owned(), ended.outcome, began.elapsed()));
    }
    if let Some(path) = &args.junit {
        fs::write(path, junit(&suite)).with_context(|| format!("writing {}", path.display()))?;
    }
    report::summary(form, &suite)?;
    Ok(worst)
}

/// The files of the cases that are asked for, in the order of their names.
fn cases<'f>(files: &'f Files, args: &TestArgs) -> Result<Vec<&'f str>, Failure> {
    let is_case = |path: &&String| {
        let end = Path::new(path.as_str()).extension().and_then(OsStr::to_str);
        path.strip_prefix(CASES).is_some_and(|name| !name.contains('/')) && matches!(end, Some("yaml" | "yml"))
    };
    let all: Vec<&str> = files.keys().filter(is_case).map(String::as_str).collect();
    if all.is_empty() {
        let words = anyhow!("{} has no cases: there is no tests/*.yaml", args.dir.display());
        return Err(Failure::new(Exit::Usage, words)
            .hint("name the bundle's folder, and write a case: docs/testing-bundles.md"));
    }
    let Some(filter) = &args.filter else { return Ok(all) };
    let chosen: Vec<&str> = all.iter().copied().filter(|path| path[CASES.len()..].contains(filter.as_str())).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = all.iter().map(|path| &path[CASES.len()..]).collect();
        let words = anyhow!("no case's name has `{filter}` in it; there are {}", names.join(", "));
        return Err(Failure::new(Exit::Usage, words));
    }
    Ok(chosen)
}
