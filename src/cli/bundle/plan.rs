//! `hadron bundle plan`: what Terraform would make of a bundle where nothing is yet.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::super::{Exit, Failure, Form, OutputForm, print};
use super::render::{Inputs, tell};
use super::talk;
use super::test::plan as trial;
use crate::settings::Resolved;
use crate::workbench::{Rendering, Source};

#[derive(Debug, Args)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    inputs: Inputs,
    /// Files that are laid beside the rendered ones, as a site's overlay is
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
}

/// What Terraform would do for one target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned {
    target: String,
    /// Why there is no plan, in Terraform's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    changes: Vec<Change>,
    outputs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Change {
    action: &'static str,
    address: String,
}

pub(super) async fn run(settings: &Resolved, args: &PlanArgs, output: OutputForm) -> Result<Exit, Failure> {
    let (source, mut renderings) = match args.inputs.render(output.format())? {
        Ok(rendered) => rendered,
        Err(exit) => return Ok(exit),
    };
    let mut all = Vec::new();
    for rendering in &mut renderings {
        lay_over(rendering, args.overlay.as_ref())?;
        let planned = plan(settings, &source, rendering).await?;
        if output.form()? == Form::Text {
            print::text(&text(&planned))?;
        }
        tell(rendering)?;
        all.push(planned);
    }
    if output.form()? == Form::Json {
        print::json(&all)?;
    }
    let refused = all.iter().filter(|planned| planned.refused.is_some()).count();
    Ok(if refused == 0 { Exit::Done } else { Exit::PlanFailed })
}

fn lay_over(rendering: &mut Rendering, overlay: Option<&PathBuf>) -> Result<(), Failure> {
    let Some(folder) = overlay else { return Ok(()) };
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        if entry.file_type().with_context(reading)?.is_file() {
            let bytes = fs::read(entry.path()).with_context(reading)?;
            rendering.files.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(())
}

async fn plan(settings: &Resolved, source: &Source, rendering: &Rendering) -> Result<Planned, Failure> {
    let target = rendering.target.to_string();
    Ok(match trial::of(settings, &rendering.files).await? {
        Ok(document) => Planned { target, refused: None, changes: changes(&document), outputs: outputs(&document) },
        Err(words) => {
            let words = in_authors_files(&words, source, rendering);
            Planned { target, refused: Some(words), changes: Vec::new(), outputs: Vec::new() }
        }
    })
}

/// Terraform's words with the paths that the author knows the files by; their lines are the author's own.
fn in_authors_files(words: &str, source: &Source, rendering: &Rendering) -> String {
    let line = |line: &str| {
        let own =
            line.split_once(':').filter(|(file, _)| source.files.contains_key(&format!("{}/{file}", rendering.part)));
        match own {
            Some((file, rest)) => format!("{}:{rest}", source.shown(&format!("{}/{file}", rendering.part))),
            None => line.to_owned(),
        }
    };
    words.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What is done to each resource, where anything is
/// (<https://developer.hashicorp.com/terraform/internals/json-format#change-representation>).
fn changes(document: &Value) -> Vec<Change> {
    let resources = document["resource_changes"].as_array().map_or(&[][..], Vec::as_slice);
    let change = |resource: &Value| {
        let actions: Vec<&str> = resource["change"]["actions"].as_array()?.iter().filter_map(Value::as_str).collect();
        let action = match actions[..] {
            ["create"] => "create",
            ["update"] => "update",
            ["delete"] => "destroy",
            ["read"] => "read",
            ["delete", "create"] | ["create", "delete"] => "replace",
            _ => return None,
        };
        Some(Change { action, address: resource["address"].as_str()?.to_owned() })
    };
    resources.iter().filter_map(change).collect()
}

fn outputs(document: &Value) -> Vec<String> {
    document["output_changes"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn text(planned: &Planned) -> String {
    if let Some(words) = &planned.refused {
        return format!("{}: no plan\n{}\n", planned.target, words.trim_end());
    }
    let count = |actions: &[&str]| planned.changes.iter().filter(|it| actions.contains(&it.action)).count();
    let mut text = format!(
        "{}: {} to create, {} to update, {} to destroy\n",
        planned.target,
        count(&["create", "replace"]),
        count(&["update"]),
        count(&["destroy", "replace"])
    );
    for change in &planned.changes {
        let mark = match change.action {
            "create" => "+",
            "update" => "~",
            "destroy" => "-",
            "replace" => "-/+",
            _ => "<=",
        };
        text += &format!("  {mark} {}\n", change.address);
    }
    if !planned.outputs.is_empty() {
        text += &format!("  outputs: {}\n", planned.outputs.join(", "));
    }
    text
}

/// Plans what was rendered and says how it went; true if Terraform has a plan.
pub(super) async fn prove(settings: &Resolved, source: &Source, renderings: &[Rendering]) -> Result<bool, Failure> {
    let mut well = true;
    for rendering in renderings {
        let planned = plan(settings, source, rendering).await?;
        talk(text(&planned).trim_end())?;
        well &= planned.refused.is_none();
    }
    Ok(well)
}
