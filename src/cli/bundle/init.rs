//! `hadron bundle init`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};

use super::super::{Exit, Failure};
use super::{open, plan, print_report, refused, report_text, talk, tally};
use crate::domain::{BundleKind, Engine};
use crate::settings::Resolved;
use crate::workbench::{Format, Given, Options, Source, Start, check, from_module, module_files, render, start};

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// The new bundle's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// What the template is for
    #[arg(long, value_enum, default_value_t = Kind::Environment)]
    kind: Kind,
    /// What provisions it
    #[arg(long, value_enum, default_value_t = EngineName::Terraform, conflicts_with = "from")]
    engine: EngineName,
    /// Make the bundle around this Terraform module
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Don't have Terraform prove the bundle
    #[arg(long)]
    no_plan: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Environment,
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    #[value(alias = "hcl")]
    Terraform,
    #[value(alias = "jinja")]
    Cloudformation,
}

pub(super) async fn run(settings: &Resolved, args: &InitArgs, format: Format) -> Result<Exit, Failure> {
    let kind = match args.kind {
        Kind::Environment => BundleKind::Environment,
        Kind::Service => BundleKind::Service,
    };
    let made = match &args.from {
        Some(module) => around(module, kind)?,
        None => start(kind, if args.engine == EngineName::Terraform { Engine::Hcl } else { Engine::Jinja }),
    };
    write(&made, &args.folder)?;
    talk(&format!("wrote {} files to {}", made.files.len(), args.folder.display()))?;
    made.notes.iter().try_for_each(|note| talk(&format!("note: {note}")))?;
    let source = match open(&args.folder) {
        Ok(source) => source,
        Err(report) => {
            print_report(&report, format, None)?;
            return Ok(Exit::InvalidBundle);
        }
    };
    prove(settings, args, &source, format).await
}

/// Checks the new bundle, and has Terraform plan its own spec.
async fn prove(settings: &Resolved, args: &InitArgs, source: &Source, format: Format) -> Result<Exit, Failure> {
    let spec = fs::read_to_string(args.folder.join("spec.yaml")).ok();
    let specs = spec.iter().map(|text| (args.folder.join("spec.yaml").display().to_string(), text.clone())).collect();
    let report = check(source, &Options { specs, ..Options::default() });
    print_report(&report, format, Some(source))?;
    talk(&format!("check: {}", tally(&report)))?;
    if !report.passes(false) {
        return Ok(Exit::InvalidBundle);
    }
    if args.no_plan || args.engine == EngineName::Cloudformation {
        return Ok(Exit::Done);
    }
    let given = Given { spec, ..Given::default() };
    let renderings = render(source, &given).map_err(|error| Failure::new(Exit::Unexpected, error))?;
    let well = plan::prove(settings, source, &renderings).await?;
    Ok(if well { Exit::Done } else { Exit::PlanFailed })
}

fn around(module: &Path, kind: BundleKind) -> Result<Start, Failure> {
    let files = module_files(module).map_err(|problems| refused(&problems))?;
    let whole = fs::canonicalize(module).with_context(|| format!("resolving {}", module.display()))?;
    let name = whole.file_name().and_then(|name| name.to_str()).unwrap_or("main").to_owned();
    from_module(&files, &name, kind).map_err(|problems| {
        let text = report_text(&crate::workbench::Report::of(problems), Format::Text, None);
        Failure::new(Exit::InvalidBundle, anyhow!("{} can't be made a bundle of\n{text}", module.display()))
    })
}

/// Writes new files; none that is there is touched.
fn write(made: &Start, folder: &Path) -> Result<(), Failure> {
    let there: Vec<&str> = made.files.keys().filter(|path| folder.join(path).exists()).map(String::as_str).collect();
    if !there.is_empty() || (folder.exists() && !folder.is_dir()) {
        let what = match there.first() {
            Some(first) => format!("{} holds {first} already", folder.display()),
            None => format!("{} is no folder", folder.display()),
        };
        return Err(Failure::new(Exit::Usage, anyhow!(what)).hint("name a new folder"));
    }
    for (path, bytes) in &made.files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        }
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
