//! `hadron policy`: the policies that say who may do what, tried without a server.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Exit, Failure, Form, print};
use crate::control_plane::authority::{Authority, PolicyError, PolicySource, SCHEMA_TEXT, SHIPPED};
use crate::settings::Resolved;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check a site's policies against the schema, as a server does when it starts
    Check {
        /// A file, or a folder of *.cedar; by default what the setting `policies` names
        file: Option<PathBuf>,
    },
    /// Print the schema and the policies that Hadron brings along
    Show,
}

pub(super) fn run(command: &PolicyCommand, settings: &Resolved, form: Form) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { file } => {
            let mut source = source(settings)?;
            source.site = file.clone().or(source.site);
            let what = source.site.as_ref().map_or("the shipped policies".into(), |path| path.display().to_string());
            Authority::open(source).map_err(failure)?;
            match form {
                Form::Text => print::text(&format!("{what}: no mistake\n")),
                Form::Json => print::json(&json!({ "policies": what, "valid": true })),
            }
        }
        PolicyCommand::Show if form == Form::Json => {
            let shipped: Vec<Value> =
                SHIPPED.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
            print::json(&json!({ "schema": *SCHEMA_TEXT, "policies": shipped }))
        }
        PolicyCommand::Show => {
            let mut out = format!("// The schema: hadron.cedarschema\n{}\n", *SCHEMA_TEXT);
            for (name, text) in SHIPPED {
                writeln!(out, "// ---- {name}\n{text}").expect("text takes text");
            }
            print::text(&out)
        }
    }
}

/// The policies that the settings name.
///
/// # Errors
/// They can't be read or have a mistake: file, line, remedy.
pub(super) fn authority(settings: &Resolved) -> Result<Authority, Failure> {
    Authority::open(source(settings)?).map_err(failure)
}

fn source(settings: &Resolved) -> Result<PolicySource, Failure> {
    let site = settings.text("policies").map(PathBuf::from);
    Ok(PolicySource { site, shipped: settings.value("shipped_policies")? })
}

fn failure(error: PolicyError) -> Failure {
    let remedy = error.remedy();
    Failure::new(Exit::Settings, error).hint(remedy)
}
