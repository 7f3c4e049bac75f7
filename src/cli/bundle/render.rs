//! `hadron bundle render`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::{Exit, Failure, print};
use super::check::PartKind;
use super::{failed, open, print_report, talk, tally};
use crate::workbench::{
    Choice, Format, Given, Rendering, Report, Source, WorkbenchError, lay_out, read_text, render, values,
};

/// A bundle and what it is to be rendered with.
#[derive(Debug, Args)]
pub(in crate::cli) struct Inputs {
    /// The bundle: its folder, one infrastructure folder, a .zip or a .tar.gz
    #[arg(value_name = "DIR")]
    pub(in crate::cli) bundle: PathBuf,
    /// The spec of an environment or a service
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) spec: Option<PathBuf>,
    /// Values shaped like proton.auto.tfvars.json: outputs, names, components; used as they are
    #[arg(long = "with", value_name = "FILE")]
    pub(in crate::cli) values: Option<PathBuf>,
    /// Only this instance of the service; all of the spec's by default
    #[arg(long, value_name = "NAME", conflicts_with = "pipeline")]
    pub(in crate::cli) instance: Option<String>,
    /// The service's pipeline
    #[arg(long)]
    pub(in crate::cli) pipeline: bool,
    /// The name of the environment or the service
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// What an infrastructure folder without a schema provisions, where neither values nor code tell
    #[arg(long, value_enum, value_name = "KIND")]
    pub(in crate::cli) part: Option<PartKind>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RenderArgs {
    #[command(flatten)]
    inputs: Inputs,
    /// Where the files go; several instances each get a folder of their own there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write over files that no rendering has written
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &RenderArgs, format: Format) -> Result<Exit, Failure> {
    let (source, renderings) = match args.inputs.render(format)? {
        Ok(rendered) => rendered,
        Err(exit) => return Ok(exit),
    };
    if let Err(error) = lay_out(&renderings, &args.out, args.force) {
        return failed(error, format, Some(&source), None);
    }
    let folder = |it: &Rendering| it.folder.as_ref().map_or_else(|| args.out.clone(), |name| args.out.join(name));
    if format == Format::Json {
        print::json(&renderings.iter().map(|it| document(it, &folder(it))).collect::<Vec<_>>())?;
    }
    for rendering in &renderings {
        let folder = folder(rendering);
        talk(&format!("{}: {} files in {}", rendering.target, rendering.files.len(), folder.display()))?;
        tell(rendering)?;
    }
    Ok(Exit::Done)
}

fn document(rendering: &Rendering, folder: &Path) -> Value {
    json!({
        "target": rendering.target.to_string(),
        "folder": folder,
        "files": rendering.files.keys().collect::<Vec<_>>(),
        "standIns": rendering.stand_ins,
        "notes": rendering.notes,
    })
}

impl Inputs {
    /// Reads and renders, or tells why not: by a failure, or by a report that is printed already.
    pub(in crate::cli) fn render(&self, format: Format) -> Result<Result<(Source, Vec<Rendering>), Exit>, Failure> {
        let (source, given) = match self.read() {
            Ok(read) => read,
            Err(report) => {
                print_report(&report, format, None)?;
                talk(&tally(&report))?;
                return Ok(Err(Exit::InvalidBundle));
            }
        };
        match render(&source, &given) {
            Ok(renderings) => Ok(Ok((source, renderings))),
            Err(error @ WorkbenchError::Invalid(_)) => {
                failed(error, format, Some(&source), self.spec.as_ref()).map(Err)
            }
            Err(error) => failed(error, format, Some(&source), None).map(Err),
        }
    }

    fn read(&self) -> Result<(Source, Given), Report> {
        let mut source = open(&self.bundle)?;
        let spec = self.spec.as_ref().map(|path| read_text(path)).transpose().map_err(Report::of)?;
        let values = match &self.values {
            Some(path) => {
                let text = read_text(path).map_err(Report::of)?;
                Some(values(&path.display().to_string(), &text).map_err(Report::of)?)
            }
            None => None,
        };
        let by_values = values.as_ref().and_then(Source::role_of_values);
        if let Some(role) = self.part.map(PartKind::role).or(by_values.filter(|_| source.is_alone())) {
            source = source.as_role(role);
        }
        let choice = match (&self.instance, self.pipeline) {
            (Some(name), _) => Choice::Instance(name.clone()),
            (None, true) => Choice::Pipeline,
            (None, false) => Choice::All,
        };
        let given = Given { spec, values, choice, name: self.name.clone(), environment_outputs: None };
        Ok((source, given))
    }
}

/// Says what nobody gave, and what else is to be known of a rendering.
pub(in crate::cli) fn tell(rendering: &Rendering) -> Result<(), Failure> {
    if !rendering.stand_ins.is_empty() {
        talk(&format!("  stand-ins, give them by --with: {}", rendering.stand_ins.join(", ")))?;
    }
    rendering.notes.iter().try_for_each(|note| talk(&format!("  {note}")))
}
